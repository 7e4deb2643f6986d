import numpy as np

from stylegraft.evaluation.overfitting import Moment, find_overfitting
from stylegraft.metrics.intervals import Interval


def interval(value, error=2.0):
    return Interval(value, value - 2 * error, value + 2 * error, 0.95, error, 2 * error)


def moments(heldout, train=None, copies=None, error=2.0):
    num = len(heldout)
    return [
        Moment(10.0 * (i + 1), interval(t, error), None if h is None else interval(h, error), c)
        for i, (h, t, c) in enumerate(zip(heldout, train or [50.0] * num, copies or [False] * num))
    ]


def test_rising_heldout_distance_is_marked_where_it_leaves_the_noise():
    # 82 at 40 kimg is within the noise of the lowest, 80 at 30 kimg.
    found = find_overfitting(moments([120, 90, 80, 82, 110, 130], train=[120, 90, 75, 70, 60, 50]))
    assert (found.best, found.mark, found.why) == (2, 3, "held-out")
    assert found.sentence == (
        "The run overfits after 40.0 kimg: its distance to held-out images rises, to training images not; "
        "the lowest distance is at 30.0 kimg."
    )


def test_bump_that_goes_away_is_no_overfitting():
    found = find_overfitting(moments([120, 80, 110, 81]))
    assert (found.best, found.mark, found.why) == (1, None, None)
    assert "No sign of overfitting up to 40.0 kimg" in found.sentence


def test_flat_noisy_curve_is_marked_in_few_cases():
    # 5 % of 300 runs are 15; 24 or more have a chance of 2 %.
    random = np.random.RandomState(0)
    marks = [find_overfitting(moments(list(80 + 2 * random.randn(12)))).mark for _ in range(300)]
    assert sum(mark is not None for mark in marks) < 24


def test_run_that_breaks_down_is_not_called_overfitting():
    found = find_overfitting(moments([120, 80, 200], train=[110, 70, 190]))
    assert (found.mark, found.why) == (1, "unstable")
    assert found.sentence.startswith("Training broke down after 20.0 kimg")


def test_copying_is_marked_before_the_distance_rises():
    found = find_overfitting(moments([120, 80, 81, 80], copies=[False, False, True, True]))
    assert (found.mark, found.why) == (1, "copying")


def test_copier_from_the_start_is_marked_there():
    found = find_overfitting(moments([80], copies=[True]))
    assert (found.mark, found.why) == (0, "copying")
    assert "from the first checkpoint on" in found.sentence


def test_single_alarm_that_goes_away_is_no_mark():
    assert find_overfitting(moments([120, 80, 79], copies=[False, True, False])).mark is None


def test_nothing_held_out_says_so():
    found = find_overfitting(moments([None, None], train=[50, 40]))
    assert (found.best, found.mark) == (1, None)
    assert "overfitting cannot be seen" in found.sentence


def test_one_checkpoint_shows_no_course():
    assert "Keep more" in find_overfitting(moments([80])).sentence
