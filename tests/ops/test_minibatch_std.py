"""Minibatch standard deviation: which samples form a group, derivatives, errors."""

import pytest
import torch

from stylegraft.errors import ConfigError
from stylegraft.ops import minibatch_std


def test_minibatch_std_groups_are_strided() -> None:
    # Two groups of two: samples 0 and 2 are alike, 1 and 3 differ by 2 everywhere, so their spread is 1.
    x = torch.tensor([5.0, 1.0, 5.0, 3.0]).reshape(4, 1, 1, 1).expand(4, 2, 3, 3)
    added = minibatch_std(x, group_size=2)[:, 2, 0, 0]
    # The epsilon below the root leaves 1e-4 where nothing differs.
    torch.testing.assert_close(added, torch.tensor([1e-4, 1.0, 1e-4, 1.0]))


def test_minibatch_std_first_and_second_derivatives_are_right() -> None:
    torch.manual_seed(0)
    x = torch.randn(4, 4, 2, 2, dtype=torch.float64, requires_grad=True)
    assert torch.autograd.gradcheck(lambda x: minibatch_std(x, 2, num_channels=2), x)
    assert torch.autograd.gradgradcheck(lambda x: minibatch_std(x, 2, num_channels=2), x)


def test_minibatch_std_second_derivative_is_finite_where_nothing_differs() -> None:
    x = torch.zeros(2, 1, 2, 2, requires_grad=True)
    (dx,) = torch.autograd.grad(minibatch_std(x, 2).sum(), x, create_graph=True)
    (ddx,) = torch.autograd.grad(dx.square().sum(), x)
    assert dx.isfinite().all()
    assert ddx.isfinite().all()


def test_minibatch_std_rejects_a_batch_that_does_not_divide() -> None:
    with pytest.raises(ConfigError, match="multiple of the group size 4, got 6 samples"):
        minibatch_std(torch.zeros(6, 4, 2, 2), group_size=4)


def test_minibatch_std_rejects_channels_that_do_not_divide() -> None:
    with pytest.raises(ConfigError, match="channels in a multiple of 3, got 4"):
        minibatch_std(torch.zeros(4, 4, 2, 2), group_size=4, num_channels=3)
