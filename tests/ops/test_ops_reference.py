"""Every operation against the outputs of the original StyleGAN2 implementation."""

import json
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from torch import Tensor

from stylegraft import ops
from stylegraft.ops.conv_resample import conv2d_resample_reference
from stylegraft.ops.modulated_conv import modulated_conv2d_reference
from stylegraft.ops.upfirdn_reference import upfirdn2d_reference

REFERENCE = Path(__file__).parents[1] / "reference"
TABLE = json.loads((REFERENCE / "ops_cases.json").read_text(encoding="utf-8"))
ARRAYS = np.load(REFERENCE / "ops_cases.npz")
OBVIOUS = {
    "upfirdn2d": upfirdn2d_reference,
    "conv2d_resample": conv2d_resample_reference,
    "modulated_conv2d": modulated_conv2d_reference,
}

# Both sides are float32 and sum the same few dozen products in another order: a few units in the last place
# (1.2e-7) of the largest value. The measured worst case over all original cases is 4.4e-7.
TOLERANCE = 1e-6


def largest_error(actual: Tensor, key: str) -> float:
    """Return the largest difference, relative to the largest absolute value expected (which may be 0)."""
    expected = torch.from_numpy(ARRAYS[key])
    assert actual.shape == expected.shape
    assert actual.dtype == expected.dtype
    scale = expected.abs().max().clamp_min(torch.finfo(expected.dtype).tiny)
    return float((actual.detach() - expected).abs().max() / scale)


def load_inputs(case: dict[str, Any], memory_format: torch.memory_format) -> dict[str, Tensor | None]:
    inputs = {
        name: None if key is None else torch.from_numpy(ARRAYS[key]) for name, key in case["inputs"].items()
    }
    x = inputs.get("x")
    if x is not None and x.ndim == 4:
        inputs["x"] = x.contiguous(memory_format=memory_format)
    return inputs


def cases(*only: str) -> list[Any]:
    return [
        pytest.param(case, id=f"{case['op']}-{case['id']}")
        for case in TABLE["cases"]
        if not only or case["op"] in only
    ]


@pytest.mark.parametrize(
    "memory_format", [torch.contiguous_format, torch.channels_last], ids=["nchw", "nhwc"]
)
@pytest.mark.parametrize("case", cases())
def test_against_stylegan2(case: dict[str, Any], memory_format: torch.memory_format) -> None:
    inputs = load_inputs(case, memory_format)
    dy = inputs.pop("dy", None)
    gradients = case.get("grads", {})
    for name in gradients:
        inputs[name].requires_grad_(True)

    y = getattr(ops, case["op"])(**inputs, **case["kwargs"])

    assert largest_error(y, case["out"]) < TOLERANCE
    x = inputs.get("x")
    if x is not None and x.ndim == 4:
        assert y.is_contiguous(memory_format=memory_format)
    for name, key in gradients.items():
        (gradient,) = torch.autograd.grad(y, inputs[name], dy, retain_graph=True)
        assert largest_error(gradient, key) < TOLERANCE


@pytest.mark.parametrize("case", cases(*OBVIOUS))
def test_obvious_reference_against_stylegan2(case: dict[str, Any]) -> None:
    inputs = load_inputs(case, torch.contiguous_format)
    inputs.pop("dy", None)
    y = OBVIOUS[case["op"]](**inputs, **case["kwargs"])
    assert largest_error(y, case["out"]) < TOLERANCE


def test_activation_defaults_match_stylegan2() -> None:
    expected = {
        name: (row["def_alpha"], pytest.approx(row["def_gain"]))
        for name, row in TABLE["activation_defaults"].items()
    }
    assert {name: (spec.alpha, spec.gain) for name, spec in ops.ACTIVATIONS.items()} == expected
