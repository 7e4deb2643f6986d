"""Minibatch standard deviation: the discriminator sees how much the images of a group differ."""

import torch
from torch import Tensor

from stylegraft.errors import ConfigError


def minibatch_std(x: Tensor, group_size: int | None, num_channels: int = 1) -> Tensor:
    """Append `num_channels` channels with the spread within each group of samples.

    The groups are strided: with N / G groups, sample i belongs to group i mod (N / G). The standard deviation
    over the group is averaged over the pixels and over C / num_channels channels.

    Args:
        x: [N, C, H, W].
        group_size: Samples in a group, G = min(group_size, N); None takes the whole batch as one group.
        num_channels: Channels to add, a divisor of C.

    Returns:
        [N, C + num_channels, H, W].

    Raises:
        ConfigError: N is no multiple of G, or C no multiple of `num_channels`.

    Source: Karras et al. 2018, "Progressive Growing of GANs", section 3.
    """
    n, c = x.shape[:2]
    group = n if group_size is None else min(group_size, n)
    if n % group:
        raise ConfigError(
            f"minibatch standard deviation: expected a batch that is a multiple of the group size {group}, "
            f"got {n} samples. Change the batch size or the group size (mbstd_group_size)."
        )
    if c % num_channels:
        raise ConfigError(
            f"minibatch standard deviation: expected channels in a multiple of {num_channels}, got {c}. "
            f"Change the number of added channels (mbstd_num_channels)."
        )
    accurate = x.to(torch.promote_types(x.dtype, torch.float32))
    grouped = accurate.unflatten(0, (group, n // group))  # [G, N/G, C, H, W]
    deviation = grouped - grouped.mean(dim=0)  # Tensor.var takes many times as long over a short first axis.
    std = (deviation.square().mean(dim=0) + 1e-8).sqrt()
    spread = std.mean(dim=(2, 3)).unflatten(1, (num_channels, -1)).mean(dim=2)  # [N/G, num_channels]
    spread = spread.to(x.dtype).repeat(group, 1)  # [N, num_channels]
    # Adding to zeros like x, instead of expanding, keeps the memory format of x through the concatenation.
    return torch.cat([x, torch.zeros_like(x[:, :num_channels]) + spread[:, :, None, None]], dim=1)
