import numpy as np
import pytest
from references import arrays, expected
from scipy.special import softmax

from stylegraft.errors import InputError
from stylegraft.metrics import inception_score


@pytest.fixture
def probabilities():
    return softmax(arrays()["is/logits"].astype(np.float64), axis=1)


def test_score_against_nvidia(probabilities):
    found = inception_score(probabilities)
    # Its probabilities are in single precision, which the deviation over ten parts shows most.
    assert (found.mean, found.std) == pytest.approx(expected()["nv_is_2000x50_splits10"], rel=2e-6)


@pytest.mark.parametrize(("seed", "kind"), [(None, "noshuffle"), (2020, "shuffle2020")])
def test_score_against_torch_fidelity(probabilities, seed, kind):
    found = inception_score(probabilities, shuffle_seed=seed)
    values = expected()[f"tfid_isc_2000x50_splits10_{kind}"]
    # Double precision on both sides.
    assert found.mean == pytest.approx(values["inception_score_mean"], rel=1e-12)
    assert found.std == pytest.approx(values["inception_score_std"], rel=1e-10)


def test_certain_predictions_of_all_classes_score_the_number_of_classes():
    # Probabilities of exactly zero, where the originals give NaN.
    assert inception_score(np.eye(7)[np.arange(70) % 7], num_splits=2).mean == pytest.approx(7)


def test_logits_and_too_few_images_are_refused(probabilities):
    with pytest.raises(ValueError, match="sum to one"):
        inception_score(arrays()["is/logits"])
    with pytest.raises(InputError, match="at least 10 fake images, got 9"):
        inception_score(probabilities[:9])
