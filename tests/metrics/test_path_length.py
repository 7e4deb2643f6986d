from functools import cache
from pathlib import Path

import numpy as np
import pytest
import torch
from references import arrays, expected

import stylegraft
from stylegraft.errors import RunError
from stylegraft.metrics.path_length import path_length, prepared, slerp, step_lengths, trimmed
from stylegraft.metrics.settings import PathLengthSetting, named_setting

CHECKPOINT = Path(__file__).parents[1] / "reference" / "nvidia_pytorch" / "sg3repo_sg2_uncond_skip_r32.pkl"
CASES = ["z_full_crop0", "z_full_crop1", "z_end_crop0", "z_end_crop1"]
CASES += ["w_full_crop0", "w_full_crop1", "w_end_crop0", "w_end_crop1"]


class RealGenerator:
    """The network of the reference with its noise."""

    def __init__(self):
        self.network = stylegraft.load(CHECKPOINT, device="cpu").generator
        for name, buffer in self.network.named_buffers():
            if name.endswith("noise_const"):
                buffer.copy_(torch.from_numpy(arrays()[f"ppl/noise/{name}"]))

    @torch.inference_mode()
    def mapping(self, z, c):
        return self.network.mapping(torch.from_numpy(z), c).numpy()

    @torch.inference_mode()
    def synthesis(self, ws):
        return self.network.synthesis(torch.from_numpy(ws), noise_mode="const")

    def redraw_noise(self, batch_index): ...


real_generator = cache(RealGenerator)


def stand_in_distance(a, b):
    project = torch.from_numpy(arrays()["ppl/proj"])
    a, b = (torch.nn.functional.adaptive_avg_pool2d(x, 8).flatten(1) @ project for x in (a, b))
    return (a - b).square().sum(dim=1).numpy()


def lengths_of(case, epsilon):
    space, sampling, crop = case.split("_")
    setting = PathLengthSetting(
        name=case, space=space, sampling=sampling, crop=crop == "crop1", epsilon=epsilon
    )
    draws = (arrays()[f"ppl/{case}_eps0.01/{name}"] for name in ("t", "z0", "z1"))
    return step_lengths(real_generator(), stand_in_distance, setting, *draws)


@pytest.mark.parametrize("case", CASES)
def test_step_lengths_against_nvidia(case):
    # Both sides difference float32 images that are 1e-2 apart, which leaves four digits.
    np.testing.assert_allclose(lengths_of(case, 0.01), arrays()[f"ppl/{case}_eps0.01/dist"], rtol=5e-4)


@pytest.mark.parametrize("case", [case for case in CASES if case.endswith("crop0")])
def test_step_lengths_of_the_published_step_against_nvidia(case):
    # At 1e-4 the same float32 leaves two digits; a wrong step, scale or noise moves lengths by far more.
    found, wanted = lengths_of(case, 1e-4), arrays()[f"ppl/{case}_eps0.0001/dist"]
    np.testing.assert_allclose(found, wanted, rtol=0.03)


def test_trimming_against_nvidia():
    kept = trimmed(arrays()["ppl/trim_in"].astype(np.float64))
    values = expected()["ppl_trim"]
    assert (kept.min(), kept.max()) == (values["lo"], values["hi"])
    assert kept.mean() == pytest.approx(values["mean"], rel=1e-6)  # The original's mean is in float32.


class CircleGenerator:
    """The image is a multiple of the first number of w, so that lengths have a closed form."""

    def __init__(self, scale):
        self.scale, self.noise = scale, []

    def mapping(self, z, c):
        extra = np.zeros(len(z)) if c is None else c[:, 0]
        return (z + extra[:, None])[:, None].repeat(2, axis=1)

    def synthesis(self, ws):
        return self.scale * ws[:, 0, :1, None, None] * np.ones((1, 1, 8, 8))

    def redraw_noise(self, batch_index):
        self.noise.append(batch_index)


def mean_square(a, b):
    assert a.shape[1:] == (3, 8, 8)  # Grey was repeated.
    return ((a - b) ** 2).mean(axis=(1, 2, 3))


SETTING = PathLengthSetting(name="test", space="w", sampling="end", crop=False, epsilon=0.01)


def test_path_length_of_a_linear_generator_is_known():
    found = path_length(CircleGenerator(0.5), mean_square, SETTING, z_dim=4, num_samples=3000, batch=100)
    # The mean of (127.5 * 0.5 (w1 - w0))^2 is 2 * 63.75^2; trimming leaves 0.934 of a chi-square's.
    assert found.num_samples == 3000
    assert 2935 <= found.num_kept <= 2945
    assert found.value == pytest.approx(0.934 * 2 * 63.75**2, abs=4 * found.standard_error)


def test_path_length_does_not_depend_on_the_batch():
    a, b = (
        path_length(CircleGenerator(0.5), mean_square, SETTING, z_dim=4, num_samples=30, batch=batch).value
        for batch in (7, 30)
    )
    assert a == pytest.approx(b, rel=1e-5)


def test_noise_is_redrawn_once_a_batch_and_labels_are_the_same_at_both_ends():
    generator = CircleGenerator(0.5)
    labels = np.array([[0.0], [1000.0]], np.float32)
    found = path_length(generator, mean_square, SETTING, z_dim=4, num_samples=9, batch=4, labels=labels)
    assert generator.noise == [0, 1, 2]
    assert found.value < 1e5  # Ends of different classes would be 1,000 apart.


def test_generator_that_diverged_is_named():
    with pytest.raises(RunError, match="test: expected finite"):
        path_length(CircleGenerator(np.nan), mean_square, SETTING, z_dim=4, num_samples=4)


def test_slerp_walks_the_great_circle_at_equal_speed():
    a, b = np.array([[3.0, 0.0]]), np.array([[0.0, 0.5]])
    for t in (0, 0.25, 1):
        expected_point = [[np.cos(t * np.pi / 2), np.sin(t * np.pi / 2)]]
        np.testing.assert_allclose(slerp(a, b, np.array([[t]])), expected_point, atol=1e-15)


@pytest.mark.parametrize("kind", [np.asarray, torch.from_numpy])
def test_images_are_cropped_and_pooled_as_worded(kind):
    image = np.arange(1024 * 1024, dtype=np.float32).reshape(1, 1, 1024, 1024) / 2**19 - 1
    found = np.asarray(prepared(kind(image), crop=True))
    part = image[:, :, 384:896, 256:768].reshape(1, 1, 256, 2, 256, 2).mean(axis=(3, 5))
    np.testing.assert_allclose(found, (part.repeat(3, axis=1) + 1) * 127.5, rtol=1e-5)
    whole = np.asarray(prepared(kind(image), crop=False))
    assert whole.shape == (1, 3, 256, 256)


def test_named_settings_differ_in_the_crop():
    assert named_setting("ppl2_wend") == PathLengthSetting(
        name="ppl2_wend", space="w", sampling="end", crop=False, epsilon=1e-4, num_samples=50_000
    )
    assert named_setting("ppl_wend") == PathLengthSetting(
        name="ppl_wend", space="w", sampling="end", crop=True, epsilon=1e-4, num_samples=50_000
    )
