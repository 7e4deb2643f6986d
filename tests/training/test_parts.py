"""Frozen parts stay bit by bit, all others move; each part moves at its own rate."""

from __future__ import annotations

from typing import Any

import pytest
import torch

from stylegraft.checkpoints.opening import OpenedCheckpoint
from stylegraft.errors import InputError
from stylegraft.training.config import TrainOptions
from stylegraft.training.plan_freezing import check_freezing
from stylegraft.training.state import new_state
from stylegraft.training.step import train_step

CPU = torch.device("cpu")


def unmoved(state, make_context, steps: int = 2) -> set[str]:
    before = {name: p.detach().clone() for name, p in state.G.named_parameters()}
    context = make_context(state.config)
    for _ in range(steps):
        train_step(state, context)
    return {name for name, p in state.G.named_parameters() if torch.equal(before[name], p)}


@pytest.mark.parametrize("precision", ["fp32", "bf16"])
@pytest.mark.parametrize(("mapping", "blocks"), [(True, 0), (False, 2), (True, 2), (False, 3)])
def test_frozen_parts_stay_and_all_others_move(make_config, make_context, precision, mapping, blocks):
    # Step 0 has path length, which differentiates by w, and R1.
    config = make_config(freeze_mapping=mapping, freeze_synthesis=blocks, precision=precision)
    state = new_state(config, CPU)
    frozen = tuple(f"synthesis.b{4 << block}." for block in range(blocks)) + ("mapping.",) * mapping
    expected = {name for name, _ in state.G.named_parameters() if name.startswith(frozen)}
    assert unmoved(state, make_context) == expected
    assert expected


def test_w_avg_of_a_frozen_mapping_network_still_follows_it(make_config, make_context):
    state = new_state(make_config(freeze_mapping=True), CPU)
    unmoved(state, make_context, steps=1)
    assert state.G.mapping.w_avg.abs().max() > 0


def test_each_part_has_its_rate(make_config):
    config = make_config(lr=0.002, lr_mapping=0.1, lr_synthesis=0.5, lr_d=2.0, pl_weight=0.0, r1_gamma=0.0)
    state = new_state(config, CPU)
    state.scale_lr(0.5)
    rates = {}
    for network, optimizer in ((state.G, state.optimizer_G), (state.D, state.optimizer_D)):
        names = {parameter: name for name, parameter in network.named_parameters()}
        for group in optimizer.param_groups:
            for parameter in group["params"]:
                part = "D" if network is state.D else names[parameter].split(".")[0]
                rates.setdefault(part, set()).add(group["lr"])
    assert rates == {"mapping": {0.0001}, "synthesis": {0.0005}, "D": {0.002}}


def test_first_step_is_as_long_as_the_parts_rate(make_config, make_context):
    # Adam's first step is the rate, whatever the gradient.
    config = make_config(lr=0.002, lr_synthesis=0.25, lr_d=2.0, pl_weight=0.0, r1_gamma=0.0)
    state = new_state(config, CPU)
    networks = {"G": state.G, "D": state.D}
    before = {
        f"{key}.{name}": p.detach().clone()
        for key, network in networks.items()
        for name, p in network.named_parameters()
    }
    train_step(state, make_context(config))
    for name, rate in (
        ("G.synthesis.b8.conv0.bias", 0.0005),
        ("G.mapping.fc0.bias", 0.002),
        ("D.b8.conv0.bias", 0.004),
    ):
        key, _, rest = name.partition(".")
        moved = (networks[key].get_parameter(rest).detach() - before[name]).abs().max()
        assert float(moved) == pytest.approx(rate, rel=1e-3)


def test_factors_of_one_change_nothing(make_config, make_context):
    """Groups hold the parameters in the network's order, so that sums over processes are what they were."""
    state = new_state(make_config(), CPU)
    grouped = [p for group in state.optimizer_G.param_groups for p in group["params"]]
    assert all(one is other for one, other in zip(grouped, state.G.parameters(), strict=True))


@pytest.fixture
def check(make_config):
    config = make_config(c_dim=2)

    def run(source: bool = True, D: bool = True, changes: dict[str, Any] | None = None, **flags: Any) -> None:
        opened = OpenedCheckpoint(config.generator, config.discriminator if D else None, {}, {})
        generator = config.generator.replace(**changes or {})
        check_freezing(TrainOptions(**flags), opened if source else None, generator)

    return run


LARGER = {"img_height": 32, "img_width": 32, "channels": (8, 8, 8, 8)}
WIDER = {"channels": (8, 8, 12)}


def test_what_can_be_frozen_is(check, make_config):
    check(source=False)
    check(freeze_d=2, freeze_mapping=True, freeze_synthesis=2)
    check(freeze_synthesis=3)
    check(freeze_synthesis=3, freeze_mapping=True, changes=LARGER)
    check(freeze_synthesis=2, changes=WIDER)
    mapping = make_config(c_dim=0).generator.mapping
    check(freeze_mapping=True, changes={"mapping": mapping})  # without classes nothing is new


@pytest.mark.parametrize(
    ("changes", "says"),
    [
        ({"source": False, "freeze_d": 1}, "^--freeze-d: expected --from"),
        (
            {"source": False, "freeze_mapping": True, "freeze_synthesis": 1},
            "^--freeze-mapping, --freeze-synth",
        ),
        ({"D": False, "freeze_d": 1}, "--freeze-d 1: the source of --from has no discriminator"),
        ({"freeze_d": 1, "changes": LARGER}, "have 16x16 px and the set's 32x32. .* --size 16x16 --fit crop"),
        ({"freeze_d": 1, "changes": WIDER}, "--freeze-d 1: some of D's feature maps"),
        ({"freeze_d": 9}, "--freeze-d 9: expected at most 8, so many convolutions"),
        ({"freeze_synthesis": 4}, "--freeze-synthesis 4: expected at most 3 blocks"),
        ({"freeze_synthesis": 4, "changes": LARGER}, "--freeze-synthesis 4: expected at most 3 blocks"),
        ({"freeze_synthesis": 3, "freeze_mapping": True}, "expected at most 2 blocks"),
        ({"freeze_synthesis": 3, "changes": WIDER}, "some feature maps of these blocks are new"),
    ],
)
def test_freezing_what_has_learned_nothing_is_refused(check, changes, says):
    with pytest.raises(InputError, match=says):
        check(**changes)


def test_new_classes_cannot_be_learned_by_a_frozen_mapping_network(check, make_config):
    mapping = make_config(c_dim=3).generator.mapping
    with pytest.raises(InputError, match="--freeze-mapping: expected the source's 2 classes"):
        check(freeze_mapping=True, changes={"mapping": mapping})
