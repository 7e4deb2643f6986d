"""Official TensorFlow pickles, loaded by the public door, against what the original code computes with them.

Errors are relative to the largest absolute value of the reference; of logits, to that of all logits in the
file, for a single one may be next to zero. Both sides compute in float32 but sum in another order: that gives
up to 1e-6 here, so 1e-5 leaves room for other machines and finds every real difference.
"""

from __future__ import annotations

from functools import cache
from pathlib import Path

import numpy as np
import pytest
import torch

import stylegraft
from stylegraft.checkpoints.foreign import read_foreign
from stylegraft.networks.making import make_generator

REFERENCE = Path(__file__).parents[1] / "reference" / "nvidia_tensorflow"
FILES = ["sg1_uncond_r32", "sg1_uncond_r128_fusedauto", "sg2tf_uncond_skip_r32", "sg2tf_cond_resnet_r64"]
STYLEGAN2 = [name for name in FILES if name.startswith("sg2")]
TOLERANCE = 1e-5

read = cache(lambda name: read_foreign(REFERENCE / f"{name}.pkl"))
load = cache(lambda name: stylegraft.load(REFERENCE / f"{name}.pkl", device="cpu"))


@cache
def arrays(name: str) -> dict[str, torch.Tensor]:
    with np.load(REFERENCE / f"{name}.npz") as file:
        return {key: torch.from_numpy(file[key]) for key in file.files}


def labels(name: str, count: int) -> torch.Tensor | None:
    c = arrays(name)["c"]
    return c[:count] if c.shape[1] else None


def assert_close(got: torch.Tensor, want: torch.Tensor, scale: torch.Tensor | None = None) -> None:
    assert got.shape == want.shape
    error = (got - want).abs().max() / (want if scale is None else scale).abs().max()
    assert error <= TOLERANCE, f"relative error {error:.2e}"


@pytest.mark.parametrize("name", FILES)
def test_nothing_is_left_over_or_missing(name: str) -> None:
    report = read(name).report
    assert not report.left_over
    assert not report.missing
    assert len(report.copied) > 50
    assert len(report.reshaped) > 50


@pytest.mark.parametrize("name", STYLEGAN2)
def test_mapping_gives_the_same_w(name: str) -> None:
    z = arrays(name)["z"]
    assert_close(load(name).generator.mapping(z, labels(name, len(z))), arrays(name)["w"])


@pytest.mark.parametrize("name", STYLEGAN2)
@pytest.mark.parametrize(("key", "psi", "cutoff"), [("img_psi0.7_cut3", 0.7, 3), ("img_psi0.5_cut4", 0.5, 4)])
def test_truncated_images_are_the_same(name: str, key: str, psi: float, cutoff: int) -> None:
    G = load(name).generator
    ws = G.mapping(arrays(name)["z"][:2], labels(name, 2), psi, cutoff)
    assert_close(G.synthesis(ws), arrays(name)[key])


@pytest.mark.parametrize("name", STYLEGAN2)
def test_truncation_of_the_file_gives_its_default_images(name: str) -> None:
    model = load(name)
    psi, cutoff = model.info["truncation_psi"], model.info.get("truncation_cutoff")
    ws = model.generator.mapping(arrays(name)["z"][:2], labels(name, 2), psi, cutoff)
    assert_close(model.generator.synthesis(ws), arrays(name)["img_default_trunc"])


@pytest.mark.parametrize("name", STYLEGAN2)
def test_images_are_the_same(name: str) -> None:
    assert_close(load(name).generator.synthesis(arrays(name)["w"]), arrays(name)["img_const"])


@pytest.mark.parametrize("name", STYLEGAN2)
def test_another_w_at_each_layer_reaches_the_same_layers(name: str) -> None:
    img = load(name).generator.synthesis(arrays(name)["ws_random"])
    assert_close(img, arrays(name)["img_ws_random"])


@pytest.mark.parametrize("name", STYLEGAN2)
def test_averaged_generator_is_not_the_trained_one(name: str) -> None:
    G = make_generator(read(name).generator_config)
    G.load_state_dict(read(name).tensors["G"])
    with torch.no_grad():
        img = G.synthesis(G.mapping(arrays(name)["z"][:2], labels(name, 2)))
    assert_close(img, arrays(name)["img_G_raw"])


@pytest.mark.parametrize("num_images", [1, 2, 4, 8])
@pytest.mark.parametrize("name", STYLEGAN2)
def test_logits_are_the_same_for_each_minibatch_grouping(name: str, num_images: int) -> None:
    D = load(name).discriminator
    assert D is not None
    logits = D(arrays(name)["img_const"][:num_images], labels(name, num_images))
    assert_close(logits, arrays(name)[f"logits{num_images}"], scale=arrays(name)["logits8"])


def test_info_says_what_the_original_does_by_default() -> None:
    assert (
        load("sg1_uncond_r32").info["truncation_psi"],
        load("sg1_uncond_r32").info["truncation_cutoff"],
    ) == (
        0.7,
        8,
    )
    assert load("sg2tf_uncond_skip_r32").info["truncation_psi"] == 0.5
    assert load("sg2tf_uncond_skip_r32").info["format"] == "nvidia-tensorflow"
