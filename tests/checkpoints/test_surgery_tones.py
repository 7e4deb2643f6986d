"""Light and dark: G begins with those of the images, and D sees them as it saw its own."""

from __future__ import annotations

import dataclasses

import pytest
import torch
from surgery_cases import configs, discriminator, generator, make_source

from stylegraft.checkpoints.surgery import Target, Tones, operate
from stylegraft.checkpoints.surgery.fitting import latents
from stylegraft.checkpoints.surgery.tones import ToneChange, tone_change

KINDS = [
    {"architectures": ("skip", "resnet")},
    {"architectures": ("resnet", "resnet")},
    {"architectures": ("orig", "orig"), "img_channels": 1},
    {"family": "stylegan1"},
]


def toned(wanted: Tones, **kind):
    """G_ema and D before and after, and the report; pictures of G_ema stay within -1..1."""
    G, D = configs(**kind)
    source = make_source(G, D)
    for name, tensor in source.tensors["G_ema"].items():
        if "torgb" in name and "affine" not in name:
            tensor *= 0.1
    result = operate(source, Target(G, D, {}, {}, None, wanted))
    old = generator(G, source.tensors["G_ema"]), discriminator(D, source.tensors["D"])
    new = generator(G, result.tensors["G_ema"]), discriminator(D, result.tensors["D"])
    return *old, *new, result


def change_of(report) -> str:
    (note,) = report.notes
    return note


@pytest.mark.parametrize("kind", KINDS)
@torch.no_grad()
def test_pictures_are_a_linear_function_of_the_old_ones_and_d_sees_them_as_before(kind):
    channels = kind.get("img_channels", 3)
    G, D, new_G, new_D, _ = toned(Tones((0.5, 0.4, 0.3)[:channels], 0.2, -2.0), **kind)
    z = torch.randn(8, 8)
    old, new = G(z), new_G(z)
    for channel in range(channels):
        x, y = old[:, channel].flatten().double(), new[:, channel].flatten().double()
        a, b = torch.linalg.lstsq(torch.stack([x, torch.ones_like(x)], dim=1), y).solution
        torch.testing.assert_close(a * x + b, y, atol=1e-5, rtol=1e-5)
        assert abs(a - 1) > 0.1
    torch.testing.assert_close(new_D(new), D(old), atol=1e-4, rtol=1e-4)


@torch.no_grad()
def test_pictures_have_the_tones_that_were_asked_for():
    wanted = Tones((0.3, 0.2, 0.1), 0.25, 0.0)
    _, _, new_G, _, result = toned(wanted)
    painted = torch.cat([new_G(z, c) for z, c in latents(configs()[0])])
    got = Tones.of(painted)
    assert got.mean == pytest.approx(wanted.mean, abs=3e-3)
    assert got.deviation == pytest.approx(wanted.deviation, rel=0.03)
    assert change_of(result.report).startswith("tones: contrast x ")


def test_light_on_dark_is_swapped_for_dark_on_light_only_where_both_are_clear():
    light_on_dark, dark_on_light = Tones((-0.5,), 0.6, 0.9), Tones((0.5,), 0.3, -0.7)
    change = tone_change(light_on_dark, dark_on_light)
    assert change is not None
    assert change.factor == pytest.approx(-0.5)
    assert change.offset == pytest.approx((0.25,))
    assert "light and dark swapped" in change.note()
    unclear = dataclasses.replace(dark_on_light, skewness=-0.4)
    change = tone_change(light_on_dark, unclear)
    assert change is not None
    assert change.factor == pytest.approx(0.5)


def test_tones_that_are_alike_stay_bit_by_bit():
    assert tone_change(Tones((0.0,), 0.5, 0.0), Tones((0.05,), 0.55, 0.0)) is None
    G, D = configs()
    source = make_source(G, D)
    with torch.no_grad():
        painted = torch.cat([generator(G, source.tensors["G_ema"])(z, c) for z, c in latents(G)])
    result = operate(source, Target(G, D, {}, {}, None, Tones.of(painted.clamp(-1, 1))))
    assert result.report.is_plain_copy


def test_pictures_without_contrast_are_not_blown_up_without_bounds():
    assert tone_change(Tones((0.0,), 0.0, 0.0), Tones((0.0,), 0.5, 0.0)) == ToneChange(4.0, (0.0,))


def test_skewness_says_light_on_dark():
    image = torch.full([1, 3, 8, 8], -1.0)
    image[:, :, 2:4, 2:4] = 1.0
    assert Tones.of(image).skewness > 2
    assert Tones.of(-image).skewness < -2
    grey = Tones.of(image[:, :1])
    assert grey.mean == Tones.of(image).mean[:1]
    assert grey.skewness == pytest.approx(Tones.of(image).skewness)
