"""Modulated and demodulated convolution of StyleGAN2, without a grouped convolution.

With styles s [N, I] and weights w [O, I, kh, kw] each sample n is convolved with

    w'[n] = s[n] w / sqrt(sum over I, kh, kw of (s[n] w)^2 + eps)          (paper: eq. 1 and 3)

Scaling an input channel of the weight is scaling that channel of the activations, and the denominator depends
on the output channel only. So the activations are scaled, convolved once with the shared w, and scaled again:
one dense convolution for the whole batch. Only 1x1 kernels, which are small, get weights for each sample.

Source: Karras et al. 2020, "Analyzing and Improving the Image Quality of StyleGAN", section 2.2.
"""

import torch
from torch import Tensor

from stylegraft.ops.conv_resample import conv2d_resample, conv2d_resample_reference
from stylegraft.ops.filters import Padding, four_sides

DEMODULATION_EPS = 1e-8


def modulated_conv2d(
    x: Tensor,
    weight: Tensor,
    styles: Tensor,
    *,
    noise: Tensor | None = None,
    up: int = 1,
    down: int = 1,
    padding: Padding = 0,
    resample_filter: Tensor | None = None,
    demodulate: bool = True,
    flip_weight: bool = True,
) -> Tensor:
    """Convolve each sample with the weights that its style modulates.

    Args:
        x: [N, I, H, W], any floating dtype.
        weight: [O, I, kh, kw], shared by the batch.
        styles: [N, I], factor of each input channel.
        noise: [N, 1, H', W'] or [H', W'], added to the result; None adds nothing.
        up: Factor by which the input grows.
        down: Factor by which the result shrinks.
        padding: Zeros around the upsampled image, see `conv2d_resample`.
        resample_filter: Filter of `setup_filter`, used when `up` or `down` is above 1.
        demodulate: Normalise the weights of each output channel to length 1.
        flip_weight: True correlates, False convolves.

    Returns:
        [N, O, H', W'] in the dtype of `x`.
    """
    if demodulate and x.dtype == torch.float16:
        weight, styles = _normalise_lengths(weight, styles)
    dcoefs = demodulation_coefficients(weight, styles) if demodulate else None
    noise = None if noise is None else noise.to(x.dtype)

    pointwise = weight.shape[2:] == (1, 1)
    if pointwise and up == down == 1 and not any(four_sides(padding)):
        y = _modulated_pointwise(x, weight[:, :, 0, 0], styles, dcoefs)
        return y if noise is None else y + noise

    x = x * styles.to(x.dtype)[:, :, None, None]
    y = conv2d_resample(
        x, weight, resample_filter, up=up, down=down, padding=padding, flip_weight=flip_weight
    )
    if dcoefs is None:
        return y if noise is None else y + noise
    scale = dcoefs.to(y.dtype)[:, :, None, None]
    return y * scale if noise is None else torch.addcmul(noise, y, scale)


def _modulated_pointwise(x: Tensor, weight: Tensor, styles: Tensor, dcoefs: Tensor | None) -> Tensor:
    """Convolve `x` [N, I, H, W] with `weight` [O, I], a 1x1 kernel, as one matrix product a sample.

    Such kernels are small and, in ToRGB, applied where the activations are largest. So here the weights are
    scaled for each sample after all: it saves a pass over the activations, and the backward pass two.
    """
    height, width = x.shape[2:]
    w = weight * styles[:, None, :]  # [N, O, I]
    if dcoefs is not None:
        w = w * dcoefs[:, :, None]
    w = w.to(x.dtype)
    if x.is_contiguous(memory_format=torch.channels_last):
        pixels = x.permute(0, 2, 3, 1).flatten(1, 2)  # [N, H * W, I]
        return torch.bmm(pixels, w.transpose(1, 2)).unflatten(1, (height, width)).permute(0, 3, 1, 2)
    return torch.bmm(w, x.flatten(2)).unflatten(2, (height, width))


def demodulation_coefficients(weight: Tensor, styles: Tensor) -> Tensor:
    """Return [N, O], the inverse length of each output channel's modulated weights, at least in float32."""
    dtype = torch.promote_types(weight.dtype, torch.float32)
    squared = weight.to(dtype).square().sum(dim=(2, 3))  # [O, I]
    return (styles.to(dtype).square() @ squared.t() + DEMODULATION_EPS).rsqrt()


def _normalise_lengths(weight: Tensor, styles: Tensor) -> tuple[Tensor, Tensor]:
    """Scale each output channel's weights and each sample's styles so that float16 can hold all that follows.

    The demodulated result depends on neither length, only the values on the way to it do. Hence its
    derivative with respect to the lengths is zero, and they may be taken for constants.
    """
    smallest = torch.finfo(weight.dtype).tiny
    weight_max = weight.detach().abs().amax(dim=(1, 2, 3), keepdim=True).clamp_min(smallest)
    styles_max = styles.detach().abs().amax(dim=1, keepdim=True).clamp_min(smallest)
    return weight / weight_max / weight[0].numel() ** 0.5, styles / styles_max


def modulated_conv2d_reference(
    x: Tensor,
    weight: Tensor,
    styles: Tensor,
    *,
    noise: Tensor | None = None,
    up: int = 1,
    down: int = 1,
    padding: Padding = 0,
    resample_filter: Tensor | None = None,
    demodulate: bool = True,
    flip_weight: bool = True,
) -> Tensor:
    """Return what `modulated_conv2d` returns, with weights for each sample; the arguments are the same."""
    outputs = []
    for x_n, styles_n in zip(x, styles):
        w = weight * styles_n[None, :, None, None]
        if demodulate:
            w = w * (w.square().sum(dim=(1, 2, 3), keepdim=True) + DEMODULATION_EPS).rsqrt()
        outputs.append(
            conv2d_resample_reference(
                x_n[None], w, resample_filter, up=up, down=down, padding=padding, flip_weight=flip_weight
            )
        )
    y = torch.cat(outputs)
    return y if noise is None else y + noise
