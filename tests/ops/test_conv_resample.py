"""The fast resampling convolution and the modulated convolution against their obvious references."""

from typing import Any

import pytest
import torch

from stylegraft.ops import conv2d_resample, modulated_conv2d, setup_filter
from stylegraft.ops.conv_resample import conv2d_resample_reference
from stylegraft.ops.modulated_conv import modulated_conv2d_reference

FILTER = setup_filter([1, 3, 3, 1])


@pytest.mark.parametrize(("up", "down"), [(1, 1), (2, 1), (1, 2), (2, 2), (4, 1), (1, 3)])
@pytest.mark.parametrize("kernel", [1, 3])
@pytest.mark.parametrize("groups", [1, 2])
@pytest.mark.parametrize("flip", [False, True])
def test_conv2d_resample_equals_its_definition(
    up: int, down: int, kernel: int, groups: int, flip: bool
) -> None:
    torch.manual_seed(0)
    x = torch.randn(2, 4, 9, 12, dtype=torch.float64)
    w = torch.randn(6, 4 // groups, kernel, kernel, dtype=torch.float64)
    arguments: dict[str, Any] = {
        "up": up, "down": down, "padding": kernel // 2,
        "groups": groups, "flip_weight": flip, "flip_filter": flip,
    }  # fmt: skip
    f = torch.randn(4, 4)
    torch.testing.assert_close(
        conv2d_resample(x, w, f, **arguments), conv2d_resample_reference(x, w, f, **arguments)
    )


@pytest.mark.parametrize("arguments", [{"up": 2}, {"down": 2}, {}], ids=["up", "down", "same"])
def test_conv2d_resample_first_and_second_derivatives_are_right(arguments: dict[str, Any]) -> None:
    torch.manual_seed(1)
    x = torch.randn(1, 2, 4, 4, dtype=torch.float64, requires_grad=True)
    w = torch.randn(2, 2, 3, 3, dtype=torch.float64, requires_grad=True)

    def function(x: torch.Tensor, w: torch.Tensor) -> torch.Tensor:
        return conv2d_resample(x, w, FILTER, padding=1, **arguments)

    assert torch.autograd.gradcheck(function, (x, w))
    assert torch.autograd.gradgradcheck(function, (x, w))


@pytest.mark.parametrize(
    "memory_format", [torch.contiguous_format, torch.channels_last], ids=["nchw", "nhwc"]
)
@pytest.mark.parametrize("kernel", [1, 3])
@pytest.mark.parametrize("demodulate", [True, False])
@pytest.mark.parametrize("arguments", [{}, {"up": 2}, {"down": 2}], ids=["same", "up", "down"])
@pytest.mark.parametrize("noise_shape", [None, (3, 1), ()], ids=["no-noise", "noise-each", "noise-shared"])
def test_modulated_conv2d_equals_weights_per_sample(
    demodulate: bool,
    arguments: dict[str, Any],
    noise_shape: tuple[int, ...] | None,
    kernel: int,
    memory_format: torch.memory_format,
) -> None:
    torch.manual_seed(2)
    size = 8 * arguments.get("up", 1) // arguments.get("down", 1)
    x = torch.randn(3, 4, 8, 8, dtype=torch.float64).to(memory_format=memory_format).requires_grad_(True)
    weight = torch.randn(6, 4, kernel, kernel, dtype=torch.float64, requires_grad=True)
    styles = torch.randn(3, 4, dtype=torch.float64, requires_grad=True)
    noise = None if noise_shape is None else torch.randn(*noise_shape, size, size, dtype=torch.float64)
    keywords = {
        "noise": noise, "padding": kernel // 2, "resample_filter": FILTER,
        "demodulate": demodulate, **arguments,
    }  # fmt: skip

    fast = modulated_conv2d(x, weight, styles, **keywords)
    slow = modulated_conv2d_reference(x, weight, styles, **keywords)
    torch.testing.assert_close(fast, slow)
    assert fast.is_contiguous(memory_format=memory_format)
    dy = torch.randn_like(slow)
    inputs = (x, weight, styles)
    torch.testing.assert_close(torch.autograd.grad(fast, inputs, dy), torch.autograd.grad(slow, inputs, dy))


@pytest.mark.parametrize("kernel", [1, 3])
@pytest.mark.parametrize("arguments", [{}, {"up": 2}], ids=["same", "up"])
def test_modulated_conv2d_first_and_second_derivatives_are_right(
    arguments: dict[str, Any], kernel: int
) -> None:
    torch.manual_seed(3)
    size = 3 * arguments.get("up", 1)
    inputs = tuple(
        torch.randn(shape, dtype=torch.float64, requires_grad=True)
        for shape in [(2, 2, 3, 3), (2, 2, kernel, kernel), (2, 2), (2, 1, size, size)]
    )

    def function(
        x: torch.Tensor, weight: torch.Tensor, styles: torch.Tensor, noise: torch.Tensor
    ) -> torch.Tensor:
        return modulated_conv2d(
            x, weight, styles, noise=noise, padding=kernel // 2, resample_filter=FILTER, **arguments
        )

    assert torch.autograd.gradcheck(function, inputs)
    assert torch.autograd.gradgradcheck(function, inputs)


def test_modulated_conv2d_float16_survives_styles_that_would_overflow() -> None:
    torch.manual_seed(4)
    x = torch.randn(2, 16, 8, 8)
    weight = torch.randn(8, 16, 3, 3) * 100
    styles = torch.randn(2, 16) * 3000
    expected = modulated_conv2d_reference(x, weight, styles, padding=1)
    y = modulated_conv2d(x.half(), weight, styles, padding=1)
    # Rounding of the inputs, of the styled activations and of the sum: a few times 2^-11 of the largest.
    assert float((y.float() - expected).abs().max() / expected.abs().max()) < 4e-3


def test_modulated_conv2d_float16_gradients_follow_float32() -> None:
    torch.manual_seed(5)
    x = torch.randn(2, 16, 8, 8)
    weight = torch.randn(8, 16, 3, 3, requires_grad=True)
    styles = torch.randn(2, 16, requires_grad=True)
    dy = torch.randn(2, 8, 8, 8)
    half = modulated_conv2d(x.half(), weight, styles, padding=1)
    full = modulated_conv2d(x, weight, styles, padding=1)
    actual = torch.autograd.grad(half, (weight, styles), dy.half())
    expected = torch.autograd.grad(full, (weight, styles), dy)
    for a, b in zip(actual, expected):
        # As above; the projection that demodulation puts into the gradient cancels digits, hence the factor.
        assert float((a - b).abs().max() / b.abs().max()) < 1e-2
