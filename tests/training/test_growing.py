"""The schedule of progressive growing, as a function of the images shown."""

from __future__ import annotations

import math

import pytest

from stylegraft.errors import ConfigError
from stylegraft.training.growing import GrowingConfig, Span, Stage, growing_stages, lr_factor


def schedule(start_lod: int = 2, stable_kimg: float = 600, fade_kimg: float = 600) -> GrowingConfig:
    stages = growing_stages(3, start_lod, Stage(batch=16, micro_batch=8, lr=0.001), lr_rises=True)  # 32 px
    return GrowingConfig(stages=stages, stable_kimg=stable_kimg, fade_kimg=fade_kimg)


@pytest.mark.parametrize(
    ("kimg", "lod"),
    [
        (0, 2),
        (599.999, 2),
        (600, 2),
        (750, 1.75),
        (900, 1.5),
        (1200, 1),
        (1800, 1),
        (1950, 0.75),
        (2400, 0),
        (1e6, 0),
    ],
)
def test_lod_stays_then_falls_to_the_next_size(kimg, lod):
    assert schedule().moment_at(round(kimg * 1000)).lod == lod


def test_lod_never_rises_and_visits_every_phase():
    growing = schedule(start_lod=3, stable_kimg=0.7, fade_kimg=0.3)
    lods = [growing.moment_at(num_images).lod for num_images in range(0, 3200, 7)]
    assert lods == sorted(lods, reverse=True)
    assert {math.floor(lod) for lod in lods} == {0, 1, 2, 3}
    assert all(any(low < lod < low + 1 for lod in lods) for low in range(3))
    assert growing.grown_nimg == 3000
    assert growing.moment_at(2999).lod > 0 == growing.moment_at(3000).lod


def test_lod_is_exact_in_the_networks_float32():
    import numpy as np

    growing = schedule(start_lod=3, stable_kimg=1000, fade_kimg=3000)
    # One image into a fade: rounding up to the whole lod would train with the wrong blocks.
    for num_images in (1_000_001, 1_000_100, 3_999_999, 5_000_003, 7_777_777):
        lod = growing.moment_at(num_images).lod
        assert float(np.float32(lod)) == lod


@pytest.mark.parametrize(("stable", "fade"), [(0.0, 0.4), (0.4, 0.0), (0.1, 0.2), (0.0, 0.0)])
def test_phases_may_be_empty_and_end_at_whole_images(stable, fade):
    growing = schedule(stable_kimg=stable, fade_kimg=fade)
    phase = round((stable + fade) * 1000)
    assert growing.moment_at(2 * phase).lod == 0
    if phase:
        assert growing.moment_at(0).lod == 2
        assert growing.moment_at(phase).lod == 1
        assert growing.moment_at(2 * phase - 1).lod > 0


def test_blocks_at_the_image_change_at_both_ends_of_a_fade():
    growing = schedule()
    blocks = [growing.moment_at(kimg * 1000).blocks_at_image for kimg in (600, 601, 1199, 1200, 1801, 2400)]
    assert blocks == [(2, 2), (1, 2), (1, 2), (1, 1), (0, 1), (0, 0)]
    assert [growing.moment_at(kimg * 1000).halvings for kimg in (0, 601, 1200, 1801)] == [2, 1, 1, 0]


def test_batch_and_rate_are_those_of_the_size_in_use():
    growing = schedule()
    first, fading, last = (growing.moment_at(kimg * 1000) for kimg in (0, 601, 9000))
    assert (first.batch, first.micro_batch, first.lr) == (32, 16, 0.001)  # 8 px: no more than at 16 px
    assert (fading.batch, fading.micro_batch) == (32, 16)  # 16 px
    assert (last.batch, last.micro_batch) == (16, 8)


def test_batches_and_rates_at_1024_px_are_those_of_stylegan():
    stages = growing_stages(8, 7, Stage(batch=32, micro_batch=4, lr=0.003), lr_rises=True)
    assert [stage.batch for stage in stages] == [32, 32, 32, 32, 32, 64, 128, 128]  # 1024 ... 8 px
    assert [stage.micro_batch for stage in stages] == [4, 4, 4, 4, 4, 8, 16, 16]
    expected = [0.003, 0.003, 0.002, 0.0015, 0.001, 0.001, 0.001, 0.001]
    assert [stage.lr for stage in stages] == pytest.approx(expected)


def test_rate_that_the_user_chose_holds_at_every_size():
    stages = growing_stages(6, 5, Stage(batch=4, micro_batch=4, lr=0.002), lr_rises=False)
    assert {stage.lr for stage in stages} == {0.002}


@pytest.mark.parametrize(("doublings", "factor"), [(0, 1), (4, 1), (5, 1.5), (6, 2), (7, 3), (9, 3)])
def test_rate_rises_from_128_px(doublings, factor):
    assert lr_factor(doublings) == factor


def test_growing_needs_two_sizes_and_no_negative_phases():
    with pytest.raises(ConfigError, match="stages"):
        GrowingConfig(stages=(Stage(batch=1, micro_batch=1, lr=0.001),))
    with pytest.raises(ConfigError, match="fade_kimg"):
        schedule(fade_kimg=-1)
    growing = schedule()
    assert GrowingConfig.from_dict(growing.to_dict()) == growing


def test_spans_are_the_parts_of_the_run_by_size():
    growing = schedule(stable_kimg=0.6, fade_kimg=0.4)
    spans = growing.spans()
    assert [(span.first_nimg, span.num_images) for span in spans] == [
        *((0, 600), (1000, 1000), (2000, math.inf)),
    ]
    assert [growing.moment_at(span.first_nimg).halvings for span in spans] == [2, 1, 0]
    # By counting: a fade belongs to the size that fades in, once it has begun.
    halvings = [growing.moment_at(num_images).halvings for num_images in range(2000)]
    assert (halvings.count(2), halvings.count(1)) == (601, 1000)
    assert [span.num_images for span in schedule(stable_kimg=0, fade_kimg=0.5).spans()] == [500, math.inf]
    assert schedule(stable_kimg=0, fade_kimg=0).spans() == [Span(0, math.inf)]
