"""One step: what moves, what does not, and that micro-batches add up."""

from __future__ import annotations

import pytest
import torch

from stylegraft.errors import DivergenceError
from stylegraft.training import step as step_module
from stylegraft.training.adam import Adam
from stylegraft.training.state import new_state
from stylegraft.training.step import train_step, update_ema

CPU = torch.device("cpu")


def weights(network: torch.nn.Module) -> dict[str, torch.Tensor]:
    return {name: parameter.detach().clone() for name, parameter in network.named_parameters()}


def adam_steps(optimizer: Adam) -> float:
    """Steps of the weights; last biases, which no regulariser depends on, make fewer."""
    return max(float(values["step"]) for values in optimizer.state.values())


def start(make_config, make_context, **changes):
    config = make_config(**changes)
    return new_state(config, CPU), make_context(config)


@pytest.mark.parametrize("c_dim", [0, 2])
def test_first_step_moves_every_weight_of_both_networks(make_config, make_context, c_dim):
    state, context = start(make_config, make_context, c_dim=c_dim)
    before = [weights(network) for network in (state.G, state.D, state.G_ema)]
    w_avg = state.G.mapping.w_avg.clone()
    train_step(state, context)
    for network, old in zip((state.G, state.D, state.G_ema), before):
        for name, parameter in network.named_parameters():
            assert torch.isfinite(parameter).all()
            assert not torch.equal(parameter, old[name]), name
    assert not torch.equal(state.G.mapping.w_avg, w_avg)
    assert torch.equal(state.G_ema.mapping.w_avg, state.G.mapping.w_avg)
    assert (state.step, state.num_images) == (1, 8)
    assert state.pl_mean > 0
    # At step 0 both regularisers run: two optimiser steps each.
    assert adam_steps(state.optimizer_G) == adam_steps(state.optimizer_D) == 2
    assert all(p.requires_grad for network in (state.G, state.D) for p in network.parameters())
    assert not any(p.requires_grad for p in state.G_ema.parameters())
    names = {"loss_G", "loss_D", "logits_real", "logits_fake", "signs_real", "path_length", "loss_PL"}
    assert state.meters.counts.keys() == names | {"r1_penalty"}


def test_regularisers_run_at_their_intervals(make_config, make_context):
    state, context = start(make_config, make_context, r1_interval=3, pl_interval=2)
    for _ in range(6):
        train_step(state, context)
    assert adam_steps(state.optimizer_G) == 6 + 3
    assert adam_steps(state.optimizer_D) == 6 + 2
    assert state.meters.counts["path_length"] == 3
    assert state.meters.counts["r1_penalty"] == 2


def test_regularisers_without_weight_do_not_run(make_config, make_context):
    state, context = start(make_config, make_context, r1_gamma=0.0, pl_weight=0.0)
    train_step(state, context)
    assert adam_steps(state.optimizer_G) == adam_steps(state.optimizer_D) == 1
    assert state.pl_mean == 0
    assert not {"path_length", "r1_penalty"} & state.meters.counts.keys()


def test_regularisers_have_their_weights(make_config, make_context):
    """The last phase leaves its gradients; a tiny rate leaves the weights where they were."""

    def after_a_step(**weights):
        state, context = start(make_config, make_context, augment=None, lr=1e-12, **weights)
        train_step(state, context)
        return state, context

    for gamma in (0.8, 1.6):
        state, context = after_a_step(r1_gamma=gamma)
        weight = state.D.get_submodule("b8").conv0.weight
        images, c = context.reals(0, range(8))
        images.requires_grad_()
        (at_images,) = torch.autograd.grad(state.D(images, c).sum(), [images], create_graph=True)
        loss = gamma / 2 * at_images.square().sum(dim=(1, 2, 3)).mean() * 16
        (expected,) = torch.autograd.grad(loss, [weight])
        torch.testing.assert_close(weight.grad, expected, rtol=1e-3, atol=1e-5)

    of_path_length = []
    for pl_weight in (2.0, 6.0):
        state, _ = after_a_step(pl_weight=pl_weight, r1_gamma=0.0)
        of_path_length.append(state.G.synthesis.blocks[1].conv0.weight.grad)
    torch.testing.assert_close(of_path_length[1], 3 * of_path_length[0], rtol=1e-3, atol=1e-5)


def test_steps_teach_the_discriminator(make_config, make_context):
    state, context = start(make_config, make_context, augment=None, lr=0.005)
    losses = []
    for _ in range(25):
        train_step(state, context)
        losses.append(state.meters.take_means()["loss_D"])
    assert sum(losses[-5:]) < 0.7 * sum(losses[:5])


def without_minibatch_std(make_config, **changes):
    config = make_config(pl_weight=0.0, adam_eps=1e-3, **changes)
    return config.replace(discriminator=config.discriminator.replace(mbstd_num_channels=0))


def test_two_micro_batches_are_one_batch(make_config, make_context):
    """Without groups, and without path length (whose samples are chosen within a micro-batch)."""
    results = []
    for micro_batch in (8, 4, 2):
        config = without_minibatch_std(make_config, micro_batch=micro_batch)
        state = new_state(config, CPU)
        for _ in range(2):
            train_step(state, make_context(config))
        results.append(state)
    whole, *parts = results
    for part in parts:
        for network in ("G", "D", "G_ema"):
            old, new = getattr(whole, network), getattr(part, network)
            for name, tensor in old.state_dict().items():
                # Sums in another order: float32 noise, which Adam's large eps keeps small.
                torch.testing.assert_close(new.state_dict()[name], tensor, rtol=1e-4, atol=2e-5, msg=name)
        assert part.ada.state_dict() == whole.ada.state_dict()
    means = [state.meters.take_means() for state in results]
    for other in means[1:]:
        assert other == pytest.approx(means[0], rel=1e-3, abs=1e-4)


