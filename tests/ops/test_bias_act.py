"""Bias and activation: derivatives, clamping, and no writing into what belongs to the caller."""

import pytest
import torch

from stylegraft.ops import ACTIVATIONS, bias_act


@pytest.mark.parametrize("clamp", [None, 0.9])
@pytest.mark.parametrize("act", list(ACTIVATIONS))
def test_bias_act_first_and_second_derivatives_are_right(act: str, clamp: float | None) -> None:
    torch.manual_seed(0)
    x = torch.randn(2, 3, 2, 2, dtype=torch.float64, requires_grad=True)
    b = torch.randn(3, dtype=torch.float64, requires_grad=True)

    def function(x: torch.Tensor, b: torch.Tensor) -> torch.Tensor:
        return bias_act(x, b, act=act, gain=1.3, clamp=clamp)

    assert torch.autograd.gradcheck(function, (x, b))
    assert torch.autograd.gradgradcheck(lambda x, b: function(x, b).square(), (x, b))


@pytest.mark.parametrize("gain", [None, 1.0, 0.0, -2.0])
@pytest.mark.parametrize("with_bias", [True, False])
@pytest.mark.parametrize("act", list(ACTIVATIONS))
def test_bias_act_equals_its_definition_and_leaves_its_input_alone(
    act: str, with_bias: bool, gain: float | None
) -> None:
    torch.manual_seed(1)
    x = torch.randn(4, 5)
    b = torch.randn(5) if with_bias else None
    before = x.clone()
    spec = ACTIVATIONS[act]
    summed = x if b is None else x + b
    expected = spec.apply(summed, spec.alpha, False) * (spec.gain if gain is None else gain)

    torch.testing.assert_close(bias_act(x, b, act=act, gain=gain), expected)
    assert torch.equal(x, before)


def test_bias_act_takes_a_negative_slope() -> None:
    x = torch.tensor([[-2.0, 3.0]], requires_grad=True)
    y = bias_act(x, torch.zeros(2), act="lrelu", alpha=-0.5, gain=2.0)
    assert y.tolist() == [[2.0, 6.0]]
    assert torch.autograd.grad(y.sum(), x)[0].tolist() == [[-1.0, 2.0]]


def test_bias_act_passes_nan_on_through_the_clamp() -> None:
    assert bias_act(torch.tensor([[float("nan")]]), clamp=1.0).isnan().all()


def test_bias_act_keeps_dtype_and_memory_format() -> None:
    x = torch.randn(2, 3, 4, 4, dtype=torch.bfloat16).contiguous(memory_format=torch.channels_last)
    y = bias_act(x, torch.randn(3), act="lrelu", clamp=1.0)
    assert y.dtype == torch.bfloat16
    assert y.is_contiguous(memory_format=torch.channels_last)


def test_bias_act_counts_a_negative_axis_from_the_end() -> None:
    x, b = torch.zeros(2, 3, 4), torch.arange(4.0)
    assert torch.equal(bias_act(x, b, dim=-1), b.expand(2, 3, 4))


def test_bias_act_rejects_an_unknown_activation() -> None:
    with pytest.raises(ValueError, match=r"expected one of linear, relu.*got 'gelu'"):
        bias_act(torch.zeros(1, 1), act="gelu")


def test_bias_act_rejects_a_bias_that_does_not_fit() -> None:
    with pytest.raises(ValueError, match=r"bias: expected shape \(3,\), got \(4,\)"):
        bias_act(torch.zeros(2, 3), torch.zeros(4))
