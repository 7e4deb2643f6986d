"""Against arrays computed with the original implementation.

The file keeps the first sample of each case (both samples were transformed alike) and every third row and
column of the results, first and last included (at 48 px the last is missed); inputs and gradients are whole.

TOLERANCE is relative to the largest absolute value: the original works in float32 throughout, its margins and
sampling places too, and differs even from its own input by 8e-6 where nothing was moved.
"""

import re
from pathlib import Path

import numpy as np
import pytest
import torch

from stylegraft.augment import AugmentConfig, AugmentPipe, augment_preset
from stylegraft.augment.filters import SYM6_LOWPASS, filter_bank
from stylegraft.runtime.random import Key

TOLERANCE = 5e-5

REFERENCE = np.load(Path(__file__).parents[1] / "reference" / "ada_augment.npz")
CASES = [key for key in REFERENCE.files if re.search(r"/p0\.\d$", key) and "grad" not in key]
CUSTOM = {
    "xint_max0.25": AugmentConfig(xint=1, xint_max=0.25),
    "scale_std0.5": AugmentConfig(scale=1, scale_std=0.5),
    "rotate_max0.25": AugmentConfig(rotate=1, rotate_max=0.25),
    "imgfilter_bands1010_std0.7": AugmentConfig(imgfilter=1, imgfilter_bands=(1, 0, 1, 0), imgfilter_std=0.7),
    "cutout_size0.25": AugmentConfig(cutout=1, cutout_size=0.25),
}


def config_of(name):
    if name in CUSTOM:
        return CUSTOM[name]
    if name in ("blit", "geom", "color", "bgc"):
        return augment_preset(name)
    if name == "bgcfc":
        return augment_preset("bgcf").replace(cutout=1)
    return AugmentConfig(**{name: 1})


def relative_error(ours, theirs):
    return np.abs(ours - theirs).max() / np.abs(theirs).max()


def test_reference_file_has_all_cases():
    assert len(CASES) == 98


@pytest.mark.parametrize("case", CASES)
def test_pipe_against_the_original(case):
    *kind, name, percentile = case.split("/")
    key = {"nonsquare": "x_nonsquare", "grey": "x_grey"}.get(kind[0] if kind else "", "x")
    pipe = AugmentPipe(config_of(name))
    ours = pipe(torch.from_numpy(REFERENCE[key]), 1.0, pipe.draw_percentile(float(percentile[1:]), 1))
    assert relative_error(ours.numpy()[:, :, ::3, ::3], REFERENCE[case]) < TOLERANCE


def test_pipe_gradient_against_the_original():
    pipe = AugmentPipe(augment_preset("bgc"))
    images = torch.from_numpy(REFERENCE["x"]).requires_grad_()
    out = pipe(images, 1.0, pipe.draw_percentile(0.7, 1))
    (gradient,) = torch.autograd.grad((out * torch.from_numpy(REFERENCE["bgc_grad/weight"])).sum(), images)
    assert relative_error(gradient.numpy(), REFERENCE["bgc_grad/p0.7"]) < TOLERANCE


def test_wavelet_filters_against_the_original():
    # The stored filters are float32.
    assert relative_error(SYM6_LOWPASS, REFERENCE["Hz_geom"]) < 1e-6
    assert relative_error(filter_bank(), REFERENCE["Hz_fbank"]) < 1e-6


@pytest.mark.parametrize("name", ["xflip", "brightness", "cutout", "rotate", "xint"])
def test_changed_fraction_against_the_original(name):
    num, size, p = 1000, 16, 0.3
    pipe = AugmentPipe(AugmentConfig(**{name: 1}))
    images = torch.from_numpy(REFERENCE["x_grey"])[:, :, :size, :size].expand(num, -1, -1, -1)
    out = pipe(images, p, pipe.draw(Key.of(1), range(num), "cpu", size, size, channels=1))
    changed = ((out - images).abs().amax(dim=(1, 2, 3)) > 1e-3).float().mean()
    # Both are binomial with 1000 draws: standard deviation below 0.0155 each, 0.022 for the difference; four
    # of those, and 0.02 for whole-pixel moves that round to none more often at 16 px than at 64.
    assert abs(float(changed) - REFERENCE[f"stat/changed_fraction_p0.3/{name}"]) < 4 * 0.022 + 0.02
    if name == "xflip":
        assert 0.10 < changed < 0.20  # p / 2, and not p
