"""Steps of a StyleGAN v1 that grows from 4 to 16 px: what they compute, what moves, when Adam starts anew."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest
import torch

from stylegraft.checkpoints.native import read_checkpoint, write_checkpoint
from stylegraft.losses.regularisers import r1_penalty
from stylegraft.networks.stylegan1.config import DiscriminatorConfig, GeneratorConfig, MappingConfig
from stylegraft.networks.stylegan1.resample import nearest_upscale
from stylegraft.runtime.random import Key
from stylegraft.training import step as step_module
from stylegraft.training.adam import Adam
from stylegraft.training.config import RunConfig
from stylegraft.training.fading import fade_reals, layers_from_image, synthesize
from stylegraft.training.growing import GrowingConfig, Stage
from stylegraft.training.state import TrainState, new_state
from stylegraft.training.step import train_step

CPU = torch.device("cpu")
FADING_IN_8_PX, FADING_IN_16_PX, GROWN = 24, 56, 64
"""Images shown: 16 at 4 px, 16 to fade in 8 px, 16 at 8 px, 16 to fade in 16 px."""


@pytest.fixture
def make_growing(make_config) -> Callable[..., RunConfig]:
    """A run with batches of 8, 4 and 4 images at 4, 8 and 16 px."""

    def make(c_dim: int = 0, **changes: Any) -> RunConfig:
        sizes: dict[str, Any] = {"img_height": 16, "img_width": 16, "channels": (8, 8, 8)}
        mapping = MappingConfig(z_dim=8, c_dim=c_dim, w_dim=8, num_layers=2)
        stages = (
            Stage(batch=4, micro_batch=4, lr=0.003),
            Stage(batch=4, micro_batch=4, lr=0.002),
            Stage(batch=8, micro_batch=8, lr=0.001),
        )
        values: dict[str, Any] = {
            "family": "stylegan1",
            "generator": GeneratorConfig(**sizes, mapping=mapping),
            "discriminator": DiscriminatorConfig(**sizes, c_dim=c_dim),
            "batch": 4,
            "micro_batch": 4,
            "lr": 0.003,
            "growing": GrowingConfig(stages=stages, stable_kimg=0.016, fade_kimg=0.016),
            "r1_interval": 1,
            "r1_gamma": 10.0,
            "pl_weight": 0.0,
            "augment": None,
        }
        return make_config(**values | changes)

    return make


def state_at(config: RunConfig, num_images: int) -> TrainState:
    """A state whose weights are all random: noise and image layers start at zero."""
    state = new_state(config, CPU)
    with torch.no_grad():
        for index, parameter in enumerate(state.G.parameters()):
            parameter.add_(0.1 * Key.of(index).normal([0], parameter.shape)[0])
    state.num_images = num_images
    return state


def adam_steps(optimizer: Adam) -> set[int]:
    return {int(values["step"]) for values in optimizer.state.values()}


def moved(state: TrainState, act: Callable[[], None]) -> set[str]:
    """Names of the parameters of G and D that an act changes."""
    named = [(f"{n}.{name}", p) for n in ("G", "D") for name, p in getattr(state, n).named_parameters()]
    before = [parameter.detach().clone() for _, parameter in named]
    act()
    return {name for (name, parameter), old in zip(named, before) if not torch.equal(parameter, old)}


@pytest.mark.parametrize("lod", [0, 0.25, 1, 1.75, 2])
def test_faded_reals_are_those_of_full_size_without_repeated_pixels(lod):
    images = Key.of(0).normal([0, 1], [3, 16, 16])

    def halved(times: int) -> torch.Tensor:
        """Of full size, each square of pixels replaced by its mean."""
        side = 2**times
        means = images.reshape(2, 3, 16 // side, side, 16 // side, side).mean(dim=(3, 5))
        return means.repeat_interleave(side, 2).repeat_interleave(side, 3)

    faded = fade_reals(images, lod)
    assert faded.shape[2] == 16 >> int(lod)
    share = lod - int(lod)
    expected = (1 - share) * halved(int(lod)) + share * halved(int(lod) + 1)
    torch.testing.assert_close(nearest_upscale(faded, 16 // faded.shape[2]), expected)


@pytest.mark.parametrize("num_images", [0, FADING_IN_8_PX, 32, FADING_IN_16_PX, GROWN])
def test_shrunken_images_tell_d_and_r1_what_full_size_would(make_growing, num_images):
    state = state_at(make_growing(), num_images)
    now = state.begin_step()
    G, D = state.G, state.D
    ws = G.mapping(Key.of(1).normal(range(4), [8]))
    noise = [Key.of(2).normal(range(4), [1, h, w]) for h, w in G.synthesis.noise_shapes]
    used = G.num_ws_in_use(now.lod)
    small = synthesize(G, ws, noise[:used])
    full = G.synthesis(ws, noise_mode="random", noise=noise)
    assert small.shape[2] == 16 >> now.halvings
    torch.testing.assert_close(nearest_upscale(small, 1 << now.halvings), full)
    penalties = []
    for images in (small.detach().requires_grad_(), full.detach().requires_grad_()):
        logits = D(images, None)
        penalties.append((logits.detach(), r1_penalty(images, logits).detach()))
    torch.testing.assert_close(penalties[0][0], penalties[1][0])
    torch.testing.assert_close(penalties[0][1] / 4**now.halvings, penalties[1][1])


@pytest.mark.parametrize(
    ("num_images", "blocks", "images_of"),
    [
        (0, {"b4"}, {"b4"}),
        (FADING_IN_8_PX, {"b4", "b8"}, {"b4", "b8"}),
        (32, {"b4", "b8"}, {"b8"}),
        (FADING_IN_16_PX, {"b4", "b8", "b16"}, {"b8", "b16"}),
        (GROWN, {"b4", "b8", "b16"}, {"b16"}),
    ],
)
def test_only_layers_in_use_move(make_growing, make_context, num_images, blocks, images_of):
    config = make_growing()
    state = state_at(config, num_images)
    names = moved(state, lambda: train_step(state, make_context(config)))
    expected = set()
    for network in ("G", "D"):
        for name, _ in getattr(state, network).named_parameters():
            block = next((part for part in name.split(".") if part[1:].isdigit() and part[0] == "b"), None)
            is_image_layer = "rgb" in name
            if block is None or block in (images_of if is_image_layer else blocks):
                expected.add(f"{network}.{name}")
    assert names == expected
    assert adam_steps(state.optimizer_G) == adam_steps(state.optimizer_D) == {1}


def test_step_has_batch_rate_and_lod_of_its_moment(make_growing, make_context):
    config = make_growing()
    state, context = new_state(config, CPU), make_context(config)
    shown = []
    for _ in range(12):
        before = state.num_images
        train_step(state, context)
        (lr,) = {
            group["lr"]
            for optimizer in (state.optimizer_G, state.optimizer_D)
            for group in optimizer.param_groups
        }  # R1 in every step needs no correction
        assert state.G.lod == state.D.lod == state.G_ema.lod == state.lod
        shown.append((before, state.num_images - before, lr, state.lod))
    assert shown[:5] == [
        *((0, 8, 0.001, 2), (8, 8, 0.001, 2), (16, 8, 0.001, 2)),  # the fade is at 0 here
        *((24, 4, 0.002, 1.5), (28, 4, 0.002, 1.25)),
    ]
    assert shown[-1] == (56, 4, 0.003, 0.5)
    assert state.num_images == 60
    assert state.kimg == 0.06


def test_adam_starts_anew_when_the_blocks_at_the_image_change(make_growing, make_context):
    config = make_growing()
    state, context = new_state(config, CPU), make_context(config)
    history = []
    for _ in range(16):
        before = state.num_images
        train_step(state, context)
        history.append((before, adam_steps(state.optimizer_G), adam_steps(state.optimizer_D)))
    steps = [(before, max(of_G)) for before, of_G, _ in history]
    assert all(of_G == of_D and len(of_G) == 1 for _, of_G, of_D in history)
    assert steps == [
        *((0, 1), (8, 2), (16, 3)),
        *((24, 1), (28, 2)),  # fading
        *((32, 1), (36, 2), (40, 3), (44, 4), (48, 5)),  # 8 px
        *((52, 1), (56, 2), (60, 3)),  # fading
        *((64, 1), (68, 2), (72, 3)),
    ]


def test_mixing_happens_among_the_layers_in_use(make_growing):
    for num_images, last in ((0, 2), (FADING_IN_8_PX, 4), (GROWN, 6)):
        state = state_at(make_growing(), num_images)
        state.begin_step()
        ws = step_module._draw_ws(state.G, Key.of(3), range(64), None, 1.0, CPU)
        changes = (ws[:, 1:] != ws[:, :-1]).any(dim=2)
        assert changes.any(dim=0).tolist() == [layer < last - 1 for layer in range(5)]
        assert (changes.sum(dim=1) == 1).all()


def test_r1_in_every_step_is_part_of_the_one_step_of_d(make_growing, make_context):
    gradients = []
    for gamma in (0.0, 6.0):
        config = make_growing(r1_gamma=gamma)
        state, context = state_at(config, FADING_IN_8_PX), make_context(config)
        train_step(state, context)
        gradients.append(state.D.get_submodule("b8").conv0.weight.grad)
        assert adam_steps(state.optimizer_D) == {1}
        assert ("r1_penalty" in state.meters.counts) == (gamma > 0)
    state = state_at(config, FADING_IN_8_PX)
    now = state.begin_step()
    images, _ = context.reals(FADING_IN_8_PX, range(4))
    images = fade_reals(images, now.lod).requires_grad_()
    penalty = r1_penalty(images, state.D(images, None)).mean() / 4  # 8 px of 16: a quarter of the pixels
    (expected,) = torch.autograd.grad(6.0 / 2 * penalty, [state.D.get_submodule("b8").conv0.weight])
    # Gradients sum the losses in another order: float32 noise.
    torch.testing.assert_close(gradients[1] - gradients[0], expected, rtol=1e-3, atol=1e-6)


@pytest.mark.parametrize("precision", ["fp32", "bf16"])
@pytest.mark.parametrize("c_dim", [0, 2])
def test_state_comes_back_from_disk_in_a_fade(make_growing, make_context, tmp_path, precision, c_dim):
    config = make_growing(precision=precision, c_dim=c_dim)
    state, context = new_state(config, CPU), make_context(config)
    for _ in range(4):
        train_step(state, context)
    assert state.lod == 1.5
    write_checkpoint(tmp_path / "a", state.to_checkpoint({}))
    other = new_state(config.replace(seed=5), CPU)
    other.config = config
    other.load_checkpoint(read_checkpoint(tmp_path / "a", with_training=True))
    assert (other.num_images, other.lod, other.G_ema.lod) == (28, 1.5, 1.5)
    for _ in range(4):  # to 8 px, where Adam starts anew
        train_step(state, context)
        train_step(other, context)
    assert adam_steps(other.optimizer_G) == {3}
    one, two = state.to_checkpoint({}), other.to_checkpoint({})
    assert one.state == two.state
    for tensors, others in ((one.networks, two.networks), (one.training, two.training)):
        assert tensors.keys() == others.keys()
        for name, tensor in tensors.items():
            assert torch.equal(tensor, others[name]), name


def test_shrunken_images_can_be_augmented(make_growing, make_context):
    from stylegraft.augment.config import augment_preset

    config = make_growing(augment=augment_preset("bgc"))
    state, context = new_state(config, CPU), make_context(config)
    for _ in range(10):
        train_step(state, context)
    assert state.ada.p > 0
    assert all(bool(torch.isfinite(parameter).all()) for parameter in state.G.parameters())


def test_frozen_layers_are_those_that_images_of_full_size_pass(make_growing, make_context):
    config = make_growing(growing=None, freeze_d=4)
    state = state_at(config, 0)
    names = {module: name for name, module in state.D.named_modules()}
    order = [names[layer] for layer in layers_from_image(state.D)]
    assert order == ["b16.fromrgb", "b16.conv0", "b16.conv1", "b8.conv0", "b8.conv1", "b4.conv"]
    unmoved = {f"D.{name}" for name, _ in state.D.named_parameters()}
    unmoved -= moved(state, lambda: train_step(state, make_context(config)))
    frozen = {f"D.{layer}.{kind}" for layer in order[:4] for kind in ("weight", "bias")}
    others = {f"D.{block}.fromrgb.{kind}" for block in ("b4", "b8") for kind in ("weight", "bias")}
    assert unmoved == frozen | others
