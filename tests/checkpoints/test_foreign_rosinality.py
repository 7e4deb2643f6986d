"""rosinality's files of other sizes than the reference, written by hand, and what is wrong with some."""

from __future__ import annotations

import argparse
import json
import zipfile
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
import torch
from rosinality_writer import converted, discriminator_state, generator_state

import stylegraft
from stylegraft.checkpoints.foreign import ForeignCheckpoint, read_foreign
from stylegraft.checkpoints.foreign.rosinality_layout import stock_discriminator, stock_generator
from stylegraft.checkpoints.opening import open_checkpoint
from stylegraft.errors import CheckpointError
from stylegraft.networks.config import MappingConfig

REFERENCE = Path(__file__).parents[1] / "reference" / "rosinality"
SMALL = (5, 4, 3)
TAPS = (1.0, 3.0, 3.0, 1.0)


def save(path: Path, root: object, legacy: bool = False) -> Path:
    torch.save(root, path, _use_new_zipfile_serialization=not legacy)
    return path


def read(tmp_path: Path, root: object, legacy: bool = False) -> ForeignCheckpoint:
    return read_foreign(save(tmp_path / "x.pt", root, legacy))


def training_file(**changes: Any) -> dict[str, Any]:
    root = converted(SMALL)
    del root["latent_avg"]
    network = torch.nn.Linear(2, 2)
    optimiser = torch.optim.Adam(network.parameters())
    network(torch.ones(1, 2)).sum().backward()
    optimiser.step()
    args = argparse.Namespace(size=16, channel_multiplier=2, n_mlp=2, latent=6, path="x", augment=True)
    root |= {"g_optim": optimiser.state_dict(), "d_optim": optimiser.state_dict(), "args": args}
    return root | {"ada_aug_p": 0.25} | changes


def test_hand_written_names_are_those_of_the_original() -> None:
    expected = json.loads((REFERENCE / "rosinality_r32.json").read_text())
    channels = (32, 32, 32, 32)
    states = {
        "g_ema": generator_state(channels, style_dim=expected["style_dim"], n_mlp=expected["n_mlp"]),
        "d": discriminator_state(channels),
    }
    for name, state in states.items():
        assert {key: list(tensor.shape) for key, tensor in state.items()} == expected[name]


@pytest.mark.parametrize("legacy", [False, True], ids=["zip", "legacy"])
@pytest.mark.parametrize(
    ("channels", "style_dim", "n_mlp", "img_channels"),
    [((4, 3), 6, 1, 3), (SMALL, 6, 2, 3), ((8, 8, 7, 6, 5), 12, 8, 3), ((4, 4, 2), 5, 3, 1)],
)
def test_other_sizes_are_inferred_from_the_tensors(
    tmp_path: Path, channels: tuple[int, ...], style_dim: int, n_mlp: int, img_channels: int, legacy: bool
) -> None:
    root = converted(channels, style_dim=style_dim, n_mlp=n_mlp, img_channels=img_channels)
    checkpoint = read(tmp_path, root, legacy)
    assert checkpoint.format == "rosinality"
    assert checkpoint.generator_config == stock_generator(channels, style_dim, n_mlp, TAPS, img_channels)
    assert checkpoint.discriminator_config == stock_discriminator(channels, TAPS, img_channels)
    assert not checkpoint.report.missing
    assert not checkpoint.report.left_over
    model = stylegraft.load(tmp_path / "x.pt", device="cpu")
    side = 4 << (len(channels) - 1)
    assert model.sample([1, 2]).shape == (2, side, side, img_channels)


def test_each_tensor_arrives_where_its_name_says(tmp_path: Path) -> None:
    root = converted(SMALL)
    tensors = read(tmp_path, root).tensors
    pairs = {
        "style.2.weight": "mapping.fc1.weight",
        "input.input": "synthesis.b4.const",
        "conv1.noise.weight": "synthesis.b4.conv1.noise_strength",
        "convs.1.conv.weight": "synthesis.b8.conv1.weight",
        "convs.2.conv.modulation.bias": "synthesis.b16.conv0.affine.bias",
        "convs.3.activate.bias": "synthesis.b16.conv1.bias",
        "to_rgb1.conv.weight": "synthesis.b4.torgb.weight",
        "to_rgbs.1.bias": "synthesis.b16.torgb.bias",
        "noises.noise_0": "synthesis.b4.conv1.noise_const",
        "noises.noise_3": "synthesis.b16.conv0.noise_const",
        "noises.noise_4": "synthesis.b16.conv1.noise_const",
    }
    for theirs, ours in pairs.items():
        for key, name in (("g_ema", "G_ema"), ("g", "G")):
            assert torch.equal(tensors[name][ours].flatten(), root[key][theirs].flatten()), theirs
    pairs = {
        "convs.0.0.weight": "b16.fromrgb.weight",
        "convs.1.conv2.1.weight": "b16.conv1.weight",
        "convs.2.conv1.0.weight": "b8.conv0.weight",
        "convs.2.skip.1.weight": "b8.skip.weight",
        "final_conv.0.weight": "b4.conv.weight",
        "final_linear.1.weight": "b4.out.weight",
    }
    for theirs, ours in pairs.items():
        assert torch.equal(tensors["D"][ours], root["d"][theirs]), theirs
    assert torch.equal(tensors["G_ema"]["mapping.w_avg"], root["latent_avg"])


