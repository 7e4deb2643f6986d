"""A layer of the generator in one call: modulated convolution, noise, bias and activation.

Plain torch composes it of `modulated_conv2d` and `bias_act`. Where kernels fit, the convolution stands
between two passes over memory: styles before it, everything else after it.
"""

from torch import Tensor

from stylegraft.ops.bias_act import ACTIVATIONS, bias_act, has_kernel
from stylegraft.ops.conv_resample import conv2d_resample
from stylegraft.ops.kernels.switch import kernels_fit
from stylegraft.ops.modulated_conv import demodulation_coefficients, modulated_conv2d

_MAX_IMAGE_CHANNELS = 4


def modulated_layer(
    x: Tensor,
    weight: Tensor,
    styles: Tensor,
    bias: Tensor,
    *,
    noise: Tensor | None = None,
    act: str = "lrelu",
    gain: float = 1.0,
    clamp: float | None = None,
    up: int = 1,
    padding: int = 0,
    resample_filter: Tensor | None = None,
    flip_weight: bool = True,
) -> Tensor:
    """Returns clamp(gain * act(modulated convolution + noise + bias)), [N, O, H', W'] in the dtype of `x`.

    Args:
        x: [N, I, H, W].
        weight: [O, I, kh, kw], shared by the batch; demodulated.
        styles: float32 [N, I].
        bias: float32 [O].
        noise: float32 [N, 1, H', W'] or [H', W'], or None.
        act: a name in `ACTIVATIONS`.
        gain: factor after the activation.
        clamp: limit of the absolute value of the result, or None.
        up: factor by which the image grows.
        padding: zeros around the upsampled image, see `conv2d_resample`.
        resample_filter: of `setup_filter`, used when `up` is above 1.
        flip_weight: True correlates, False convolves.
    """
    resample = {"up": up, "padding": padding, "flip_weight": flip_weight}
    if not kernels_fit(x):
        y = modulated_conv2d(x, weight, styles, noise=noise, resample_filter=resample_filter, **resample)
        return bias_act(y, bias, act=act, gain=gain, clamp=clamp)

    from stylegraft.ops.kernels.epilogue import epilogue
    from stylegraft.ops.kernels.scale import scale_channels

    scale = demodulation_coefficients(weight, styles)
    y = conv2d_resample(scale_channels(x, styles), weight, resample_filter, **resample)
    alpha = ACTIVATIONS[act].alpha
    if has_kernel(y, act, alpha, gain):
        return epilogue(y, scale, noise, bias, alpha if act == "lrelu" else 1.0, gain, clamp)
    y = y * scale.to(y.dtype)[:, :, None, None]
    return bias_act(y if noise is None else y + noise.to(y.dtype), bias, act=act, gain=gain, clamp=clamp)


def modulated_to_image(
    x: Tensor, weight: Tensor, styles: Tensor, bias: Tensor, clamp: float | None = None
) -> Tensor:
    """Returns what a layer adds to the image, float32 [N, K, H, W]: 1x1, not demodulated, linear.

    Args:
        x: [N, I, H, W].
        weight: [K, I, 1, 1].
        styles: float32 [N, I].
        bias: float32 [K].
        clamp: limit of the absolute value of the result, or None.
    """
    if kernels_fit(x) and weight.shape[0] <= _MAX_IMAGE_CHANNELS:
        from stylegraft.ops.kernels.to_image import to_image

        y = to_image(x, weight[:, :, 0, 0] * styles[:, None, :])
    else:
        y = modulated_conv2d(x, weight, styles, demodulate=False).float()
    return bias_act(y, bias, clamp=clamp)
