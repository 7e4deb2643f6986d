"""Bias, activation, gain and clamp in one call: y = clamp(gain * act(x + b))."""

from collections.abc import Callable
from dataclasses import dataclass

import torch
from torch import Tensor
from torch.nn import functional as F

from stylegraft.ops.kernels.switch import kernels_fit


@dataclass(frozen=True)
class Activation:
    """An activation function with the slope and the gain it has unless the caller says otherwise."""

    apply: Callable[[Tensor, float, bool], Tensor]
    """(x, alpha, inplace) -> act(x). With `inplace` it may overwrite x; only the leaky ReLU reads alpha."""
    alpha: float = 0.0
    """Slope below zero."""
    gain: float = 1.0
    """Factor that restores the variance the activation takes away."""
    homogeneous: bool = False
    """act(g x) = g act(x) for every g >= 0."""


_SQRT2 = 2.0**0.5

ACTIVATIONS: dict[str, Activation] = {
    "linear": Activation(lambda x, alpha, inplace: x, homogeneous=True),
    "relu": Activation(lambda x, alpha, inplace: F.relu(x, inplace), gain=_SQRT2, homogeneous=True),
    "lrelu": Activation(
        lambda x, alpha, inplace: F.leaky_relu(x, alpha, inplace), alpha=0.2, gain=_SQRT2, homogeneous=True
    ),
    "tanh": Activation(lambda x, alpha, inplace: torch.tanh(x)),
    "sigmoid": Activation(lambda x, alpha, inplace: torch.sigmoid(x)),
    "elu": Activation(lambda x, alpha, inplace: F.elu(x)),
    "selu": Activation(lambda x, alpha, inplace: F.selu(x)),
    "softplus": Activation(lambda x, alpha, inplace: F.softplus(x)),
    "swish": Activation(lambda x, alpha, inplace: x * torch.sigmoid(x), gain=_SQRT2),
}
"""Activations by the name that configs and checkpoints use."""


def bias_act(
    x: Tensor,
    b: Tensor | None = None,
    *,
    dim: int = 1,
    act: str = "linear",
    alpha: float | None = None,
    gain: float | None = None,
    clamp: float | None = None,
    x_gain: float = 1.0,
) -> Tensor:
    """Add a bias, apply an activation, multiply by a gain, clamp.

    Args:
        x: Any shape and floating dtype.
        b: [x.shape[dim]], cast to the dtype of `x`; None adds nothing.
        dim: The axis of `x` that `b` runs along.
        act: A name in `ACTIVATIONS`.
        alpha: Slope below zero; None is the activation's own.
        gain: Factor after the activation; None is the activation's own.
        clamp: Limit of the absolute value of the result; None does not limit.
        x_gain: Factor of `x` before the bias. It costs nothing where there is a bias or a gain anyway, so a
            convolution's run-time weight gain belongs here and not on the weights.

    Returns:
        A tensor of the shape and dtype of `x`, twice differentiable.

    Raises:
        ValueError: `act` is unknown, or `b` does not fit `x`.
    """
    if act not in ACTIVATIONS:
        raise ValueError(f"activation: expected one of {', '.join(ACTIVATIONS)}, got {act!r}")
    spec = ACTIVATIONS[act]
    alpha = spec.alpha if alpha is None else alpha
    gain = spec.gain if gain is None else gain

    bias = None
    if b is not None:
        if b.shape != (x.shape[dim],):
            raise ValueError(f"bias: expected shape ({x.shape[dim]},), got {tuple(b.shape)}")
        bias = b.reshape([-1 if axis == dim % x.ndim else 1 for axis in range(x.ndim)])

    if b is not None and dim == 1 and has_kernel(x, act, alpha, gain):
        from stylegraft.ops.kernels.epilogue import epilogue

        return epilogue(x, x_gain, None, b, alpha if act == "lrelu" else 1.0, gain, clamp)

    # Every pass over the activations is a trip to memory. Where the gain may go before the activation, bias
    # and gain share one pass and the activation overwrites its result: autograd keeps one tensor, not three.
    gain_inside = gain if spec.homogeneous and gain >= 0 else 1.0
    v = _add_and_scale(x, x_gain, bias, gain_inside)
    y = spec.apply(v, alpha, v is not x and alpha >= 0)
    if gain != gain_inside:
        y = y * gain
    if clamp is not None:
        # hardtanh is clamp with a derivative that takes one pass instead of several.
        y = F.hardtanh(y, -clamp, clamp)
    return y


def has_kernel(x: Tensor, act: str, alpha: float, gain: float) -> bool:
    """Returns whether `kernels.epilogue` may do what follows a convolution."""
    return gain > 0 and (act == "linear" or (act == "lrelu" and alpha > 0)) and kernels_fit(x)


def _add_and_scale(x: Tensor, x_gain: float, bias: Tensor | None, gain: float) -> Tensor:
    """Return gain * (x_gain * x + bias), and `x` itself where there is nothing to do."""
    factor = x_gain * gain
    if bias is not None:
        return torch.add((bias * gain).to(x.dtype), x, alpha=factor)
    return x if factor == 1 else x * factor
