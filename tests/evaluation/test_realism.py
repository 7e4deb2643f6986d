import numpy as np

from stylegraft.evaluation.realism import realism


def test_realism_is_the_largest_ratio_of_radius_and_distance():
    real = np.array([[0.0], [1.0], [2.0], [3.0], [4.0], [40.0], [50.0]])
    fake = np.array([[2.5], [7.0], [45.0]])
    # Radii to the third neighbour: 3, 2, 2, 2, 3, 38, 47; those up to the median of 3 have a say.
    expected = [2 / 0.5, 3 / 3, 3 / 41]
    np.testing.assert_allclose(realism(fake, real), expected, rtol=1e-5)


def test_realism_of_copies_is_finite_and_above_all_others():
    real = np.random.RandomState(0).randn(20, 4)
    scores = realism(np.concatenate([real[:10], real[:10] + 0.1]), real)
    assert np.isfinite(scores).all()
    # Copies of images whose radius is above the median have no advantage.
    assert (scores > 1e6).sum() >= 3
    assert (scores[10:] < 1e3).all()


def test_realism_beside_repeated_real_images_is_finite():
    real = np.repeat(np.random.RandomState(0).randn(5, 4), 5, axis=0)
    assert np.isfinite(realism(np.zeros((3, 4)), real)).all()