@pytest.mark.parametrize("legacy", [False, True], ids=["zip", "legacy"])
def test_training_file_gives_networks_settings_and_names_what_it_leaves(tmp_path: Path, legacy: bool) -> None:
    checkpoint = read(tmp_path, training_file(), legacy)
    assert checkpoint.tensors.keys() == {"G", "G_ema", "D"}
    assert checkpoint.report.left_over == ["g_optim", "d_optim"]
    assert checkpoint.report.missing == ["latent_avg"]
    assert checkpoint.extras["augment"] == {"p": 0.25}
    info = open_checkpoint(tmp_path / "x.pt").info
    assert info["saved_with"]["args"] == {
        "size": 16,
        "channel_multiplier": 2,
        "n_mlp": 2,
        "latent": 6,
        "path": "x",
        "augment": True,
    }
    assert info["saved_with"]["ada_aug_p"] == 0.25
    assert "w_avg is not in the file" in info["notes"][0]


def test_missing_average_is_the_mean_of_many_w(tmp_path: Path) -> None:
    checkpoint = read(tmp_path, training_file())
    model = stylegraft.load(tmp_path / "x.pt", device="cpu")
    torch.manual_seed(5)
    w = model.generator.mapping(torch.randn(20_000, 6))[:, 0]
    # Two means of 4,096 and 20,000 draws differ by about 0.02 standard deviations.
    assert ((model.generator.mapping.w_avg - w.mean(dim=0)).abs() < 0.1 * w.std(dim=0)).all()
    assert torch.equal(checkpoint.tensors["G"]["mapping.w_avg"], model.generator.mapping.w_avg)


def test_bare_state_dict_of_a_generator_is_read(tmp_path: Path) -> None:
    state = generator_state(SMALL)
    checkpoint = read(tmp_path, state)
    assert checkpoint.tensors.keys() == {"G_ema"}
    assert checkpoint.discriminator_config is None
    assert torch.equal(checkpoint.tensors["G_ema"]["synthesis.b4.const"], state["input.input"][0])


def test_generator_without_average_network_is_read(tmp_path: Path) -> None:
    root = converted(SMALL)
    del root["g_ema"]
    assert read(tmp_path, root).tensors.keys() == {"G", "D"}


def test_average_of_shape_one_row_is_read(tmp_path: Path) -> None:
    root = converted(SMALL) | {"latent_avg": torch.arange(6.0)[None]}
    assert torch.equal(read(tmp_path, root).tensors["G_ema"]["mapping.w_avg"], torch.arange(6.0))


def test_file_without_stored_noise_gets_the_same_noise_each_time(tmp_path: Path) -> None:
    root = converted(SMALL)
    root["g_ema"] = {key: value for key, value in root["g_ema"].items() if not key.startswith("noises.")}
    first, second = (read(tmp_path, root) for _ in range(2))
    noise = first.tensors["G_ema"]["synthesis.b16.conv1.noise_const"]
    assert noise.shape == (16, 16)
    assert 0.5 < noise.std() < 2
    assert torch.equal(noise, second.tensors["G_ema"]["synthesis.b16.conv1.noise_const"])
    assert len(first.report.missing) == 5
    assert "no stored noise" in first.info["notes"][0]


def test_half_precision_file_is_read_as_float32(tmp_path: Path) -> None:
    root = converted(SMALL)
    root["g_ema"] = {key: value.to(torch.bfloat16) for key, value in root["g_ema"].items()}
    tensors = read(tmp_path, root).tensors["G_ema"]
    assert all(tensor.dtype == torch.float32 for tensor in tensors.values())
    assert torch.equal(tensors["mapping.fc0.weight"], root["g_ema"]["style.1.weight"].float())


def test_other_filter_is_taken_from_the_file(tmp_path: Path) -> None:
    taps = torch.tensor([1.0, 2.0, 5.0, 3.0]) / 11
    root = converted(SMALL)
    for name, gain in (("g_ema", 4), ("g", 4), ("d", 1)):
        for key in root[name]:
            if key.endswith("kernel"):
                root[name][key] = torch.outer(taps, taps) * gain
    checkpoint = read(tmp_path, root)
    assert checkpoint.generator_config.resample_filter == (1.0, 2.0, 5.0, 3.0)
    assert checkpoint.discriminator_config is not None
    assert checkpoint.discriminator_config.resample_filter == (1.0, 2.0, 5.0, 3.0)


