"""R1 and path-length regularisation: both differentiate a gradient, so all operations must do so twice."""

from __future__ import annotations

import math

import torch


def r1_penalty(images: torch.Tensor, logits: torch.Tensor) -> torch.Tensor:
    """Returns the squared gradient norm of the logits by image, [N].

    The loss is gamma / 2 times its mean. Source: Mescheder et al. 2018, equation 9.

    Args:
        images: [N, C, H, W], a leaf that requires a gradient (before augmentation).
        logits: [N, 1], computed from `images`.
    """
    (gradient,) = torch.autograd.grad(logits.sum(), [images], create_graph=True)
    return gradient.square().sum(dim=[1, 2, 3])


def path_lengths(ws: torch.Tensor, images: torch.Tensor, directions: torch.Tensor) -> torch.Tensor:
    """Returns |J_w^T y| by image, [N], averaged over layers under the root.

    Source: Karras et al. 2020, section 3.2 and appendix B (y ~ N(0, I), scaled by 1 / sqrt(H * W)).

    Args:
        ws: [N, num_ws, w_dim] that `images` were made from, requiring a gradient.
        images: [N, C, H, W].
        directions: y, standard normal, of the shape of `images`.
    """
    scale = 1 / math.sqrt(images.shape[2] * images.shape[3])
    (gradient,) = torch.autograd.grad((images * directions).sum() * scale, [ws], create_graph=True)
    return gradient.square().sum(dim=2).mean(dim=1).sqrt()


def path_length_penalty(lengths: torch.Tensor, pl_mean: torch.Tensor, decay: float) -> torch.Tensor:
    """Returns (length - a)^2 by image, [N], where a is `pl_mean` moved towards this batch by `decay`.

    Source: Karras et al. 2020, equation 4.
    """
    return (lengths - pl_mean.lerp(lengths.mean(), decay)).square()