@pytest.mark.parametrize(
    ("step", "rampup", "half_life"),
    [(1000, 0.0, 5000), (1000, 0.05, 8000 * 0.05), (100_000, 0.05, 5000), (1, 0.05, 0.4)],
)
def test_average_has_the_half_life_it_is_told(make_config, step, rampup, half_life):
    state = new_state(make_config(ema_kimg=5.0, ema_rampup=rampup), CPU)
    state.num_images = 8 * step
    with torch.no_grad():
        for parameter in state.G.parameters():
            parameter.add_(1)
        state.G.mapping.w_avg.fill_(7)
    old, new = weights(state.G_ema), weights(state.G)
    update_ema(state, 8)
    decay = 0.5 ** (8 / half_life)
    for name, average in state.G_ema.named_parameters():
        torch.testing.assert_close(average.detach(), decay * old[name] + (1 - decay) * new[name])
    assert state.G_ema.mapping.w_avg.tolist() == [7] * 8


def test_mixing_gives_each_sample_at_most_two_styles_cut_at_a_layer(make_config):
    state = new_state(make_config(), CPU)
    key = step_module.Key.of(3)
    c = torch.eye(2)[torch.arange(64) % 2]

    def draw(probability: float) -> torch.Tensor:
        return step_module._draw_ws(state.G, key, range(64), c, probability, CPU)

    plain, mixed = draw(0.0), draw(1.0)
    assert (plain == plain[:, :1]).all()
    changes = (mixed[:, 1:] != mixed[:, :-1]).any(dim=2)
    assert (changes.sum(dim=1) == 1).all()
    assert changes.any(dim=0).all()  # every crossover occurs
    assert torch.equal(mixed[:, 0], plain[:, 0])
    share = (draw(0.5) != plain).any(dim=2).any(dim=1).float().mean()
    assert 0.3 < share < 0.7
    # A sample's draw does not depend on those beside it.
    alone = step_module._draw_ws(state.G, key, range(40, 44), c[40:44], 1.0, CPU)
    torch.testing.assert_close(alone, mixed[40:44])


@pytest.mark.parametrize("network", ["G", "D"])
@pytest.mark.parametrize("value", [float("nan"), float("inf")])
def test_gradient_that_is_not_finite_is_a_divergence(make_config, make_context, monkeypatch, network, value):
    state, context = start(make_config, make_context)
    name = {"G": "generator_loss", "D": "discriminator_loss_real"}[network]
    monkeypatch.setattr(step_module, name, lambda logits: (logits * value).mean())
    before = weights(state.D)
    with pytest.raises(DivergenceError, match=rf"the gradient of loss_{network} is (nan|inf) at step 0"):
        train_step(state, context)
    assert all(torch.equal(p, before[n]) for n, p in state.D.named_parameters())
    assert all(p.requires_grad for p in state.D.parameters())


def test_user_is_told_once_that_p_reached_its_cap(make_config, make_context):
    notes: list[str] = []
    config = make_config()
    config = config.replace(ada=config.ada.replace(kimg=0.01, target=-0.99, cap=0.4, interval_steps=1))
    state, context = new_state(config, CPU), make_context(config)
    context = step_module.StepContext(
        context.processes, context.pipe, context.reals, context.train_labels, notes.append
    )
    for _ in range(4):
        train_step(state, context)
    assert state.ada.p == 0.4
    assert len(notes) == 1
    assert "reached its cap 0.4" in notes[0]


def test_labels_of_fakes_are_those_of_the_training_images(make_config, make_context):
    state, context = start(make_config, make_context)
    key = step_module.Key.of(0)
    labels = step_module._draw_labels(key, range(200), state, context)
    assert labels is not None
    assert 70 < labels[:, 0].sum() < 130
    assert torch.equal(step_module._draw_labels(key, range(50, 60), state, context), labels[50:60])


def test_labels_of_fakes_are_one_a_group_where_groups_share_a_class(make_config, make_context):
    state, context = start(make_config, make_context, label_groups=True)
    assert state.config.discriminator.mbstd_group_size == 4
    drawn = [step_module._draw_labels(step_module.Key.of(i), range(16, 32), state, context) for i in range(9)]
    for labels in drawn:
        members = labels.unflatten(0, (4, 4))  # [member, group]: sample i is in group i mod 4
        assert (members == members[0]).all()
    assert 40 < sum(labels[:, 0].sum() for labels in drawn) < 104  # of 144, 36 independent draws


def test_bf16_step_stays_finite_with_float32_weights(make_config, make_context):
    state, context = start(make_config, make_context, precision="bf16")
    for _ in range(2):
        train_step(state, context)
    assert all(bool(torch.isfinite(p).all()) for p in state.G.parameters())
    assert {p.dtype for p in state.G.parameters()} == {torch.float32}
    assert state.G.synthesis.compute_dtype == state.G_ema.synthesis.compute_dtype == torch.bfloat16
