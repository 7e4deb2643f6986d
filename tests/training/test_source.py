"""What a run takes over from trained networks, and what it refuses."""

from __future__ import annotations

import json
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
from stylegraft.networks.config import DiscriminatorConfig, GeneratorConfig
from stylegraft.networks.stylegan1 import config as stylegan1
from stylegraft.networks.stylegan2 import Discriminator
from stylegraft.training.config import RunConfig, SourceConfig, TrainOptions
from stylegraft.training.source import (
    check_source,
    networks_from,
    source_config,
    take_over,
    with_surgery,
)
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
    line, _ = take_over(state, source)
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
    line, _ = take_over(state, without(source, "G"))
    assert same(state.G, source.tensors["G_ema"])
    assert same(state.G_ema, source.tensors["G_ema"])
    assert line.startswith("G from G_ema, G_ema from G_ema, D from D; ")


def test_g_stands_in_for_the_average(state: TrainState, source: OpenedCheckpoint) -> None:
    line, _ = take_over(state, without(source, "G_ema"))
    assert same(state.G_ema, source.tensors["G"])
    assert line.startswith("G from G, G_ema from G, ")


def test_d_starts_anew_without_one(state: TrainState, source: OpenedCheckpoint) -> None:
    before = {name: tensor.clone() for name, tensor in state.D.state_dict().items()}
    line, _ = take_over(state, without(source, "D"))
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


Networks = tuple[GeneratorConfig, DiscriminatorConfig]


@pytest.fixture
def networks(dataset: Path, source: OpenedCheckpoint) -> Callable[..., Networks]:
    """The networks that the source, with changed fields, becomes for the set and flags."""

    def make(
        flags: dict[str, Any] | None = None,
        data: dict[str, Any] | None = None,
        D: DiscriminatorConfig | None = source.discriminator,
        **changes: Any,
    ) -> Networks:
        images = open_image_set(dataset, DataConfig(**data or {}))
        changed = replace(source, generator=source.generator.replace(**changes), discriminator=D)
        return networks_from(changed, images, TrainOptions(**flags or {}))

    return make


def test_networks_are_the_sources_unless_told(networks, source: OpenedCheckpoint) -> None:
    own = source.generator, source.discriminator
    assert networks() == own
    assert networks(flags={"lr": 0.001, "freeze_d": 2, "aug": "none", "g_arch": "skip"}) == own
    assert networks(flags={"mapping_layers": 2, "z_dim": 8, "channel_max": 8, "d_arch": "resnet"}) == own


def test_size_colour_and_classes_are_those_of_the_images(networks) -> None:
    G, D = networks(data={"size": "32x32", "fit": "stretch", "channels": 1, "labels": "none"})
    for config in (G, D):
        assert (config.img_height, config.img_width, config.img_channels, config.c_dim) == (32, 32, 1, 0)
        assert config.channels == (8, 8, 8, 8)
    assert D.mapping is None
    G, D = networks(data={"size": "32x16", "fit": "crop"})
    assert (G.base_height, G.base_width, len(D.channels)) == (8, 4, 3)


def test_classes_are_added_to_both_networks(networks, source: OpenedCheckpoint) -> None:
    mapping = source.generator.mapping.replace(c_dim=0)
    assert source.discriminator is not None
    G, D = networks(mapping=mapping, D=source.discriminator.replace(mapping=None))
    assert source.generator == G
    assert D.mapping is not None
    assert (D.mapping.c_dim, D.mapping.w_dim) == (2, 8)


def test_discriminator_without_a_source_is_chosen_freely(networks) -> None:
    G, D = networks(flags={"d_arch": "orig"}, D=None)
    assert D.architecture == "orig"
    assert D.channels == G.channels


def test_widths_change_with_permission(networks) -> None:
    G, D = networks(flags={"channel_max": 4, "change_widths": True})
    assert G.channels == D.channels == (4, 4, 4)
    assert networks(flags={"channel_base": 64, "channel_max": 12, "change_widths": True})[0].channels == (
        12,
        8,
        4,
    )


def test_new_blocks_may_have_any_widths(networks) -> None:
    flags = {"channel_base": 1024}
    G, _ = networks(flags=flags, data={"size": "32", "fit": "stretch"}, channels=(8, 8, 8))
    assert G.channels == (8, 8, 8, 8)


