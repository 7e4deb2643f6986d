"""The StyleGAN2 networks, loaded from official pickles, against what the original code computes with them.

Errors are relative to the largest absolute value of the reference. Both sides compute in float32 but sum in
another order: that gives up to 1e-6 here after eight blocks of layers, so 1e-5 leaves room for other machines
and finds every real difference. Gradients pass through twice as many operations and partly cancel: 2e-4.
"""

from __future__ import annotations

import json
import zlib
from dataclasses import dataclass
from functools import cache
from pathlib import Path

import numpy as np
import pytest
import torch

from stylegraft.checkpoints.foreign import ForeignCheckpoint, read_foreign
from stylegraft.networks.stylegan2 import Discriminator, Generator

REFERENCE = Path(__file__).parents[1] / "reference" / "nvidia_pytorch"
FILES = {
    "sg2ada_uncond_skip_r32": "sg2ada_uncond_skip_r32",
    "sg2ada_cond_resnet_clamp_r32": "sg2ada_cond_resnet_clamp_r32",
    "sg2ada_uncond_skip_r32_torch1.13_proto3": "sg2ada_uncond_skip_r32",
    "sg3repo_sg2_uncond_skip_r32": "sg3repo_sg2_uncond_skip_r32",
}
OUTPUT_TOLERANCE = 1e-5
GRADIENT_TOLERANCE = 2e-4


@dataclass
class Case:
    checkpoint: ForeignCheckpoint
    arrays: dict[str, torch.Tensor]
    generator: Generator
    discriminator: Discriminator

    @property
    def labels(self) -> torch.Tensor | None:
        return self.arrays["c"] if self.arrays["c"].shape[1] else None


@cache
def load_case(name: str) -> Case:
    checkpoint = read_foreign(REFERENCE / f"{name}.pkl")
    with np.load(REFERENCE / f"{FILES[name]}.npz") as file:
        arrays = {key: torch.from_numpy(file[key]) for key in file.files}
    generator = Generator(checkpoint.generator_config)
    generator.load_state_dict(checkpoint.tensors["G_ema"])
    assert checkpoint.discriminator_config is not None
    discriminator = Discriminator(checkpoint.discriminator_config)
    discriminator.load_state_dict(checkpoint.tensors["D"])
    return Case(checkpoint, arrays, generator.requires_grad_(False), discriminator.requires_grad_(False))


@pytest.fixture(params=FILES)
def case(request: pytest.FixtureRequest) -> Case:
    return load_case(request.param)


def assert_close(got: torch.Tensor, want: torch.Tensor, tolerance: float = OUTPUT_TOLERANCE) -> None:
    assert got.shape == want.shape
    error = (got - want).abs().max() / want.abs().max()
    assert error <= tolerance, f"relative error {error:.2e}"


@pytest.mark.parametrize("network", ["G", "D", "G_ema"])
@pytest.mark.parametrize("name", FILES)
def test_every_tensor_has_the_bytes_of_the_original(name: str, network: str) -> None:
    checkpoint = load_case(name).checkpoint
    expected = json.loads((REFERENCE / f"{FILES[name]}.json").read_text())[network]
    filters = {tensor for tensor in expected if tensor.endswith("resample_filter")}
    assert checkpoint.tensors[network].keys() == expected.keys() - filters
    assert filters == {
        name.removeprefix(f"{network}.")
        for name in checkpoint.report.verified
        if name.startswith(f"{network}.")
    }
    for tensor, value in checkpoint.tensors[network].items():
        array = value.numpy()
        facts = expected[tensor]
        assert list(array.shape) == facts["shape"], tensor
        assert array.dtype == np.float32, tensor
        assert f"{zlib.crc32(array.tobytes()):08x}" == facts["crc32"], tensor
        assert array.sum(dtype=np.float64) == pytest.approx(facts["sum"], rel=1e-9, abs=1e-9), tensor


def test_mapping_gives_the_same_w(case: Case) -> None:
    ws = case.generator.mapping(case.arrays["z"], case.labels)
    assert_close(ws, case.arrays["w"])


def test_truncation_gives_the_same_w(case: Case) -> None:
    z, c = case.arrays["z"], case.labels
    assert_close(case.generator.mapping(z, c, psi=0.7), case.arrays["w_psi0.7"])
    assert_close(case.generator.mapping(z, c, psi=0.5, cutoff=3), case.arrays["w_psi0.5_cut3"])


def test_styles_of_each_layer_are_the_same(case: Case) -> None:
    names = [key.removeprefix("style/") for key in case.arrays if key.startswith("style/")]
    got: dict[str, torch.Tensor] = {}
    hooks = [
        case.generator.synthesis.get_submodule(name).register_forward_hook(
            lambda module, inputs, output, name=name: got.__setitem__(name, output)
        )
        for name in names
    ]
    case.generator.synthesis(case.arrays["w"])
    for hook in hooks:
        hook.remove()
    assert len(names) >= 8
    for name in names:
        assert_close(got[name], case.arrays[f"style/{name}"])


