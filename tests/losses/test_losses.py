"""The losses against their formulas, the regularisers against functions whose derivatives are known."""

from __future__ import annotations

import math

import pytest
import torch

from stylegraft.losses.adversarial import discriminator_loss_fake, discriminator_loss_real, generator_loss
from stylegraft.losses.regularisers import path_length_penalty, path_lengths, r1_penalty


def test_adversarial_losses_are_logarithms_of_the_sigmoid():
    logits = torch.tensor([[-3.0], [0.0], [0.5], [4.0]], dtype=torch.float64)
    p = 1 / (1 + (-logits).exp())
    torch.testing.assert_close(generator_loss(logits), -p.log().mean())
    torch.testing.assert_close(discriminator_loss_real(logits), -p.log().mean())
    torch.testing.assert_close(discriminator_loss_fake(logits), -(1 - p).log().mean())


def test_adversarial_losses_stay_finite_for_large_logits():
    logits = torch.tensor([[-500.0], [500.0]])
    assert generator_loss(logits).item() == pytest.approx(250)
    assert discriminator_loss_fake(logits).item() == pytest.approx(250)


def test_r1_of_a_linear_discriminator_is_its_weight_squared():
    weight = torch.randn(2, 3, 4, requires_grad=True)
    images = torch.randn(5, 2, 3, 4, requires_grad=True)
    penalty = r1_penalty(images, (images * weight).sum(dim=(1, 2, 3))[:, None])
    torch.testing.assert_close(penalty, weight.square().sum().expand(5))
    (gradient,) = torch.autograd.grad(penalty.mean(), [weight])
    torch.testing.assert_close(gradient, 2 * weight.detach())


def test_r1_of_a_quadratic_discriminator_differs_by_image():
    scale = torch.tensor(3.0, requires_grad=True)
    images = torch.randn(5, 1, 2, 2, requires_grad=True)
    penalty = r1_penalty(images, scale * images.square().sum(dim=(1, 2, 3))[:, None])  # gradient 2 s x
    torch.testing.assert_close(penalty, 36 * images.detach().square().sum(dim=(1, 2, 3)))
    (gradient,) = torch.autograd.grad(penalty.sum(), [scale])
    torch.testing.assert_close(gradient, 24 * images.detach().square().sum())


def test_path_length_of_a_linear_generator_is_the_norm_of_its_transpose():
    num_ws, w_dim, height, width = 3, 4, 2, 5
    matrix = torch.randn(num_ws * w_dim, 2 * height * width, requires_grad=True)
    ws = torch.randn(6, num_ws, w_dim, requires_grad=True)
    images = (ws.flatten(1) @ matrix).view(6, 2, height, width)
    directions = torch.randn_like(images)
    lengths = path_lengths(ws, images, directions)
    # J^T y / sqrt(H W), a norm over w_dim squared, mean over layers, root.
    jty = (directions.flatten(1) @ matrix.detach().t()).view(6, num_ws, w_dim) / math.sqrt(height * width)
    expected = jty.square().sum(dim=2).mean(dim=1).sqrt()
    torch.testing.assert_close(lengths, expected)
    # The length is of the first degree in the matrix (Euler): <dL/dM, M> = L.
    (gradient,) = torch.autograd.grad(lengths.sum(), [matrix])
    torch.testing.assert_close((gradient * matrix.detach()).sum(), expected.sum())


def test_path_length_penalty_is_the_distance_to_the_moved_mean():
    lengths, mean = torch.tensor([1.0, 3.0]), torch.tensor(4.0)
    target = 4.0 + 0.25 * (2.0 - 4.0)
    torch.testing.assert_close(
        path_length_penalty(lengths, mean, 0.25), torch.tensor([(1 - target) ** 2, (3 - target) ** 2])
    )
    assert mean == 4  # the caller moves it


def test_path_length_penalty_pulls_a_generator_towards_the_mean():
    gain = torch.tensor(5.0, requires_grad=True)
    optimizer = torch.optim.SGD([gain], lr=0.02)
    mean, distances = torch.tensor(2.0), []
    torch.manual_seed(0)
    for _ in range(60):
        ws = torch.randn(16, 1, 8, requires_grad=True)
        images = (gain * ws).view(16, 1, 2, 4)
        lengths = path_lengths(ws, images, torch.randn_like(images))
        optimizer.zero_grad()
        path_length_penalty(lengths, mean, 0.01).mean().backward()
        optimizer.step()
        distances.append(abs(lengths.mean().item() - 2))
    assert distances[0] > 2
    assert sum(distances[-10:]) / 10 < 0.3
