import numpy as np
import pytest

from stylegraft.errors import InputError
from stylegraft.metrics.separability import (
    attribute_probabilities,
    conditional_entropy,
    linear_separability,
    train_attribute_classifiers,
)


def sigmoid(x):
    return 1 / (1 + np.exp(-x))


@pytest.fixture
def latents():
    return np.random.RandomState(0).randn(600, 8)


def test_attributes_that_are_half_spaces_are_perfectly_separable(latents):
    found = linear_separability(latents, sigmoid(5 * latents[:, :2]), attributes=["smile", "hat"])
    assert set(found.entropies) == {"smile", "hat"}
    assert found.value == pytest.approx(1, abs=1e-9)


def test_attribute_without_relation_to_the_latents_costs_its_whole_entropy(latents):
    coin = np.random.RandomState(1).rand(600, 1)
    # Two equal answers hold ln 2; a hyperplane in 8 dimensions fits a little of the chance in 300 of them.
    assert linear_separability(latents, coin).value == pytest.approx(2, abs=0.12)


def test_entropies_add_up_in_the_exponent(latents):
    coins = np.random.RandomState(2).rand(600, 2)
    both = linear_separability(latents, coins)
    assert both.value == pytest.approx(np.exp(sum(both.entropies.values())))
    assert both.value > 3


def test_least_confident_half_is_left_out(latents):
    probability = sigmoid(5 * latents[:, :1])
    unsure = np.abs(latents[:, 0]) < np.median(np.abs(latents[:, 0]))
    # Where the classifier is unsure, it is also wrong.
    probability[unsure] = 1 - probability[unsure]
    assert linear_separability(latents, probability).value == pytest.approx(1, abs=1e-9)
    assert linear_separability(latents, probability, keep=1.0).value > 1.5


def test_attribute_that_all_have_is_skipped_and_named(latents):
    probability = np.stack([sigmoid(latents[:, 0]), np.full(600, 0.9)], axis=1)
    assert linear_separability(latents, probability, attributes=["hat", "face"]).skipped == ("face",)
    with pytest.raises(InputError, match="got none"):
        linear_separability(latents, probability[:, 1:])


def test_conditional_entropy_of_a_known_table():
    x = np.array([0, 0, 0, 0, 1, 1, 1, 1], bool)
    y = np.array([0, 0, 0, 1, 1, 1, 1, 1], bool)
    by_hand = 0.5 * -(0.75 * np.log(0.75) + 0.25 * np.log(0.25))
    assert conditional_entropy(y, x) == pytest.approx(by_hand)
    assert conditional_entropy(x, x) == pytest.approx(0)


def test_classifiers_trained_from_labels_know_other_images(latents):
    attributes = latents[:, :3] > 0.3
    classifiers = train_attribute_classifiers(latents[:400], attributes[:400])
    probabilities = attribute_probabilities(classifiers, latents[400:])
    assert probabilities.shape == (200, 3)
    assert ((probabilities > 0.5) == attributes[400:]).mean() > 0.9
    with pytest.raises(InputError, match="attribute 0"):
        train_attribute_classifiers(latents, np.ones((600, 1), bool))