def test_outputs_of_each_block_are_the_same(case: Case) -> None:
    keys = [key for key in case.arrays if key.startswith("blockout/")]
    got: dict[str, tuple[torch.Tensor, ...]] = {}
    hooks = [
        case.generator.synthesis.get_submodule(name).register_forward_hook(
            lambda module, inputs, output, name=name: got.__setitem__(name, output)
        )
        for name in {key.split("/")[1] for key in keys}
    ]
    case.generator.synthesis(case.arrays["w"][:1])
    for hook in hooks:
        hook.remove()
    assert len(keys) >= 4
    for key in keys:
        _, block, index = key.split("/")
        assert_close(got[block][int(index)], case.arrays[key])


@pytest.mark.parametrize("noise_mode", ["const", "none"])
def test_images_are_the_same(case: Case, noise_mode: str) -> None:
    img = case.generator.synthesis(case.arrays["w"], noise_mode=noise_mode)
    assert_close(img, case.arrays[f"img_{noise_mode}"])


def test_random_noise_differs_from_the_stored_by_as_much_as_the_stored_from_none(case: Case) -> None:
    torch.manual_seed(0)
    random = case.generator.synthesis(case.arrays["w"], noise_mode="random")
    const, none = case.arrays["img_const"], case.arrays["img_none"]
    ratio = (random - none).square().mean() / (const - none).square().mean()
    assert 0.5 < ratio < 2  # a mean over 24,576 pixels of draws from the same distribution


def test_another_w_at_each_layer_reaches_the_same_layers(case: Case) -> None:
    img = case.generator.synthesis(case.arrays["ws_random"])
    assert_close(img, case.arrays["img_ws_random"])


def test_averaged_generator_is_not_the_trained_one(case: Case) -> None:
    generator = Generator(case.checkpoint.generator_config)
    generator.load_state_dict(case.checkpoint.tensors["G"])
    with torch.no_grad():
        c = None if case.labels is None else case.labels[:2]
        img = generator.synthesis(generator.mapping(case.arrays["z"][:2], c))
    assert_close(img, case.arrays["img_G_raw_const"])


@pytest.mark.parametrize("num_images", [1, 2, 4, 8])
def test_logits_are_the_same_for_each_minibatch_grouping(case: Case, num_images: int) -> None:
    c = None if case.labels is None else case.labels[:num_images]
    logits = case.discriminator(case.arrays["img_const"][:num_images], c)
    assert_close(logits, case.arrays[f"logits{num_images}"])


def test_r1_gradients_are_the_same(case: Case) -> None:
    img = case.arrays["img_const"][:4].clone().requires_grad_()
    c = None if case.labels is None else case.labels[:4]
    (gradient,) = torch.autograd.grad(case.discriminator(img, c).sum(), img)
    assert_close(gradient, case.arrays["r1_grad4"], GRADIENT_TOLERANCE)
    assert_close(gradient.square().sum(dim=[1, 2, 3]), case.arrays["r1_sum4"], GRADIENT_TOLERANCE)


def test_path_length_gradients_are_the_same(case: Case) -> None:
    """At a kink of the leaky ReLU the gradients of both sides are right; float noise chooses between them.

    In one of the files an input of the 16 px layers is 2e-7 away from zero, where the activations are of the
    order of 1, and the gradients of the two sides differ by 2e-3. So w may move by as much as float noise
    moves the activations.
    """
    torch.manual_seed(0)
    moves = [0.0, *(1e-6 * torch.randn_like(case.arrays["w"][:2]) for _ in range(8))]
    gradients = [_path_length_gradient(case, case.arrays["w"][:2] * (1 + move)) for move in moves]
    gradient = min(gradients, key=lambda gradient: float((gradient - case.arrays["pl_grad2"]).abs().max()))
    assert_close(gradient, case.arrays["pl_grad2"], GRADIENT_TOLERANCE)
    lengths = gradient.square().sum(dim=2).mean(dim=1).sqrt()
    assert_close(lengths, case.arrays["pl_len2"], GRADIENT_TOLERANCE)
    assert_close(gradients[0], case.arrays["pl_grad2"], 20 * GRADIENT_TOLERANCE)


def _path_length_gradient(case: Case, ws: torch.Tensor) -> torch.Tensor:
    ws = ws.clone().requires_grad_()
    img = case.generator.synthesis(ws)
    y = case.arrays["pl_y2"]
    (gradient,) = torch.autograd.grad((img * y).sum() / (img.shape[2] * img.shape[3]) ** 0.5, ws)
    return gradient
