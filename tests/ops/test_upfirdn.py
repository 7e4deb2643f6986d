"""The fast resampling against its definition, its derivatives, its dtypes and its errors."""

from typing import Any

import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st

from stylegraft.ops import downsample2d, setup_filter, upfirdn2d, upsample2d
from stylegraft.ops.upfirdn_reference import upfirdn2d_reference

side = st.integers(-2, 5)
factors = st.tuples(st.integers(1, 3), st.integers(1, 3))


@settings(deadline=None, max_examples=60, derandomize=True)
@given(
    up=factors,
    down=factors,
    padding=st.tuples(side, side, side, side),
    taps=st.tuples(st.integers(1, 5), st.integers(1, 5)),
    separable=st.booleans(),
    flip_filter=st.booleans(),
)
def test_upfirdn2d_equals_its_definition(
    up: tuple[int, int],
    down: tuple[int, int],
    padding: tuple[int, int, int, int],
    taps: tuple[int, int],
    separable: bool,
    flip_filter: bool,
) -> None:
    torch.manual_seed(0)
    x = torch.randn(2, 3, 7, 8, dtype=torch.float64, requires_grad=True)
    f = torch.randn(taps[0]) if separable else torch.randn(taps)
    arguments: dict[str, Any] = {
        "up": up, "down": down, "padding": padding, "flip_filter": flip_filter, "gain": 1.7
    }  # fmt: skip

    fast = upfirdn2d(x, f, **arguments)
    slow = upfirdn2d_reference(x, f, **arguments)
    torch.testing.assert_close(fast, slow)
    dy = torch.randn_like(slow)
    torch.testing.assert_close(torch.autograd.grad(fast, x, dy), torch.autograd.grad(slow, x, dy))


@pytest.mark.parametrize(
    "arguments",
    [
        {"up": 2, "padding": (2, 1)},
        {"down": 2, "padding": 1},
        {"padding": 1},
        {"up": (3, 2), "down": (1, 2), "padding": (-1, 4, 0, 5)},
        {"down": (3, 2), "padding": (0, 1, 3, -1)},
    ],
    ids=["skip-up", "down", "blur", "up-and-down", "cropped-down"],
)
def test_upfirdn2d_first_and_second_derivatives_are_right(arguments: dict[str, Any]) -> None:
    torch.manual_seed(1)
    x = torch.randn(2, 2, 5, 4, dtype=torch.float64, requires_grad=True)
    f = torch.randn(4, 3)
    # The square makes the second derivative differ from zero; upfirdn2d itself is linear.
    assert torch.autograd.gradcheck(lambda x: upfirdn2d(x, f, **arguments), x)
    assert torch.autograd.gradgradcheck(lambda x: upfirdn2d(x, f, **arguments).square(), x)


@pytest.mark.parametrize(
    "arguments", [{"up": 2, "padding": (2, 1)}, {"down": 2, "padding": 1}, {"padding": 1}]
)
@pytest.mark.parametrize("dtype", [torch.bfloat16, torch.float16])
def test_upfirdn2d_low_precision_follows_float32(dtype: torch.dtype, arguments: dict[str, Any]) -> None:
    torch.manual_seed(2)
    x = torch.randn(2, 8, 9, 8).to(dtype).contiguous(memory_format=torch.channels_last).requires_grad_(True)
    wide = x.detach().float().requires_grad_(True)
    f = setup_filter([1, 3, 3, 1])
    y, expected = upfirdn2d(x, f, **arguments), upfirdn2d(wide, f, **arguments)
    dy = torch.randn_like(expected).to(dtype)
    (dx,) = torch.autograd.grad(y, x, dy)
    (expected_dx,) = torch.autograd.grad(expected, wide, dy.float())

    assert y.dtype == dx.dtype == dtype
    assert y.is_contiguous(memory_format=torch.channels_last)
    # The taps are exact in both types, the sums run in float32: what is left is one rounding of the result.
    tolerance = torch.finfo(dtype).eps
    torch.testing.assert_close(y.float(), expected, rtol=tolerance, atol=tolerance)
    torch.testing.assert_close(dx.float(), expected_dx, rtol=tolerance, atol=tolerance)


def test_up_and_downsampling_keep_a_constant_image() -> None:
    x = torch.full((1, 3, 16, 16), 0.7)
    f = setup_filter([1, 3, 3, 1])
    for y in (upsample2d(x, f), downsample2d(x, f)):
        torch.testing.assert_close(y[:, :, 2:-2, 2:-2], torch.full_like(y[:, :, 2:-2, 2:-2], 0.7))


def test_upfirdn2d_rejects_an_image_smaller_than_the_filter() -> None:
    with pytest.raises(ValueError, match="expected at least 4 x 4 pixels"):
        upfirdn2d(torch.zeros(1, 1, 3, 9), setup_filter([1, 3, 3, 1]))


def test_upfirdn2d_rejects_a_factor_below_one() -> None:
    with pytest.raises(ValueError, match="up: expected factors of at least 1, got 0"):
        upfirdn2d(torch.zeros(1, 1, 8, 8), None, up=0)


@pytest.mark.parametrize(
    ("f", "separable", "message"),
    [
        ([], None, "at least one tap"),
        ([[[1.0]]], None, "1 or 2 axes"),
        ([[1.0, 2.0]], True, "only a 1D filter"),
    ],
)
def test_setup_filter_rejects_what_is_no_filter(f: Any, separable: bool | None, message: str) -> None:
    with pytest.raises(ValueError, match=message):
        setup_filter(f, separable=separable)