@pytest.mark.parametrize(
    ("changes", "says"),
    [
        (
            {"data": {"size": "30x15", "fit": "crop"}},
            "--from: .* images of 30x15 px: .* Use --size 16x16 --fit crop",
        ),
        ({"data": {"size": "4", "fit": "crop"}}, "images of 4x4 px: .* more than its smallest block"),
        ({"img_channels": 4, "D": None}, "images of 3 channels: only grey .* Use --channels 4"),
        ({"flags": {"g_arch": "orig"}}, "^--g-arch orig: the source of --from has skip"),
        ({"flags": {"d_arch": "skip"}}, "^--d-arch skip: the source of --from has resnet"),
        ({"flags": {"mapping_layers": 8}}, "^--mapping-layers 8: .* has 2, and a layer more or less"),
        ({"flags": {"w_dim": 9}}, "^--w-dim 9: the source of --from has 8"),
        ({"flags": {"conv_clamp": 256.0}}, "^--conv-clamp 256.0: the source of --from has None"),
        ({"flags": {"channel_max": 4}}, r"^--channel-max: .* 8-8-8, not 4-4-4\. .* add --change-widths"),
    ],
)
def test_source_that_cannot_fit_is_refused_with_what_helps(networks, changes: dict, says: str) -> None:
    with pytest.raises(InputError, match=says):
        networks(**changes)


def test_widths_of_stylegan1_are_kept(dataset: Path) -> None:
    sizes: dict[str, Any] = {"img_height": 16, "img_width": 16, "channels": (8, 8, 8)}
    G, D = stylegan1.GeneratorConfig(**sizes), stylegan1.DiscriminatorConfig(**sizes)
    images = open_image_set(dataset, DataConfig(labels="none"))
    options = TrainOptions(channel_max=4, change_widths=True)
    with pytest.raises(InputError, match="those of StyleGAN v1 cannot be changed"):
        networks_from(OpenedCheckpoint(G, D, {}, {}), images, options)


def test_operated_networks_are_taken_over(make_config, source: OpenedCheckpoint) -> None:
    config = make_config(c_dim=0, seed=6)
    larger = {"img_height": 32, "img_width": 32, "channels": (8, 8, 8, 8)}
    config = config.replace(
        generator=config.generator.replace(**larger), discriminator=config.discriminator.replace(**larger)
    )
    state = new_state(config, CPU)
    new = {name: tensor.clone() for name, tensor in state.G.state_dict().items()}
    line, report = take_over(state, source)
    assert line.startswith("G from G, G_ema from G_ema, D from D; ")
    G = state.G.state_dict()
    for name in ("synthesis.b16.conv1.weight", "mapping.fc1.weight"):
        assert torch.equal(G[name], source.tensors["G"][name])
    name = "synthesis.b32.conv0.weight"
    assert torch.equal(G[name], new[name])
    assert torch.equal(G[name], state.G_ema.state_dict()[name])
    kept = with_surgery(config.replace(source=SourceConfig(path="x", sha256="y")), report).source
    assert kept is not None
    assert kept.facts["surgery"] == report.to_dict()
    assert RunConfig.from_dict(json.loads(json.dumps(config.replace(source=kept).to_dict()))).source == kept
    assert any("reinitialised, new block" in text for text in report.lines())


def test_plain_copy_leaves_no_trace_in_the_settings(state: TrainState, source: OpenedCheckpoint) -> None:
    _, report = take_over(state, source)
    assert report.lines() == []
    config = state.config.replace(source=SourceConfig(path="x", sha256="y"))
    assert with_surgery(config, report) == config


def test_what_the_file_held_besides_is_named(state: TrainState, source: OpenedCheckpoint) -> None:
    report = {"left_over": ["D.a", "D.b", "D.c", "D.d"], "missing": ["G_ema.mapping.w_avg"]}
    line, _ = take_over(state, replace(source, info={"load_report": report}))
    assert line.endswith("4 left over (D.a, D.b, D.c, ...), 1 missing (G_ema.mapping.w_avg)")


def test_source_config_keeps_origin_and_licence(source: OpenedCheckpoint) -> None:
    info = {"format": "nvidia-pytorch", "path": "/home/me/x.pkl", "sha256": "ab", "licence": "non-commercial"}
    config = source_config(replace(source, info=info))
    origin = {"format": "nvidia-pytorch", "file": "x.pkl", "sha256": "ab"}
    assert config.facts == {"source": origin, "licence": "non-commercial"}