def drop(network: str, key: str) -> Callable[[dict[str, Any]], None]:
    return lambda root: root[network].pop(key)


def put(network: str, key: str, value: object) -> Callable[[dict[str, Any]], None]:
    return lambda root: root[network].__setitem__(key, value)


WRONG: dict[str, tuple[Callable[[dict[str, Any]], None], str]] = {
    "tensor_missing": (
        drop("g_ema", "convs.1.noise.weight"),
        "G_ema to be .* got convs.1.noise.weight missing",
    ),
    "tensor_left_over": (put("g_ema", "convs.0.extra", torch.ones(1)), "convs.0.extra left over"),
    "one_noise_missing": (drop("g", "noises.noise_2"), "G to be .* got noises.noise_2 missing"),
    "wrong_shape": (
        put("g_ema", "input.input", torch.ones(1, 5, 8, 8)),
        r"input.input of shape \[1, 5, 8, 8\] where \[1, 5, 4, 4\] belongs",
    ),
    "gap_in_the_layers": (
        lambda root: (root.pop("g"), root["g_ema"].pop("style.1.weight")),
        "style.1.bias left over",
    ),
    "discriminator_of_4_px": (
        lambda root: root.update(g_ema=generator_state((4,)), g=None, d=discriminator_state((4,))),
        "D to be .* got a single resolution",
    ),
    "another_filter": (
        put("g_ema", "to_rgbs.1.upsample.kernel", torch.ones(4, 4) / 4),
        "to_rgbs.1.upsample.kernel unlike the filters",
    ),
    "no_filter": (put("d", "convs.1.conv2.0.kernel", torch.eye(4)), "D to be .* no outer product of taps"),
    "huge_filter": (put("d", "convs.1.conv2.0.kernel", torch.ones(64, 64)), "a huge convs.1.conv2.0.kernel"),
    "smaller_discriminator": (
        lambda root: root.update(d=discriminator_state((5, 4))),
        "D to be .* got 2 resolutions where G has 3",
    ),
    "average_of_another_size": (lambda root: root.update(latent_avg=torch.ones(7)), "latent_avg that is no"),
    "average_as_a_list": (lambda root: root.update(latent_avg=[1.0] * 6), "latent_avg that is no"),
    "different_generators": (
        lambda root: root.update(g=generator_state((5, 4))),
        "g and g_ema of different architectures",
    ),
    "number_among_tensors": (put("g_ema", "step", 3), "got step, which is no tensor"),
    "no_feature_maps": (put("g_ema", "conv1.activate.bias", torch.ones(0)), "values that make no network"),
    "scalar_where_a_row_belongs": (
        put("g_ema", "conv1.activate.bias", torch.ones(())),
        "no tensor conv1.act",
    ),
    "many_tensors": (lambda root: root["d"].update({str(i): torch.ones(1) for i in range(2100)}), "tensors"),
}


@pytest.mark.parametrize("name", WRONG)
def test_network_of_changed_code_is_refused(tmp_path: Path, name: str) -> None:
    change, says = WRONG[name]
    root = converted(SMALL)
    change(root)
    with pytest.raises(CheckpointError, match=says) as caught:
        read(tmp_path, root)
    assert "\n" not in str(caught.value)
    assert str(tmp_path) in str(caught.value)


def test_storages_of_the_optimiser_are_not_read(tmp_path: Path) -> None:
    """Their members may even be damaged; the checksum of one that is used is noticed."""
    path = save(tmp_path / "x.pt", training_file(g_optim={"state": {0: torch.full((1000,), 7.0)}}))
    data = path.read_bytes()
    marker = torch.full((4,), 7.0).numpy().tobytes()
    assert marker in data
    path.write_bytes(data.replace(marker, bytes(16), 1))
    read_foreign(path)
    used = data.index(converted(SMALL)["g_ema"]["input.input"].numpy().tobytes())
    path.write_bytes(data[:used] + b"\xff" + data[used + 1 :])
    with pytest.raises(CheckpointError, match="another checksum"):
        read_foreign(path)


def test_file_packed_anew_is_read(tmp_path: Path) -> None:
    """By a program that deflates, and writes the members in another order."""
    path = save(tmp_path / "x.pt", converted(SMALL))
    expected = read_foreign(path)
    again = tmp_path / "again.pt"
    with zipfile.ZipFile(path) as old, zipfile.ZipFile(again, "w", zipfile.ZIP_DEFLATED) as new:
        for name in reversed(old.namelist()):
            new.writestr(name, old.read(name))
    got = read_foreign(again)
    assert got.generator_config == expected.generator_config
    for name, tensors in expected.tensors.items():
        assert all(torch.equal(got.tensors[name][key], value) for key, value in tensors.items())


def test_mapping_settings_are_those_the_code_fixes() -> None:
    mapping = stock_generator(SMALL, 6, 2, TAPS).mapping
    assert mapping == MappingConfig(z_dim=6, w_dim=6, num_layers=2, lr_multiplier=0.01)
