import numpy as np
import pytest
import torch
from torch.autograd import gradcheck, gradgradcheck

from stylegraft.augment import AugmentConfig, AugmentPipe, augment_preset
from stylegraft.augment.color import color_matrices, transform_color
from stylegraft.augment.draws import percentile_draws
from stylegraft.augment.filters import apply_along_axes, filter_bank, reflected
from stylegraft.augment.geometry import sampling_matrices, warp
from stylegraft.runtime.random import Key

KEY = Key.of(7).fold("augment", 3)


def make_images(num=16, channels=3, height=24, width=32, dtype=torch.float32):
    generator = torch.Generator().manual_seed(0)
    return torch.rand([num, channels, height, width], generator=generator, dtype=dtype) * 2 - 1


def augment(preset, images, p, samples=None, key=KEY):
    pipe = AugmentPipe(augment_preset(preset))
    samples = range(len(images)) if samples is None else samples
    _, channels, height, width = images.shape
    return pipe(images, p, pipe.draw(key, samples, "cpu", height, width, channels))


def test_pipe_at_p_zero_changes_nothing():
    images = make_images()
    assert torch.equal(augment("bgcfnc", images, 0.0), images)


def test_pipe_accepts_p_as_a_tensor():
    images = make_images(4)
    assert torch.equal(augment("bgc", images, torch.tensor(0.5)), augment("bgc", images, 0.5))


def test_pipe_repeats_itself_by_key_and_differs_between_keys():
    images = make_images()
    first, again = augment("bgcfnc", images, 0.8), augment("bgcfnc", images, 0.8)
    assert torch.equal(first, again)
    assert not torch.allclose(first, augment("bgcfnc", images, 0.8, key=KEY.fold(1)), atol=0.1)


@pytest.mark.parametrize("channels", [1, 3])
@pytest.mark.parametrize("p", [0.2, 1.0])
@pytest.mark.parametrize("dtype", [torch.float32, torch.float64])
def test_pipe_result_of_a_sample_does_not_depend_on_the_others(p, channels, dtype):
    images = make_images(channels=channels, dtype=dtype)
    together = augment("bgcfnc", images, p)
    # Float noise: in a buffer of another size the sampling places round differently. Measured: 6e-6 and 1e-14
    # of the largest value, which colour and filters can take to about ten.
    tolerance = 2e-5 if dtype == torch.float32 else 1e-12
    for index, expected in enumerate(together):
        alone = augment("bgcfnc", images[index : index + 1], p, samples=[index])[0]
        assert (alone - expected).abs().max() <= tolerance * expected.abs().max()


def test_warp_of_a_sample_does_not_depend_on_the_others_beyond_what_padding_can_reach():
    images = make_images(dtype=torch.float64)
    config = augment_preset("bg").replace(scale_std=1, xfrac_std=0.5)
    draws = AugmentPipe(config).draw(KEY, range(16), "cpu", 24, 32)
    matrices = sampling_matrices(config, draws, 1.0, 24, 32)
    alone = torch.cat([warp(images[i : i + 1], matrices[i : i + 1]) for i in range(16)])
    assert (alone == 0).any()  # some places lie beyond the reflection
    torch.testing.assert_close(warp(images, matrices), alone, rtol=0, atol=1e-12)


def test_draws_read_fixed_columns_of_the_stream():
    # A resumed or repeated run must draw the same: new names may only be added at the end of each table.
    draws = AugmentPipe(augment_preset("bgc")).draw(KEY, [3, 5], "cpu", 8, 8)
    coins = KEY.fold("coins").uniform([3, 5], [19]).double().numpy()
    uniforms = KEY.fold("uniforms").uniform([3, 5], [10]).double().numpy()
    normals = KEY.fold("normals").normal([3, 5], [12]).double().numpy()
    np.testing.assert_array_equal(draws.coins["xflip"], coins[:, 0])
    np.testing.assert_array_equal(draws.coins["cutout"], coins[:, 18])
    np.testing.assert_array_equal(draws.uniforms["xflip"], uniforms[:, 0])
    np.testing.assert_array_equal(draws.uniforms["hue"], uniforms[:, 7])
    np.testing.assert_array_equal(draws.normals["scale"], normals[:, 0])
    np.testing.assert_array_equal(draws.normals["noise_std"], normals[:, 11])


def test_pipe_gradient_of_a_sample_does_not_depend_on_the_others():
    images = make_images().requires_grad_()
    (together,) = torch.autograd.grad(augment("bgcf", images, 0.8).square().sum(), images)
    one = images[5:6].detach().requires_grad_()
    (alone,) = torch.autograd.grad(augment("bgcf", one, 0.8, samples=[5]).square().sum(), one)
    torch.testing.assert_close(alone[0], together[5], rtol=1e-4, atol=1e-5 * float(together[5].abs().max()))


def test_pipe_draws_of_a_transform_do_not_depend_on_which_others_are_on():
    images = make_images()
    # With xflip alone, and with xflip among transforms of strength 1 that are invisible (zero spread).
    alone, among = AugmentConfig(xflip=1), AugmentConfig(xflip=1, scale=1, scale_std=0, hue=1, hue_max=0)
    results = []
    for config in (alone, among):
        pipe = AugmentPipe(config)
        results.append(pipe(images, 0.7, pipe.draw(KEY, range(16), "cpu", 24, 32)))
    assert not torch.equal(results[0], images)
    torch.testing.assert_close(*results, rtol=0, atol=1e-4)


