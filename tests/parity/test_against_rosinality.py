"""StyleGAN2 networks loaded from rosinality's files, against what its code computes with them.

Errors are relative to the largest absolute value of the reference. Both sides compute in float32 but sum in
another order: that gives up to 1e-6 here, so 1e-5 leaves room for other machines and finds every difference.
"""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
import torch

import stylegraft
from stylegraft.model import Model

REFERENCE = Path(__file__).parents[1] / "reference" / "rosinality"
FILES = ("rosinality_r32_convert", "rosinality_r32_train")
TOLERANCE = 1e-5


@pytest.fixture(scope="module")
def arrays() -> dict[str, torch.Tensor]:
    with np.load(REFERENCE / "rosinality_r32.npz") as file:
        return {key: torch.from_numpy(file[key]) for key in file.files}


@pytest.fixture(scope="module", params=FILES)
def model(request: pytest.FixtureRequest) -> Model:
    return stylegraft.load(REFERENCE / f"{request.param}.pt", device="cpu")


def assert_close(got: torch.Tensor, want: torch.Tensor) -> None:
    assert got.shape == want.shape
    error = (got - want).abs().max() / want.abs().max()
    assert error <= TOLERANCE, f"relative error {error:.2e}"


def test_mapping_gives_the_same_w(model: Model, arrays: dict[str, torch.Tensor]) -> None:
    ws = model.generator.mapping(arrays["z"])
    assert_close(ws[:, 0], arrays["w"])
    assert_close(ws, arrays["ws"])


def test_images_are_the_same(model: Model, arrays: dict[str, torch.Tensor]) -> None:
    ws = model.generator.mapping(arrays["z"])
    assert_close(model.generator.synthesis(ws), arrays["img_const"])
    assert_close(model.generator.synthesis(ws[:2], noise_mode="none"), arrays["img_none"])


def test_each_layer_takes_the_same_w(model: Model, arrays: dict[str, torch.Tensor]) -> None:
    assert_close(model.generator.synthesis(arrays["ws_random"]), arrays["img_ws_random"])
    ws = model.generator.mapping(arrays["z"][:2])
    mixed = torch.cat([ws[:1, :3], ws[1:, 3:]], dim=1)
    assert_close(model.generator.synthesis(mixed), arrays["img_mix3"])


def test_truncation_moves_towards_the_stored_average(arrays: dict[str, torch.Tensor]) -> None:
    model = stylegraft.load(REFERENCE / f"{FILES[0]}.pt", device="cpu")
    assert torch.equal(model.generator.mapping.w_avg, arrays["latent_avg"])
    assert_close(model.generator(arrays["z"], psi=0.7), arrays["img_const_trunc0.7"])


@pytest.mark.parametrize("num_images", [1, 2, 4, 8])
def test_logits_are_the_same_for_each_minibatch_grouping(
    model: Model, arrays: dict[str, torch.Tensor], num_images: int
) -> None:
    assert model.discriminator is not None
    logits = model.discriminator(arrays["img_const"][:num_images], None)
    assert_close(logits, arrays[f"logits{num_images}"])
