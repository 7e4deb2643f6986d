"""Tensor operations of the StyleGAN family: for each a fast path beside an obvious reference.

Everything is plain torch: it runs on any device, in float32, bfloat16 and float64, and differentiates twice.
"""

from stylegraft.ops.bias_act import ACTIVATIONS, Activation, bias_act
from stylegraft.ops.conv_resample import conv2d_resample
from stylegraft.ops.filters import setup_filter
from stylegraft.ops.minibatch_std import minibatch_std
from stylegraft.ops.modulated_conv import modulated_conv2d
from stylegraft.ops.upfirdn import downsample2d, filter2d, upfirdn2d, upsample2d

__all__ = [
    "ACTIVATIONS",
    "Activation",
    "bias_act",
    "conv2d_resample",
    "downsample2d",
    "filter2d",
    "minibatch_std",
    "modulated_conv2d",
    "setup_filter",
    "upfirdn2d",
    "upsample2d",
]
