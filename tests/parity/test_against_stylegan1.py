"""StyleGAN v1, loaded from official TensorFlow pickles, against what the original code computes with them.

Errors are relative to the largest absolute value of the reference. Both sides compute in float32 but sum in
another order. Against double precision the original is off by up to 3.4e-6 and we are by 4.5e-6 in the 128 px
network, so 1e-5 leaves room for other machines and finds every real difference. A single logit can be next to
zero, so logits are compared relative to the largest of the file.
"""

from __future__ import annotations

from collections.abc import Callable
from functools import cache
from pathlib import Path

import numpy as np
import pytest
import torch

import stylegraft
from stylegraft.checkpoints.foreign import read_foreign
from stylegraft.networks.making import make_generator
from stylegraft.networks.stylegan1.discriminator import Discriminator
from stylegraft.networks.stylegan1.generator import Generator

REFERENCE = Path(__file__).parents[1] / "reference" / "nvidia_tensorflow"
SMALL, FUSED = "sg1_uncond_r32", "sg1_uncond_r128_fusedauto"
TOLERANCE = 1e-5


@cache
def networks(name: str) -> tuple[Generator, Discriminator]:
    model = stylegraft.load(REFERENCE / f"{name}.pkl", device="cpu")
    assert isinstance(model.generator, Generator)
    assert isinstance(model.discriminator, Discriminator)
    return model.generator, model.discriminator


@cache
def arrays(name: str) -> dict[str, torch.Tensor]:
    with np.load(REFERENCE / f"{name}.npz") as file:
        return {key: torch.from_numpy(file[key]) for key in file.files}


def relative_error(got: torch.Tensor, want: torch.Tensor, scale: torch.Tensor | None = None) -> float:
    assert got.shape == want.shape
    return float((got - want).abs().max() / (want if scale is None else scale).abs().max())


def images(name: str, count: int, psi: float = 1.0, cutoff: int | None = None) -> torch.Tensor:
    generator, _ = networks(name)
    with torch.no_grad():
        return generator.synthesis(generator.mapping(arrays(name)["z"][:count], None, psi, cutoff))


@pytest.mark.parametrize("name", [SMALL, FUSED])
def test_mapping_gives_the_same_w(name: str) -> None:
    generator, _ = networks(name)
    w = arrays(name)["w"]
    ws = generator.mapping(arrays(name)["z"])
    assert relative_error(ws, w[:, None].expand(-1, generator.num_ws, -1)) < 1e-6


@pytest.mark.parametrize("name", [SMALL, FUSED])
def test_images_are_the_same(name: str) -> None:
    want = arrays(name)["img_const"]
    assert relative_error(images(name, len(want)), want) < TOLERANCE


@pytest.mark.parametrize(
    ("name", "key", "psi", "cutoff"),
    [
        (SMALL, "img_default_trunc", 0.7, 8),
        (SMALL, "img_psi0.7_cut3", 0.7, 3),
        (SMALL, "img_psi0.5_cut4", 0.5, 4),
        (FUSED, "img_psi0.7_cut3", 0.7, 3),
    ],
)
def test_truncated_images_are_the_same(name: str, key: str, psi: float, cutoff: int) -> None:
    want = arrays(name)[key]
    assert relative_error(images(name, len(want), psi=psi, cutoff=cutoff), want) < TOLERANCE


def test_images_without_noise_and_with_mixed_styles_are_the_same() -> None:
    (generator, _), expected = networks(SMALL), arrays(SMALL)
    plain = generator.synthesis(generator.mapping(expected["z"][:2]), "none")
    assert relative_error(plain, expected["img_nonoise"]) < TOLERANCE
    assert relative_error(generator.synthesis(expected["ws_random"]), expected["img_ws_random"]) < TOLERANCE


def test_averaged_generator_is_not_the_trained_one() -> None:
    checkpoint = read_foreign(REFERENCE / f"{SMALL}.pkl")
    generator = make_generator(checkpoint.generator_config)
    generator.load_state_dict(checkpoint.tensors["G"])
    with torch.no_grad():
        img = generator.synthesis(generator.mapping(arrays(SMALL)["z"][:2]))
    assert relative_error(img, arrays(SMALL)["img_G_raw"]) < TOLERANCE


