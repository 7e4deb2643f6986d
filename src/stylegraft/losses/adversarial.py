"""The non-saturating logistic loss.

Source: Goodfellow et al. 2014, section 3; used by every StyleGAN from 2019 on.
"""

from __future__ import annotations

import torch
from torch.nn import functional


def generator_loss(fake_logits: torch.Tensor) -> torch.Tensor:
    """Returns the mean of -log sigmoid(D(G(z))); logits [N, 1] -> []."""
    return functional.softplus(-fake_logits).mean()


def discriminator_loss_fake(fake_logits: torch.Tensor) -> torch.Tensor:
    """Returns the mean of -log(1 - sigmoid(D(G(z)))); logits [N, 1] -> []."""
    return functional.softplus(fake_logits).mean()


def discriminator_loss_real(real_logits: torch.Tensor) -> torch.Tensor:
    """Returns the mean of -log sigmoid(D(x)); logits [N, 1] -> []."""
    return functional.softplus(-real_logits).mean()
