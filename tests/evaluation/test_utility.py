import json

import numpy as np
import pytest

from stylegraft.errors import DataError
from stylegraft.evaluation.utility import ARMS, Draw, Examples, linear_classifier, measure_utility
from stylegraft.evaluation.utility_summary import ArmResult, summarise

NAMES = ("cat", "dog", "owl")
CENTRES = np.random.RandomState(9).randn(3, 10)


def draw(seed, per_class, spread=1.5):
    random = np.random.RandomState(seed)
    classes = np.repeat(np.arange(3), per_class)
    return Examples(CENTRES[classes] + spread * random.randn(len(classes), 10), classes)


def measure(synthetic, *, real=None, test=None, sizes=(5,), **more):
    real = real or draw(0, 20)
    copies = real.inputs[None] + 0.1 * np.random.RandomState(5).randn(2, *real.inputs.shape)
    return measure_utility(
        linear_classifier,
        lambda seed: Draw(real, copies, synthetic),
        test=test or draw(2, 150),
        class_names=NAMES,
        images_per_class=sizes,
        **more,
    )


def test_good_synthetic_images_help_where_real_ones_are_few():
    result = measure(draw(1, 200), sizes=(5, None))
    assert "With 5 real images a class, synthetic images help: +" in result.sentences[0]
    assert result.sentences[1].startswith("With all real images")
    assert [row.arm for row in result.rows] == [*ARMS, *ARMS]
    few = {row.arm: row for row in result.rows[:4]}
    assert few["real_synthetic"].gain.low > 0
    assert few["real"].gain is None
    assert [few[arm].num_train for arm in ARMS] == [15, 45, 615, 600]
    json.dumps(result.to_dict())


def test_synthetic_images_with_wrong_labels_do_harm():
    good = draw(1, 200)
    result = measure(Examples(good.inputs, (good.classes + 1) % 3), sizes=(20,))
    assert "synthetic images do harm: -" in result.sentences[0]
    rows = {row.arm: row for row in result.rows}
    assert rows["synthetic"].accuracy.value < 0.2
    assert all(change < 0 for change in rows["synthetic"].change_per_class.values())


def test_synthetic_images_like_the_real_ones_have_no_clear_effect():
    real = draw(0, 20)
    result = measure(real, real=real, sizes=(None,))
    assert "no clear effect of synthetic images" in result.sentences[0]


def test_numbers_of_a_known_table():
    truth = np.array([0, 0, 0, 0, 1, 1])
    answers = {
        "real": [[0, 0, 1, 1, 1, 1], [0, 0, 0, 1, 1, 0]],
        "real_augmented": [[1, 1, 1, 1, 0, 0]] * 2,
        "real_synthetic": [[0, 0, 0, 0, 1, 1]] * 2,
    }
    results = [
        ArmResult(arm, None, seed, 6, np.array(answer))
        for arm, both in answers.items()
        for seed, answer in enumerate(both)
    ]
    real, augmented, synthetic = summarise(results, truth, ["a", "b"]).rows
    assert real.accuracy.value == pytest.approx(8 / 12)
    # F1: seed 0 has 4/6 and 4/6; seed 1 has 6/8 and 2/4.
    assert real.macro_f1.value == pytest.approx((4 / 6 + (6 / 8 + 2 / 4) / 2) / 2)
    assert real.recall_per_class == pytest.approx({"a": 5 / 8, "b": 3 / 4})
    assert synthetic.change_per_class == pytest.approx({"a": 3 / 8, "b": 1 / 4})
    assert synthetic.gain.value == pytest.approx(1 / 3)
    assert augmented.accuracy.value == 0
    # Per image: gains 0, 0, 1/2, 1, 0, 1/2; between seeds: equal gains, so nothing is added.
    gains = np.array([0, 0, 0.5, 1, 0, 0.5])
    assert synthetic.gain.standard_error == pytest.approx(gains.std(ddof=1) / np.sqrt(6))


def test_interval_of_a_gain_holds_none_about_as_often_as_it_says():
    random = np.random.RandomState(0)
    truth = np.arange(100) % 2
    held = []
    for _ in range(300):
        # Two equally good classifiers; some test images are hard for both.
        hard = random.rand(100) < 0.3
        results = [
            ArmResult(arm, None, seed, 1, truth ^ (random.rand(100) < 0.1 + 0.4 * hard))
            for arm in ("real", "real_augmented", "real_synthetic")
            for seed in range(3)
        ]
        gain = summarise(results, truth, ["a", "b"]).rows[2].gain
        held.append(gain.low <= 0 <= gain.high)
    # Seeds count on both sides of the sum, so it errs on the wide side. 0.92 is 2.4 sigma below 0.95.
    assert np.mean(held) > 0.92


def test_shared_sources_in_the_test_set_widen_the_intervals():
    test = draw(2, 10)
    repeated = Examples(np.tile(test.inputs, (8, 1)), np.tile(test.classes, 8))
    alone = measure(draw(1, 50), test=repeated)
    grouped = measure(draw(1, 50), test=repeated, test_groups=np.tile(np.arange(30), 8))
    assert grouped.rows[0].accuracy.value == alone.rows[0].accuracy.value
    assert grouped.rows[0].accuracy.standard_error > 1.5 * alone.rows[0].accuracy.standard_error


def test_class_without_images_is_named():
    lonely = Examples(np.zeros((4, 10)), np.array([0, 0, 1, 1]))
    with pytest.raises(DataError, match="class 'owl': expected at least one synthetic image"):
        measure(lonely)


def test_one_class_is_refused():
    one = Examples(np.zeros((4, 2)), np.zeros(4, np.int64))
    with pytest.raises(DataError, match="at least 2 classes, got 1"):
        measure_utility(
            linear_classifier,
            lambda seed: Draw(one, one.inputs[None], one),
            test=one,
            class_names=["a"],
        )


def test_progress_counts_every_training():
    seen = []
    measure(draw(1, 10), num_seeds=2, progress=lambda done, total: seen.append((done, total)))
    assert seen == [(i, 8) for i in range(1, 9)]