@pytest.mark.parametrize("lod", ["0.5", "1.0", "1.5"])
def test_growing_networks_are_the_same(lod: str) -> None:
    (generator, discriminator), expected = networks(SMALL), arrays(SMALL)
    want = expected[f"img_lod{lod}"]
    ws = generator.mapping(expected["z"][: len(want)])
    assert relative_error(generator.synthesis(ws, lod=float(lod)), want) < TOLERANCE
    logits = discriminator(want, lod=float(lod))
    assert relative_error(logits, expected[f"logits_lod{lod}"], expected["logits8"]) < TOLERANCE


@pytest.mark.parametrize(("name", "num_images"), [(SMALL, 1), (SMALL, 2), (SMALL, 4), (SMALL, 8), (FUSED, 1)])
def test_logits_are_the_same_for_each_minibatch_grouping(name: str, num_images: int) -> None:
    (_, discriminator), expected = networks(name), arrays(name)
    logits = discriminator(expected["img_const"][:num_images])
    scale = torch.cat([value for key, value in expected.items() if key.startswith("logits")])
    assert relative_error(logits, expected[f"logits{num_images}"], scale) < TOLERANCE


@pytest.mark.parametrize("name", [SMALL, FUSED])
def test_outputs_of_each_generator_layer_are_the_same(name: str) -> None:
    generator, _ = networks(name)
    z = arrays(name)["z"][:1]
    outputs = layer_outputs(
        generator.synthesis, generator_layers(generator), lambda: generator.synthesis(generator.mapping(z))
    )
    assert compare_layers(outputs, name, "layer") >= 4


@pytest.mark.parametrize("name", [SMALL, FUSED])
def test_outputs_of_each_discriminator_layer_are_the_same(name: str) -> None:
    """In the small file the first four images were judged; of the other the first only is here."""
    _, discriminator = networks(name)
    img = arrays(name)["img_const"][:4]
    layers = discriminator_layers(discriminator)
    if name == FUSED:
        del layers["4x4/Conv"]  # it follows the minibatch statistics, which took three images
    outputs = layer_outputs(discriminator, layers, lambda: discriminator(img))
    assert compare_layers(outputs, name, "Dlayer") >= 2


def layer_outputs(
    network: torch.nn.Module, layers: dict[str, str], run: Callable[[], object]
) -> dict[str, torch.Tensor]:
    """Outputs of modules, first sample only, by their names in the reference."""
    got: dict[str, torch.Tensor] = {}

    def keep(key: str, output: torch.Tensor) -> None:
        got[key] = output[:1]

    hooks = [
        network.get_submodule(path).register_forward_hook(lambda *call, key=key: keep(key, call[2]))
        for key, path in layers.items()
    ]
    with torch.no_grad():
        run()
    for hook in hooks:
        hook.remove()
    assert got.keys() == layers.keys()
    return got


def compare_layers(outputs: dict[str, torch.Tensor], name: str, prefix: str) -> int:
    """Compares mean, deviation, first and last value, and outputs in full where the file has them.

    Returns how many were compared in full.
    """
    expected, count = arrays(name), 0
    for layer, output in outputs.items():
        if f"{prefix}full/{layer}" in expected:
            assert relative_error(output, expected[f"{prefix}full/{layer}"]) < TOLERANCE, layer
            count += 1
        x = output.double().contiguous().flatten()
        statistics = torch.stack([x.mean(), x.std(correction=0), x[0], x[-1]])
        error = (statistics - expected[f"{prefix}stat/{layer}"]).abs().max() / x.abs().max()
        assert error < TOLERANCE, layer
    return count


def generator_layers(generator: Generator) -> dict[str, str]:
    """Names in the reference -> our modules, of the layers that are in use at lod 0."""
    config = generator.config
    names = {
        "4x4/Const": "b4.layer0",
        "4x4/Conv": "b4.layer1",
        "ToRGB_lod0": f"{config.block_names[-1]}.torgb",
    }
    for block in config.block_names[1:]:
        px = block[1:]
        names |= {f"{px}x{px}/Conv0_up": f"{block}.layer0", f"{px}x{px}/Conv1": f"{block}.layer1"}
    return names


def discriminator_layers(discriminator: Discriminator) -> dict[str, str]:
    blocks = discriminator.config.block_names
    names = {"FromRGB_lod0": f"{blocks[-1]}.fromrgb", "4x4/Conv": "b4.conv"}
    for block in blocks[1:]:
        px = block[1:]
        names |= {f"{px}x{px}/Conv0": f"{block}.conv0", f"{px}x{px}/Conv1_down": f"{block}.conv1"}
    return names
