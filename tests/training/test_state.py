"""The state of a run: optimisers corrected for lazy regularisers, frozen layers, the way to disk and back."""

from __future__ import annotations

import pytest
import torch

from stylegraft.checkpoints.native import read_checkpoint, write_checkpoint
from stylegraft.errors import CheckpointError
from stylegraft.training.parts import freeze_layers
from stylegraft.training.state import new_state
from stylegraft.training.step import train_step

CPU = torch.device("cpu")


@pytest.mark.parametrize(("gamma", "pl_weight"), [(1.0, 2.0), (0.0, 0.0)])
def test_adam_is_corrected_for_lazy_regularisers(make_config, gamma, pl_weight):
    config = make_config(lr=0.002, adam_betas=(0.5, 0.99), r1_gamma=gamma, pl_weight=pl_weight)
    state = new_state(config, CPU)
    for optimizer, interval, weight in ((state.optimizer_G, 4, pl_weight), (state.optimizer_D, 16, gamma)):
        ratio = interval / (interval + 1) if weight else 1
        for group in optimizer.param_groups:
            assert group["lr"] == pytest.approx(0.002 * ratio)
        assert optimizer.betas == pytest.approx((0.5**ratio, 0.99**ratio))
        assert optimizer.eps == 1e-8


def test_networks_are_initialised_from_the_seed_and_nothing_else(make_config):
    torch.manual_seed(1)
    one = new_state(make_config(), CPU)
    drawn = torch.rand(1)
    torch.manual_seed(2)
    two, other = new_state(make_config(), CPU), new_state(make_config(seed=1), CPU)
    torch.manual_seed(1)
    assert torch.equal(drawn, torch.rand(1))  # the caller's random numbers are left alone
    for name, tensor in one.G.state_dict().items():
        assert torch.equal(tensor, two.G.state_dict()[name])
        assert torch.equal(tensor, one.G_ema.state_dict()[name])
    assert not torch.equal(one.G.synthesis.blocks[0].const, other.G.synthesis.blocks[0].const)


@pytest.mark.parametrize(
    ("architecture", "expected"),
    [
        ("resnet", ["b16.fromrgb", "b16.conv0", "b16.conv1", "b16.skip", "b8.conv0", "b8.conv1", "b8.skip"]),
        ("orig", ["b16.fromrgb", "b16.conv0", "b16.conv1", "b8.conv0", "b8.conv1", "b4.conv"]),
        ("skip", ["b16.fromrgb", "b16.conv0", "b16.conv1", "b8.fromrgb", "b8.conv0", "b8.conv1"]),
    ],
)
def test_layers_are_frozen_from_the_image_inwards(make_config, architecture, expected):
    config = make_config()
    config = config.replace(discriminator=config.discriminator.replace(architecture=architecture))
    for count in (0, 1, 3, len(expected)):
        D = new_state(config, CPU).D
        freeze_layers(D, count)
        frozen = {name.rpartition(".")[0] for name, p in D.named_parameters() if not p.requires_grad}
        assert frozen == set(expected[:count])


def test_frozen_layers_stay_and_all_others_move(make_config, make_context):
    config = make_config(freeze_d=3)
    state = new_state(config, CPU)
    before = {name: p.detach().clone() for name, p in state.D.named_parameters()}
    train_step(state, make_context(config))
    unmoved = {name for name, p in state.D.named_parameters() if torch.equal(before[name], p)}
    assert unmoved == {f"b16.{layer}" for layer in ("fromrgb.weight", "fromrgb.bias")} | {
        f"b16.{layer}.{name}" for layer in ("conv0", "conv1") for name in ("weight", "bias")
    }
    assert [p.requires_grad for p in state.D.get_submodule("b16").parameters()] == [False] * 6 + [True]


@pytest.mark.parametrize("changes", [{}, {"freeze_d": 2, "freeze_mapping": True, "lr_d": 0.5}])
def test_state_comes_back_from_disk(make_config, make_context, tmp_path, changes):
    config = make_config(**changes)
    state = new_state(config, CPU)
    context = make_context(config)
    for _ in range(2):
        train_step(state, context)
    state.best, state.train_sec = {"step": 1, "kimg": 0.008, "value": 3.5}, 12.5
    state.scale_lr(0.5)
    write_checkpoint(tmp_path / "a", state.to_checkpoint({}))
    other = new_state(config.replace(seed=5), CPU)
    other.config = config
    other.load_checkpoint(read_checkpoint(tmp_path / "a", with_training=True))
    assert (other.step, other.best, other.train_sec, other.lr_scale) == (2, state.best, 12.5, 0.5)
    assert other.optimizer_G.param_groups[0]["lr"] == state.optimizer_G.param_groups[0]["lr"]
    for _ in range(2):
        train_step(state, context)
        train_step(other, context)
    one, two = state.to_checkpoint({}), other.to_checkpoint({})
    assert one.state == two.state
    for tensors, others in ((one.networks, two.networks), (one.training, two.training)):
        assert tensors.keys() == others.keys()
        for name, tensor in tensors.items():
            assert torch.equal(tensor, others[name]), name


@pytest.mark.parametrize("name", ["G.mapping.w_avg", "pl_mean", "optimizer_D.exp_avg.b4.out.bias"])
def test_state_with_a_tensor_missing_is_refused(make_config, make_context, name):
    config = make_config()
    state = new_state(config, CPU)
    train_step(state, make_context(config))
    checkpoint = state.to_checkpoint({})
    del checkpoint.training[name]
    with pytest.raises(CheckpointError, match=name.replace("G.", "G.*")):
        state.load_checkpoint(checkpoint)
