"""The discriminator beside the definition in double precision; tolerances as for the generator."""

from __future__ import annotations

import pytest
import torch
from stylegan1_cases import DISCRIMINATORS, double_state, make_discriminator, relative_error
from stylegan1_reference import judge

from stylegraft.errors import InputError
from stylegraft.losses.regularisers import r1_penalty
from stylegraft.networks.stylegan1.discriminator import Discriminator
from stylegraft.networks.stylegan1.resample import box_downscale

TOLERANCE = 1e-5


def random_images(discriminator: Discriminator, count: int = 4) -> tuple[torch.Tensor, torch.Tensor | None]:
    config = discriminator.config
    torch.manual_seed(1)
    img = torch.randn(count, config.img_channels, config.img_height, config.img_width)
    return img, torch.eye(3)[torch.arange(count) % 3] if config.c_dim else None


@pytest.mark.parametrize("lod", [0.0, 0.25, 1.0, 1.5, 2.0])
@pytest.mark.parametrize("name", DISCRIMINATORS)
def test_logits_are_those_of_the_definition(name: str, lod: float) -> None:
    discriminator = make_discriminator(**DISCRIMINATORS[name])
    img, c = random_images(discriminator)
    c_double = None if c is None else c.double()
    want = judge(discriminator.config, double_state(discriminator), img.double(), c_double, lod)
    assert relative_error(discriminator(img, c, lod=lod).double(), want) < TOLERANCE
    native = box_downscale(img, 1 << int(lod))
    assert relative_error(discriminator(native, c, lod=lod).double(), want) < TOLERANCE


@pytest.mark.parametrize("lod", [0.0, 0.5])
def test_r1_gradients_are_those_of_the_definition(lod: float) -> None:
    """The penalty is a gradient, and its own gradients are second derivatives."""
    discriminator = make_discriminator(c_dim=3)
    img, c = random_images(discriminator)
    assert c is not None
    img.requires_grad_()
    penalty = r1_penalty(img, discriminator(img, c, lod=lod)).sum()
    parameters = dict(discriminator.named_parameters())
    got = torch.autograd.grad(penalty, list(parameters.values()), allow_unused=True)

    state = double_state(discriminator)
    for name in parameters:
        state[name].requires_grad_()
    img = img.detach().double().requires_grad_()
    want_penalty = r1_penalty(img, judge(discriminator.config, state, img, c.double(), lod)).sum()
    wanted = torch.autograd.grad(want_penalty, [state[name] for name in parameters], allow_unused=True)
    assert relative_error(penalty.double(), want_penalty) < TOLERANCE
    for name, gradient, want in zip(parameters, got, wanted):
        if want is not None and want.any():
            assert gradient is not None, name
            assert relative_error(gradient.double(), want) < 1e-4, name


def test_what_is_not_in_use_gets_no_gradient() -> None:
    discriminator = make_discriminator()
    discriminator.set_lod(1.0)
    discriminator(random_images(discriminator)[0]).sum().backward()
    with_gradient = {name for name, value in discriminator.named_parameters() if value.grad is not None}
    assert {name.split(".")[0] for name in with_gradient} == {"b8", "b4"}
    assert {name for name in with_gradient if "fromrgb" in name} == {"b8.fromrgb.weight", "b8.fromrgb.bias"}


def test_lod_is_saved_with_the_weights() -> None:
    discriminator = make_discriminator()
    discriminator.set_lod(0.5)
    copy = make_discriminator(seed=1)
    copy.load_state_dict(discriminator.state_dict())
    img, _ = random_images(discriminator)
    assert torch.equal(copy(img), discriminator(img, lod=0.5))
    assert not torch.equal(copy(img), discriminator(img, lod=0.0))


def test_bfloat16_stays_near_float32() -> None:
    discriminator = make_discriminator()
    img, _ = random_images(discriminator, 8)
    want = discriminator(img)
    discriminator.set_compute_dtype(torch.bfloat16)
    logits = discriminator(img)
    assert logits.dtype == torch.float32
    assert 1e-5 < relative_error(logits, want) < 0.05  # 0.4 % a value, four layers


def test_wrong_input_is_named() -> None:
    discriminator = make_discriminator(c_dim=3)
    img, c = random_images(discriminator)
    with pytest.raises(InputError, match=r"img: expected shape \[N, 3, 8, 8\]"):
        discriminator(img[:, :, 1:], c, lod=1.5)
    with pytest.raises(InputError, match="lod"):
        discriminator(img, c, lod=3.0)
    with pytest.raises(InputError, match="c: expected"):
        discriminator(img)
    with pytest.raises(InputError, match="one row for each of the 4 images, got 1"):
        discriminator(img, torch.zeros(1, 3))
