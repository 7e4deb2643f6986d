"""One network of a rosinality file: its config, inferred from shapes, and its tensors under our names."""

from __future__ import annotations

import math

import torch

from stylegraft.checkpoints.foreign.arrays import TensorView
from stylegraft.checkpoints.foreign.filters import filter_matches, find_taps
from stylegraft.checkpoints.foreign.limits import Reading, printable
from stylegraft.checkpoints.foreign.report import LoadReport
from stylegraft.checkpoints.foreign.rosinality_layout import (
    FilterRow,
    Row,
    discriminator_filters,
    generator_filters,
    stock_discriminator,
    stock_generator,
)
from stylegraft.errors import CheckpointError, ConfigError
from stylegraft.networks.config import DiscriminatorConfig, GeneratorConfig

_MAX_BLOCKS = 12
_MAX_MAPPING_LAYERS = 64
_MAX_TENSORS = 2_000
_MAX_FILTER_TAPS = 1024
_SHOWN = 3


class RosinalityNetwork:
    """A state dict of the file, of which nothing is taken for granted.

    Attributes:
        name: ours for the network, such as `G_ema`.
    """

    def __init__(self, state: dict[object, object], name: str, reading: Reading) -> None:
        self.name = name
        self._source = reading.source
        self._views: dict[str, TensorView] = {}
        if len(state) > _MAX_TENSORS:
            raise self.unknown_layout(f"{len(state):,} tensors")
        for key, value in state.items():
            if not isinstance(key, str) or not isinstance(value, TensorView):
                raise self.unknown_layout(f"{printable(key)}, which is no tensor")
            self._views[key] = value

    def __contains__(self, name: str) -> bool:
        return name in self._views

    def length(self, name: str, axis: int = 0, num_axes: int = 1) -> int:
        """Returns how long a tensor of `num_axes` axes is along one of them."""
        size = self._views[name].size if name in self._views else ()
        if len(size) != num_axes:
            raise self.unknown_layout(f"{name} of shape {list(size)}" if size else f"no tensor {name}")
        return size[axis]

    def taps(self, rows: list[FilterRow], reading: Reading) -> tuple[float, ...] | None:
        """Returns the taps of its FIR, or the usual ones where it has none to show."""
        if not rows:
            return (1.0, 3.0, 3.0, 1.0)
        taps = find_taps(self._filter(rows[0], reading))
        if taps is None:
            raise self.unknown_layout(f"{rows[0].theirs} that is no outer product of taps")
        return taps

    def load(
        self,
        rows: list[Row],
        shapes: dict[str, tuple[int, ...]],
        config: GeneratorConfig | DiscriminatorConfig,
        report: LoadReport,
        reading: Reading,
    ) -> dict[str, torch.Tensor]:
        """Returns the tensors of `rows` under our names, float32, in our shapes.

        Raises:
            CheckpointError: tensors are missing, left over or of another shape, or a FIR is not the config's.
        """
        num_blocks = len(config.channels)
        is_generator = isinstance(config, GeneratorConfig)
        filters = generator_filters(num_blocks) if is_generator else discriminator_filters(num_blocks)
        expected = {row.theirs for row in rows} | {row.theirs for row in filters}
        problems = [f"{name} missing" for name in sorted(expected - self._views.keys())]
        problems += [f"{printable(name)} left over" for name in sorted(self._views.keys() - expected)]
        for row in rows:
            if row.theirs in self._views:
                found, wanted = self._views[row.theirs].size, row.their_shape(shapes[row.ours])
                if found != wanted:
                    problems.append(f"{row.theirs} of shape {list(found)} where {list(wanted)} belongs")
        if problems:
            more = f" and {len(problems) - _SHOWN} more" if len(problems) > _SHOWN else ""
            raise self.unknown_layout(", ".join(problems[:_SHOWN]) + more)
        for row in filters:
            if not filter_matches(self._filter(row, reading), config.resample_filter):
                raise self.unknown_layout(f"{row.theirs} unlike the filters of the other layers")
            report.verified.append(f"{self.name}.{row.theirs}")
        tensors = {}
        for row in rows:
            tensor = self._views[row.theirs].to_torch(reading).to(torch.float32)
            tensors[row.ours] = tensor.reshape(shapes[row.ours])
            taken = report.reshaped if row.ones_before else report.copied
            taken.append(f"{self.name}.{row.theirs}")
        return tensors

    def unknown_layout(self, got: str) -> CheckpointError:
        """Returns the error for a network that is not built as expected."""
        return CheckpointError(
            f"cannot read {self._source}: expected {self.name} to be a StyleGAN2 network of rosinality's "
            f"code, got {got}. Networks of changed code are not supported; convert the file with the code "
            "that wrote it."
        )

    def _filter(self, row: FilterRow, reading: Reading) -> torch.Tensor:
        view = self._views.get(row.theirs)
        if view is None or math.prod(view.size) > _MAX_FILTER_TAPS:
            raise self.unknown_layout(f"no filter {row.theirs}" if view is None else f"a huge {row.theirs}")
        return view.to_torch(reading).to(torch.float32) / row.gain