def test_pipe_passes_numerical_gradient_checks():
    images = make_images(3, height=6, width=8, dtype=torch.float64).requires_grad_()
    pipe = AugmentPipe(augment_preset("bgcfnc"))
    draws = pipe.draw(KEY, range(3), "cpu", 6, 8)

    def function(x):
        return pipe(x, 0.7, draws).sin()

    assert gradcheck(function, [images], fast_mode=True)
    assert gradgradcheck(function, [images], fast_mode=True)


def test_pipe_computes_in_float32_inside_autocast():
    images = make_images(4)
    expected = augment("bgcf", images, 0.9)
    with torch.autocast("cpu", torch.bfloat16):
        assert torch.equal(augment("bgcf", images, 0.9), expected)
    assert augment("bgcf", images.bfloat16(), 0.9).dtype == torch.float32


def test_pipe_refuses_draws_of_another_number_of_samples():
    pipe = AugmentPipe(augment_preset("bgc"))
    with pytest.raises(AssertionError, match="draws of 4 samples, got 3"):
        pipe(make_images(4), 0.5, pipe.draw_percentile(0.5, 3))


def test_noise_has_the_drawn_strength():
    pipe = AugmentPipe(augment_preset("noise").replace(noise_std=0.2))
    draws = pipe.draw(KEY, range(8), "cpu", 64, 64)
    noise = pipe(torch.zeros(8, 3, 64, 64), 1.0, draws)
    # The estimate of a standard deviation from 12288 numbers is good to 0.64 %.
    np.testing.assert_allclose(noise.std(dim=(1, 2, 3)), 0.2 * np.abs(draws.normals["noise_std"]), rtol=0.03)


@pytest.mark.parametrize("turns", [1, 2, 3])
def test_quarter_turns_turn_counterclockwise_about_the_middle(turns):
    y, x = torch.meshgrid(torch.arange(16.0), torch.arange(16.0), indexing="ij")
    image = (torch.sin(x / 8) + torch.cos(y / 10 + 0.3))[None, None]
    matrices = sampling_matrices(AugmentConfig(rotate90=1), percentile_draws(turns / 4 + 0.1, 1), 1.0, 16, 16)
    # The wavelet is not quite symmetric, so a turned image is off by 0.03 px an axis (slopes are below 0.13);
    # an origin half a pixel off would show as 0.06 and more.
    torch.testing.assert_close(warp(image, matrices), torch.rot90(image, turns, (2, 3)), rtol=0, atol=0.03)


def test_warp_of_the_identity_returns_the_images_themselves():
    images = make_images(2)
    assert warp(images, np.tile(np.eye(3), (2, 1, 1))) is images


def test_warp_moves_only_the_samples_that_are_mapped():
    images = make_images(3)
    matrices = np.tile(np.eye(3), (3, 1, 1))
    matrices[1, 0, 2] = 4.0  # look four pixels to the right
    out = warp(images, matrices)
    assert torch.equal(out[[0, 2]], images[[0, 2]])
    # Moves by whole pixels are exact but for the float noise: the doubled image is read on its samples.
    torch.testing.assert_close(out[1, :, :, :-4], images[1, :, :, 4:], rtol=0, atol=1e-5)
    torch.testing.assert_close(out[1, :, :, -4:], images[1, :, :, -5:-1].flip(2), rtol=0, atol=1e-5)


def test_rotations_together_happen_with_probability_p():
    num, p = 20000, 0.4
    pipe = AugmentPipe(AugmentConfig(rotate=1))
    matrices = sampling_matrices(pipe.config, pipe.draw(KEY, range(num), "cpu", 8, 8), p, 8, 8)
    changed = (matrices != np.eye(3)).any(axis=(1, 2)).mean()
    assert abs(changed - p) < 4 * (p * (1 - p) / num) ** 0.5


def test_hue_and_saturation_keep_grey_pixels():
    config = AugmentConfig(hue=1, saturation=1)
    linear, offset = color_matrices(config, percentile_draws(0.8, 1), 1.0, 3)
    grey = make_images(1, channels=1).expand(-1, 3, -1, -1)
    torch.testing.assert_close(transform_color(grey, linear, offset), grey.contiguous(), rtol=0, atol=1e-6)


def test_filter_bank_is_symmetric_and_adds_up_to_the_unit_impulse():
    bank = filter_bank()
    impulse = np.zeros(43)
    impulse[21] = 1
    np.testing.assert_allclose(bank.sum(axis=0), impulse, atol=1e-12)
    np.testing.assert_allclose(bank, bank[:, ::-1], atol=1e-12)


@pytest.mark.parametrize("size", [1, 2, 5])
def test_reflected_agrees_with_numpy_padding(size):
    expected = np.pad(np.arange(size), 12, mode="reflect")
    np.testing.assert_array_equal(reflected(np.arange(-12, size + 12), size), expected)


def test_apply_along_axes_agrees_with_einsum():
    images = make_images(2, dtype=torch.float64)
    rows, columns = torch.randn(2, 5, 24).double(), torch.randn(7, 32).double()
    expected = torch.einsum("nah,nchw,bw->ncab", rows, images, columns)
    torch.testing.assert_close(apply_along_axes(images, rows, columns), expected)
