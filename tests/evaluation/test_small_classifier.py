import numpy as np
import pytest
import torch

from stylegraft.evaluation.small_classifier import SmallClassifier, classical_augmentation


def stripes(seed, num, channels=3):
    """Class 0 has horizontal stripes, class 1 vertical ones, at any phase and brightness."""
    random = np.random.RandomState(seed)
    classes = np.arange(num) % 2
    wave = np.sin(np.arange(16) * np.pi / 2 + random.rand(num, 1) * 6)
    grey = np.where(classes[:, None, None], wave[:, None, :], wave[:, :, None]) * 60
    images = np.broadcast_to(
        (grey + random.uniform(80, 170, (num, 1, 1)))[..., None], (num, 16, 16, channels)
    )
    return np.clip(images + 20 * random.randn(num, 16, 16, channels), 0, 255).astype(np.uint8), classes


@pytest.mark.parametrize("channels", [1, 3])
def test_network_learns_the_direction_of_stripes(channels):
    train, classes = stripes(0, 40, channels)
    test, truth = stripes(1, 60, channels)
    predicted = SmallClassifier(num_steps=30)(train, classes, test, num_classes=2, seed=0)
    assert (predicted == truth).mean() > 0.9


def test_equal_seeds_give_equal_predictions_and_leave_torch_alone():
    train, classes = stripes(0, 6)
    # Pictures of neither class, on which networks disagree.
    test = np.random.RandomState(1).randint(0, 256, (200, 16, 16, 3)).astype(np.uint8)
    state = torch.random.get_rng_state()
    first, again, other = (
        SmallClassifier(num_steps=12)(train, classes, test, num_classes=2, seed=seed) for seed in (0, 0, 1)
    )
    assert (first == again).all()
    assert (first != other).any()
    assert torch.equal(torch.random.get_rng_state(), state)


def test_classical_augmentation_moves_but_keeps_the_picture():
    images, _ = stripes(0, 5)
    copies = classical_augmentation(images, 3)
    assert copies.shape == (3, 5, 16, 16, 3)
    assert copies.dtype == np.uint8
    assert (copies == classical_augmentation(images, 3)).all()
    assert not (copies[0] == copies[1]).all()
    # Brightness stays within 15 %, give or take pixels that left the picture.
    ratio = copies.mean(axis=(2, 3, 4)) / images.mean(axis=(1, 2, 3))
    assert ratio.min() > 0.75
    assert ratio.max() < 1.25


def test_classical_augmentation_mirrors_only_where_it_may():
    image = np.zeros((1, 16, 16, 1), np.uint8)
    image[:, :, 8:] = 200  # the right half is light, wherever a shift by an eighth puts its edge
    for mirror in (False, True):
        copies = classical_augmentation(image, 40, mirror=mirror)[:, 0, :, :, 0].astype(float)
        mirrored = copies[:, :, :6].mean(axis=(1, 2)) > copies[:, :, 10:].mean(axis=(1, 2))
        assert mirrored.any() == mirror
        assert not mirrored.all()
