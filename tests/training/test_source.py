"""What a run takes over from trained networks, and what it refuses."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
import torch

from stylegraft.checkpoints.opening import OpenedCheckpoint
from stylegraft.data.config import DataConfig
from stylegraft.data.reader import open_image_set
from stylegraft.errors import CheckpointError, InputError
from stylegraft.networks.stylegan2 import Discriminator
from stylegraft.training.config import RunConfig, TrainOptions
from stylegraft.training.source import check_fit, check_source, source_config, take_over
from stylegraft.training.state import TrainState, new_state

CPU = torch.device("cpu")


@pytest.fixture
def source(make_config) -> OpenedCheckpoint:
    """Three networks that differ from each other and from those of `state`."""
    config: RunConfig = make_config(seed=5)
    trained = new_state(config, CPU)
    with torch.no_grad():
        for tensor in trained.G_ema.state_dict().values():
            tensor.add_(1.0)
    networks = {"G_ema": trained.G_ema, "G": trained.G, "D": trained.D}
    tensors = {name: network.state_dict() for name, network in networks.items()}
    return OpenedCheckpoint(config.generator, config.discriminator, tensors, {})


@pytest.fixture
def state(make_config) -> TrainState:
    return new_state(make_config(seed=6), CPU)


def without(source: OpenedCheckpoint, *names: str) -> OpenedCheckpoint:
    tensors = {name: tensors for name, tensors in source.tensors.items() if name not in names}
    return replace(source, tensors=tensors, discriminator=source.discriminator if "D" in tensors else None)


def same(network: torch.nn.Module, tensors: dict[str, torch.Tensor]) -> bool:
    return all(torch.equal(tensor, tensors[name]) for name, tensor in network.state_dict().items())


def test_all_networks_are_taken_over(state: TrainState, source: OpenedCheckpoint) -> None:
    line = take_over(state, source)
    assert same(state.G, source.tensors["G"])
    assert same(state.G_ema, source.tensors["G_ema"])
    assert same(state.D, source.tensors["D"])
    assert not same(state.G, source.tensors["G_ema"])  # or the three lines above would show nothing
    count = sum(map(len, source.tensors.values()))
    assert line == f"G from G, G_ema from G_ema, D from D; {count} tensors read, none left over, none missing"


def test_nothing_else_is_taken_over(state: TrainState, source: OpenedCheckpoint) -> None:
    take_over(state, source)
    assert (state.step, state.ada.p, state.best) == (0, 0.3, None)
    assert not state.optimizer_G.state
    assert not state.optimizer_D.state


def test_average_stands_in_for_g(state: TrainState, source: OpenedCheckpoint) -> None:
    line = take_over(state, without(source, "G"))
    assert same(state.G, source.tensors["G_ema"])
    assert same(state.G_ema, source.tensors["G_ema"])
    assert line.startswith("G from G_ema, G_ema from G_ema, D from D; ")


def test_g_stands_in_for_the_average(state: TrainState, source: OpenedCheckpoint) -> None:
    line = take_over(state, without(source, "G_ema"))
    assert same(state.G_ema, source.tensors["G"])
    assert line.startswith("G from G, G_ema from G, ")


def test_d_starts_anew_without_one(state: TrainState, source: OpenedCheckpoint) -> None:
    before = {name: tensor.clone() for name, tensor in state.D.state_dict().items()}
    line = take_over(state, without(source, "D"))
    assert same(state.D, before)
    assert "D starts anew: the source has none; " in line


@pytest.mark.parametrize("network", ["G_ema", "G", "D"])
def test_tensors_of_another_network_are_refused(
    state: TrainState, source: OpenedCheckpoint, network: str
) -> None:
    name = next(iter(source.tensors[network]))
    source.tensors[network][name] = torch.zeros(1, 2, 3)
    for check in (lambda: check_source(source), lambda: take_over(state, source)):
        with pytest.raises(CheckpointError, match=rf"source {network}: .*{name} is \[1, 2, 3\]"):
            check()


def test_whole_sources_pass_the_check(source: OpenedCheckpoint) -> None:
    for names in ((), ("G",), ("G_ema",), ("D",)):
        check_source(without(source, *names))


def test_source_without_a_generator_is_refused(source: OpenedCheckpoint) -> None:
    with pytest.raises(CheckpointError, match=r"source G_ema: .* is missing"):
        check_source(without(source, "G", "G_ema"))


def test_d_for_other_images_is_refused(source: OpenedCheckpoint) -> None:
    assert source.discriminator is not None
    larger = source.discriminator.replace(img_height=32, img_width=32, mbstd_num_channels=0)
    D = Discriminator(larger)
    changed = replace(source, discriminator=larger, tensors=source.tensors | {"D": D.state_dict()})
    with pytest.raises(CheckpointError, match=r"\(16, 16, 3, 2\) as G makes them, got \(32, 32, 3, 2\)"):
        check_source(changed)


def test_absurd_source_is_refused_before_memory_is_taken(source: OpenedCheckpoint) -> None:
    # A convolution of 16384 x 16384 x 3 x 3 weights is 9.7 GB.
    absurd = replace(source, generator=source.generator.replace(channels=(16384, 16384, 16384)))
    with pytest.raises(CheckpointError, match="instead of"):
        check_source(absurd)


@pytest.fixture
def fits(dataset: Path, source: OpenedCheckpoint) -> Callable[..., None]:
    """Checks the source, with changed fields, against the set and flags."""

    def check(
        flags: dict[str, Any] | None = None, data: dict[str, Any] | None = None, **changes: Any
    ) -> None:
        images = open_image_set(dataset, DataConfig(**data or {}))
        check_fit(source.generator.replace(**changes), images, TrainOptions(**flags or {}))

    return check


def test_source_that_fits_passes(fits) -> None:
    fits()
    fits(flags={"lr": 0.001, "freeze_d": 2, "aug": "none", "g_arch": "skip"})


@pytest.mark.parametrize(
    ("changes", "says"),
    [
        (
            {"data": {"size": "32x16", "fit": "crop"}},
            "16x16 px, the set has 32x16. Use --size 16x16 --fit crop",
        ),
        ({"data": {"channels": 1}}, "of 3 channels, the set has 1. Use --channels 3"),
        ({"data": {"labels": "none"}}, "2 classes, the set has 0. Use a set with as many classes"),
        ({"flags": {"g_arch": "orig"}}, "^--g-arch: with --from"),
        ({"flags": {"channel_max": 4, "w_dim": 9}}, "^--channel-max, --w-dim: with --from"),
        ({"flags": {"conv_clamp": 256.0}}, "^--conv-clamp: with --from"),
    ],
)
def test_source_that_does_not_fit_is_refused_with_what_helps(fits, changes: dict, says: str) -> None:
    with pytest.raises(InputError, match=says):
        fits(**changes)


def test_source_without_classes_hints_at_dropping_labels(fits, source: OpenedCheckpoint) -> None:
    with pytest.raises(InputError, match=r"0 classes, the set has 2\. Use --labels none"):
        fits(mapping=source.generator.mapping.replace(c_dim=0))


def test_what_the_file_held_besides_is_named(state: TrainState, source: OpenedCheckpoint) -> None:
    report = {"left_over": ["D.a", "D.b", "D.c", "D.d"], "missing": ["G_ema.mapping.w_avg"]}
    line = take_over(state, replace(source, info={"load_report": report}))
    assert line.endswith("4 left over (D.a, D.b, D.c, ...), 1 missing (G_ema.mapping.w_avg)")


def test_source_config_keeps_origin_and_licence(source: OpenedCheckpoint) -> None:
    info = {"format": "nvidia-pytorch", "path": "/home/me/x.pkl", "sha256": "ab", "licence": "non-commercial"}
    config = source_config(replace(source, info=info))
    origin = {"format": "nvidia-pytorch", "file": "x.pkl", "sha256": "ab"}
    assert config.facts == {"source": origin, "licence": "non-commercial"}
