"""From flags and a set to resolved settings."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np
import pytest
from PIL import Image

from stylegraft.data.config import DataConfig
from stylegraft.data.reader import open_image_set
from stylegraft.errors import InputError
from stylegraft.training.config import RunConfig, TrainOptions
from stylegraft.training.plan import DEFAULT_MINUTES, plan_run
from stylegraft.training.presets import (
    STYLEGAN1,
    STYLEGAN2,
    learning_rate,
    path_length_weight,
    preset_data,
    r1_gamma,
)


@pytest.fixture
def plan(dataset) -> Callable[..., RunConfig]:
    def make(device_type: str = "cpu", **flags: Any) -> RunConfig:
        data = DataConfig()
        images = open_image_set(dataset, data)
        return plan_run(TrainOptions(**flags), images, images.split(), data, device_type, "fp32")

    return make


@pytest.mark.parametrize(
    ("device_type", "preset", "row"),
    [
        ("cpu", "auto", "lite"),
        ("cuda", "auto", "standard"),
        ("cpu", "paper", "paper"),
        ("cuda", "lite", "lite"),
    ],
)
def test_preset_fills_what_was_left_open(plan, device_type, preset, row):
    config, values = plan(device_type, preset=preset), STYLEGAN2[row]
    mapping = config.generator.mapping
    assert (mapping.z_dim, mapping.w_dim) == (values.latent_dim,) * 2
    assert mapping.num_layers == values.mapping_layers
    assert (config.lr, config.mixing_prob) == (values.lr, values.mixing_prob)
    largest = min(values.channel_base // 4, values.channel_max)
    assert config.generator.channels[0] == config.discriminator.channels[0] == largest
    assert config.batch == config.micro_batch == min(values.batch, 32)
    assert config.r1_gamma == pytest.approx(values.gamma_scale * 0.0002 * 16 * 16 / config.batch)
    assert config.ada.kimg == values.ada_kimg
    assert config.pl_weight == 0  # below 64 px
    assert (config.total_kimg, config.total_minutes) == (None, DEFAULT_MINUTES)


def test_flags_win_over_the_preset(plan):
    flags = {"batch": 12, "micro_batch": 6, "lr": 0.01, "gamma": 0.0, "mixing_prob": 0.0, "pl_weight": 1.5}
    flags |= {"ema_kimg": 3.0, "ema_rampup": 0.0, "seed": 7, "kimg": 5.0}
    flags |= {"lr_mapping": 0.1, "lr_synthesis": 0.5, "lr_d": 2.0}
    config = plan(**flags, z_dim=6, w_dim=10, mapping_layers=3, channel_base=64, channel_max=8)
    for name, value in flags.items():
        resolved = {"gamma": "r1_gamma", "kimg": "total_kimg"}.get(name, name)
        assert getattr(config, resolved) == value, name
    assert config.total_minutes is None
    assert config.generator.channels == (8, 8, 4)
    assert config.generator.mapping.to_dict() | {"z_dim": 6, "w_dim": 10, "num_layers": 3} == (
        config.generator.mapping.to_dict()
    )


def test_classes_reach_both_networks(plan):
    config = plan()
    assert config.generator.mapping.c_dim == 2
    assert config.discriminator.mapping is not None
    label_mapping = config.discriminator.mapping
    assert (label_mapping.z_dim, label_mapping.c_dim, label_mapping.w_avg_beta) == (0, 2, None)


def test_groups_share_a_class_where_there_are_classes(plan, dataset):
    assert plan().label_groups
    assert not plan(label_groups=False).label_groups
    assert plan(balance_classes=True).balance_classes
    data = DataConfig(labels="none")
    images = open_image_set(dataset, data)

    def without_classes(**flags: Any) -> RunConfig:
        return plan_run(TrainOptions(**flags), images, images.split(), data, "cpu", "fp32")

    assert not without_classes().label_groups
    with pytest.raises(InputError, match="--balance-classes: expected a set with classes"):
        without_classes(balance_classes=True)
    with pytest.raises(InputError, match="--balance-classes: expected --label-groups"):
        plan(balance_classes=True, label_groups=False)


def test_batch_of_a_tiny_set_is_no_larger_than_the_set(tmp_path):
    for index in range(5):
        pixels = np.random.default_rng(index).integers(0, 255, [16, 16], dtype=np.uint8)
        Image.fromarray(pixels).save(tmp_path / f"{index}.png")
    images = open_image_set(tmp_path, DataConfig())
    config = plan_run(TrainOptions(), images, images.split(), DataConfig(), "cpu", "bf16")
    assert config.batch == config.micro_batch == 4
    assert config.generator.img_channels == config.discriminator.img_channels == 1
    assert config.generator.mapping.c_dim == 0
    assert config.discriminator.mapping is None
    assert config.precision == "bf16"


def test_micro_batch_that_does_not_divide_is_refused_with_one_that_does(plan):
    with pytest.raises(InputError, match=r"--micro-batch 6: expected a divisor of the batch, 8\. .* 2\."):
        plan(batch=8, micro_batch=6)


@pytest.mark.parametrize(
    ("micro_batch", "group"), [(1, 4), (2, 4), (4, 4), (5, 5), (6, 6), (8, 4), (9, 9), (10, 5)]
)
def test_minibatch_std_group_divides_the_micro_batch(plan, micro_batch, group):
    config = plan(batch=micro_batch)
    assert config.discriminator.mbstd_group_size == group
    assert micro_batch % min(group, micro_batch) == 0


@pytest.mark.parametrize(
    ("flags", "mode", "p", "cap"),
    [
        ({}, "adaptive", 0.0, 0.8),
        ({"aug_p": 0.25, "ada_p_max": 0.5}, "adaptive", 0.25, 0.5),
        ({"aug": "fixed"}, "fixed", 0.2, 1.0),
        ({"aug": "fixed", "aug_p": 0.9}, "fixed", 0.9, 1.0),
    ],
)
def test_augmentation_follows_its_flags(plan, flags, mode, p, cap):
    config = plan(**flags)
    assert (config.ada.mode, config.ada.p, config.ada.cap) == (mode, p, cap)
    assert config.augment is not None


def test_no_augmentation_moves_no_p(plan):
    config = plan(aug="none")
    assert config.augment is None
    assert (config.ada.mode, config.ada.p) == ("fixed", 0)


def test_formulas_of_the_automatic_setup():
    assert r1_gamma(STYLEGAN2["paper"], 256, 256, 64) == pytest.approx(0.2048)
    assert r1_gamma(STYLEGAN2["lite"], 64, 64, 8) == pytest.approx(2.048)
    assert path_length_weight(STYLEGAN2["standard"], 64, 64) == 2
    assert path_length_weight(STYLEGAN2["standard"], 32, 32) == 0


def test_plan_survives_its_file(plan):
    config = plan(batch=8, conv_clamp=256.0)
    assert RunConfig.from_dict(config.to_dict()) == config


def test_stylegan1_grows_from_8_px_as_published(plan):
    config = plan(preset="paper", family="stylegan1", batch=8)
    assert config.family == config.generator.family == config.discriminator.family == "stylegan1"
    assert config.growing is not None
    assert (config.growing.start_lod, config.growing.stable_kimg, config.growing.fade_kimg) == (1, 600, 600)
    assert (config.lr, config.adam_betas, config.adam_eps) == (0.001, (0, 0.99), 1e-8)
    assert (config.r1_gamma, config.r1_interval, config.pl_weight) == (10, 1, 0)
    assert (config.ema_kimg, config.ema_rampup, config.mixing_prob) == (10, 0, 0.9)
    assert config.augment is None
    assert config.generator.mapping.num_layers == 8
    assert config.generator.channels == config.discriminator.channels == (512, 512, 512)
    assert config.generator.mapping.c_dim == config.discriminator.c_dim == 2
    assert RunConfig.from_dict(config.to_dict()) == config


def test_stylegan1_can_be_augmented(plan):
    config = plan(family="stylegan1", aug="ada")
    assert config.augment is not None
    assert config.ada.mode == "adaptive"


@pytest.mark.parametrize(
    ("flags", "start_lod"),
    [
        ({"grow_from": 4}, 2),
        ({"grow_from": 5}, 1),
        ({"grow_from": 16}, 0),
        ({"start_lod": 2}, 2),
        ({"start_lod": 0}, 0),
        ({"preset": "study-v1"}, 0),
        ({"preset": "study-v1", "grow_from": 8}, 1),
    ],
)
def test_user_decides_where_growing_begins(plan, flags, start_lod):
    config = plan(**{"family": "stylegan1"} | flags)
    assert (config.growing.start_lod if config.growing else 0) == start_lod


@pytest.mark.parametrize(
    ("flags", "message"),
    [
        ({"grow_from": 2}, "--grow-from 2: expected 4 to 16 px"),
        ({"grow_from": 32}, "--grow-from 32: expected 4 to 16 px"),
        ({"start_lod": 3}, "--start-lod 3: expected at most 2, which is 4 px of 16"),
        ({"start_lod": 1, "grow_from": 8}, "--grow-from, --start-lod: expected one"),
        ({"family": "stylegan2", "fade_kimg": 5.0}, "--fade-kimg: StyleGAN2 does not grow"),
        ({"family": "stylegan2", "preset": "study-v1"}, "--preset study-v1: expected one of lite"),
        ({"g_arch": "resnet"}, "--g-arch: StyleGAN v1 has no such choice"),
    ],
)
def test_flags_that_do_not_fit_the_family_are_refused(plan, flags, message):
    with pytest.raises(InputError, match=message):
        plan(**{"family": "stylegan1"} | flags)


def test_rate_of_stylegan1_rises_with_the_size_unless_it_is_chosen():
    published, study = STYLEGAN1["paper"], STYLEGAN1["study-v1"]
    assert [learning_rate(published, doublings) for doublings in (4, 5, 6, 8)] == [
        0.001,
        0.0015,
        0.002,
        0.003,
    ]
    assert learning_rate(study, 8) == 0.001


def test_rate_of_a_growing_run_is_the_users_at_every_size(plan):
    config = plan(family="stylegan1", lr=0.002)
    assert config.growing is not None
    assert {stage.lr for stage in config.growing.stages} == {config.lr} == {0.002}


def test_study_mirrors_its_images():
    assert preset_data(TrainOptions(preset="study-v1"), DataConfig()).mirror
    assert not preset_data(TrainOptions(preset="lite"), DataConfig()).mirror