def infer_generator(network: RosinalityNetwork, reading: Reading) -> GeneratorConfig:
    """Returns the config of a generator.

    Raises:
        CheckpointError: it is of unknown layout.
    """
    num_layers = _count(network, "style.{}.weight", 1, _MAX_MAPPING_LAYERS)
    num_doublings = _count(network, "to_rgbs.{}.bias", 0, _MAX_BLOCKS)
    layers = ["conv1", *(f"convs.{2 * index + 1}" for index in range(num_doublings))]
    try:
        return stock_generator(
            channels=tuple(network.length(f"{layer}.activate.bias") for layer in layers),
            style_dim=network.length("conv1.conv.modulation.weight", axis=1, num_axes=2),
            num_layers=num_layers,
            resample_filter=network.taps(generator_filters(num_doublings + 1), reading),
            img_channels=network.length("to_rgb1.bias", axis=1, num_axes=4),
        )
    except ConfigError as error:
        raise network.unknown_layout(f"values that make no network: {error}") from None


def infer_discriminator(
    network: RosinalityNetwork, generator: GeneratorConfig, reading: Reading
) -> DiscriminatorConfig:
    """Returns the config of the discriminator that belongs to a generator.

    Raises:
        CheckpointError: it is of unknown layout, or for pictures of another size.
    """
    num_doublings = _count(network, "convs.{}.conv1.0.weight", 1, _MAX_BLOCKS)
    if not num_doublings:
        raise network.unknown_layout("a single resolution, with no layer to take the image in")
    if num_doublings + 1 != len(generator.channels):
        raise network.unknown_layout(f"{num_doublings + 1} resolutions where G has {len(generator.channels)}")
    layers = ["final_conv.1", *(f"convs.{index}.conv1.1" for index in range(num_doublings, 0, -1))]
    channels = tuple(network.length(f"{layer}.bias") for layer in layers)
    # The last convolution sees the feature maps of 4 px and those of the minibatch standard deviation.
    seen = network.length("final_conv.0.weight", axis=1, num_axes=4)
    try:
        return stock_discriminator(
            channels=channels,
            resample_filter=network.taps(discriminator_filters(num_doublings + 1), reading),
            img_channels=network.length("convs.0.0.weight", axis=1, num_axes=4),
            mbstd_num_channels=seen - channels[0],
        )
    except ConfigError as error:
        raise network.unknown_layout(f"values that make no network: {error}") from None


def _count(network: RosinalityNetwork, pattern: str, first: int, limit: int) -> int:
    """How many tensors of a numbered name there are without a gap."""
    count = 0
    while pattern.format(first + count) in network:
        count += 1
        if count > limit:
            raise network.unknown_layout(f"more than {limit} tensors {pattern.format('N')}")
    return count
