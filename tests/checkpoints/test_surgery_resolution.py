"""Larger, smaller and other shapes of image: what networks make and see right after the operation."""

from __future__ import annotations

import pytest
import torch
from surgery_cases import configs, discriminator, generator, make_source, operated

from stylegraft.checkpoints.opening import OpenedCheckpoint
from stylegraft.checkpoints.surgery.target import resized
from stylegraft.errors import ConfigError, InputError
from stylegraft.networks.stylegan1.resample import box_downscale, nearest_upscale
from stylegraft.ops.filters import setup_filter
from stylegraft.ops.upfirdn import downsample2d, upsample2d

TAPS = setup_filter((1.0, 3.0, 3.0, 1.0))
ARCHITECTURES = ("skip", "resnet", "orig")


def grown_pair(size=(32, 32), **changes):
    G, D = configs(**changes)
    source = make_source(G, D)
    larger = resized(G, *size), resized(D, *size)
    return source, larger, operated(source, *larger)


def correlation(one: torch.Tensor, other: torch.Tensor) -> float:
    return float(torch.corrcoef(torch.stack([one.flatten(), other.flatten()]))[0, 1])


@pytest.mark.parametrize("name", ["G", "G_ema"])
@pytest.mark.parametrize("noise_mode", ["const", "none"])
def test_picture_of_a_grown_skip_generator_is_the_old_one_upsampled(name, noise_mode):
    source, (larger, _), result = grown_pair(size=(64, 64), c_dim=2)
    old, new = generator(source.generator, source.tensors[name]), generator(larger, result.tensors[name])
    ws = torch.randn(4, new.num_ws, 10)  # another w for each layer
    with torch.no_grad():
        small = old.synthesis(ws[:, : old.num_ws], noise_mode)
        expected = upsample2d(upsample2d(small, TAPS), TAPS)
        assert torch.equal(new.synthesis(ws, noise_mode), expected)


def test_skip_generator_that_was_grown_learns_with_its_new_block():
    _, (larger, _), result = grown_pair()
    new = generator(larger, result.tensors["G"]).train().requires_grad_(True)
    images = new(torch.randn(2, 8))
    (images * torch.randn_like(images)).mean().backward()
    block = new.synthesis.blocks[-1]
    assert block.torgb.weight.grad.abs().min() > 0  # from the first step; the rest as soon as it has moved
    with torch.no_grad():
        block.torgb.weight.sub_(block.torgb.weight.grad)
    images = new(torch.randn(2, 8))
    (images * torch.randn_like(images)).mean().backward()
    assert block.conv0.weight.grad.abs().max() > 0


@pytest.mark.parametrize(("architecture", "least"), [("resnet", 0.95), ("orig", 0.99)])
def test_picture_of_another_grown_generator_is_close_to_the_old_one_upsampled(architecture, least):
    source, (larger, _), result = grown_pair(architectures=(architecture, "resnet"))
    z = torch.randn(16, 8, generator=torch.Generator().manual_seed(9))  # not what it was fitted to
    with torch.no_grad():
        expected = upsample2d(generator(source.generator, source.tensors["G"])(z), TAPS)
        got = generator(larger, result.tensors["G"])(z)
    assert correlation(got, expected) > least


@pytest.mark.parametrize("architecture", ARCHITECTURES)
@pytest.mark.parametrize("img_channels", [1, 3])
@pytest.mark.parametrize("size", [(32, 32), (64, 64)])
def test_grown_discriminator_sees_the_smaller_picture_as_before(architecture, img_channels, size):
    source, (_, larger), result = grown_pair(
        size, architectures=("skip", architecture), img_channels=img_channels, channels=(16, 16, 16)
    )
    images = 2 * torch.randn(8, img_channels, *size)  # far beyond [-1, 1] too
    small = images
    while small.shape[2] > 16:
        small = downsample2d(small, TAPS)
    with torch.no_grad():
        expected = discriminator(source.discriminator, source.tensors["D"])(small)
        got = discriminator(larger, result.tensors["D"])(images)
    assert expected.std() > 0.01
    torch.testing.assert_close(got, expected, atol=2e-6, rtol=1e-5)  # sums of float32 in another order


@pytest.mark.parametrize("activation", ["relu", "linear"])
def test_picture_passes_other_activations(activation):
    G, D = configs(channels=(16, 16, 16))
    D = D.replace(activation=activation)
    source = make_source(G, D)
    larger = resized(D, 32, 32)
    result = operated(source, resized(G, 32, 32), larger)
    images = torch.randn(8, 3, 32, 32)
    with torch.no_grad():
        expected = discriminator(D, source.tensors["D"])(downsample2d(images, TAPS))
        got = discriminator(larger, result.tensors["D"])(images)
    torch.testing.assert_close(got, expected, atol=2e-6, rtol=1e-5)


def test_new_discriminator_block_too_narrow_for_the_picture_is_a_new_networks():
    _, (_, larger), result = grown_pair(channels=(8, 8, 4))
    assert larger.channels == (8, 8, 4, 4)
    assert "b32.fromrgb.weight" in result.report.networks["D"].reinitialised
    assert not result.report.networks["D"].reshaped


def test_blocks_above_keep_their_tensors():
    source, _, result = grown_pair()
    for network in ("G", "G_ema", "D"):
        for name, tensor in result.tensors[network].items():
            if "b32" not in name:
                assert torch.equal(tensor, source.tensors[network][name]), name
    assert result.report.networks["D"].left_over.keys() == {"b16.fromrgb.weight", "b16.fromrgb.bias"}
    assert not result.report.networks["G"].left_over


def test_new_blocks_have_half_the_feature_maps_but_no_fewer_than_16():
    G, _ = configs(channels=(128, 64, 32))
    assert resized(G, 64, 64).channels == (128, 64, 32, 16, 16)
    assert resized(G.replace(channels=(32, 24, 24)), 32, 32).channels == (32, 24, 24, 16)
    assert resized(G.replace(channels=(32, 24, 8)), 32, 32).channels == (32, 24, 8, 8)


@pytest.mark.parametrize(("architecture", "least"), [("skip", 0.9), ("resnet", 0.35), ("orig", 0.6)])
def test_cut_generator_is_fitted_to_the_old_picture_downsampled(architecture, least):
    # Random networks: what the upper blocks added cannot be made by the lower ones.
    source, (smaller, _), result = grown_pair(size=(8, 8), architectures=(architecture, "resnet"))
    z = torch.randn(32, 8, generator=torch.Generator().manual_seed(9))
    with torch.no_grad():
        expected = downsample2d(generator(source.generator, source.tensors["G"])(z), TAPS)
        got = generator(smaller, result.tensors["G"])(z)
    assert got.shape == (32, 3, 8, 8)
    assert correlation(got, expected) > least
    assert (got - expected).square().mean() < (expected - expected.mean()).square().mean()
    layers = {name for name in source.tensors["G"] if "b4" in name or name.startswith("mapping")}
    assert all(torch.equal(result.tensors["G"][name], source.tensors["G"][name]) for name in layers)
    assert all("b16" in name for name in result.report.networks["G"].left_over)


@pytest.mark.parametrize("architecture", ARCHITECTURES)
def test_discriminator_that_was_grown_and_cut_again_is_what_it_was(architecture):
    # The grown one's features are those of the old layer from RGB, so the fit must find that layer again.
    source, (larger_G, larger_D), grown = grown_pair(
        architectures=("skip", architecture), channels=(16, 16, 16)
    )
    larger = OpenedCheckpoint(larger_G, larger_D, grown.tensors, {})
    result = operated(larger, source.generator, source.discriminator)
    images = torch.randn(8, 3, 16, 16)
    with torch.no_grad():
        expected = old_discriminator(source)(images)
        got = discriminator(source.discriminator, result.tensors["D"])(images)
    assert (got - expected).abs().max() < 0.02 * expected.std()  # the ridge keeps it from being exact
    assert "b16.fromrgb.weight" in (
        result.report.networks["D"].reshaped | result.report.networks["D"].reinitialised
    )


def test_another_shape_keeps_all_convolutions_and_resizes_what_has_a_size():
    _, (wide_G, _), result = grown_pair(size=(24, 16))
    assert (wide_G.base_height, wide_G.base_width) == (6, 4)
    changed = result.report.networks["G"]
    assert changed.reshaped.keys() == {"synthesis.b4.const"}
    assert all(name.endswith("noise_const") for name in changed.reinitialised)
    assert len(changed.reinitialised) == 5
    assert result.report.networks["D"].reshaped.keys() == {"b4.fc.weight"}
    assert result.tensors["G"]["synthesis.b16.conv0.noise_const"].shape == (24, 16)


def test_blocks_are_renamed_with_their_shorter_side():
    source, (narrow, _), result = grown_pair(size=(12, 12))
    assert narrow.block_names == ("b3", "b6", "b12")
    old, new = source.tensors["G"], result.tensors["G"]
    assert torch.equal(old["synthesis.b16.conv1.weight"], new["synthesis.b12.conv1.weight"])
    assert generator(narrow, new)(torch.randn(2, 8)).shape == (2, 3, 12, 12)


def test_dense_layer_sees_another_shape_resized_to_what_it_knows():
    source, (_, wide), result = grown_pair(size=(24, 16))
    maps = torch.randn(5, 16, 6, 4)
    small = torch.nn.functional.interpolate(maps, (4, 4), mode="bilinear", antialias=True)
    with torch.no_grad():
        old = discriminator(source.discriminator, source.tensors["D"]).get_submodule("b4").fc
        new = discriminator(wide, result.tensors["D"]).get_submodule("b4").fc
        torch.testing.assert_close(new(maps.flatten(1)), old(small.flatten(1)), atol=1e-5, rtol=1e-5)


@pytest.mark.parametrize("size", [(48, 32), (96, 64), (12, 8)])
def test_shape_and_number_of_blocks_change_together(size):
    _, (G, D), result = grown_pair(size=size)
    images = generator(G, result.tensors["G"])(torch.randn(2, 8))
    assert images.shape == (2, 3, *size)
    assert discriminator(D, result.tensors["D"])(images).shape == (2, 1)


def test_stylegan1_grows_by_its_lod():
    source, (G, D), result = grown_pair(family="stylegan1", size=(64, 64))
    z, images = torch.randn(4, 8), torch.randn(4, 3, 64, 64)
    assert float(result.tensors["G"]["synthesis.lod"]) == float(result.tensors["D"]["lod"]) == 2
    with torch.no_grad():
        small = generator(source.generator, source.tensors["G"])(z)
        assert torch.equal(generator(G, result.tensors["G"])(z), nearest_upscale(small, 4))
        expected = discriminator(source.discriminator, source.tensors["D"])(box_downscale(images, 4))
        assert torch.equal(discriminator(D, result.tensors["D"])(images), expected)


def test_cut_stylegan1_is_the_smaller_network_it_once_was():
    source, (G, D), result = grown_pair(family="stylegan1", size=(8, 8))
    z, images = torch.randn(4, 8), torch.randn(4, 3, 8, 8)
    old, old_D = generator(source.generator, source.tensors["G"]), old_discriminator(source)
    with torch.no_grad():
        ws = old.mapping(z)
        expected = old.synthesis(ws, lod=1, image_size="native")
        assert torch.equal(generator(G, result.tensors["G"])(z), expected)
        assert torch.equal(discriminator(D, result.tensors["D"])(images), old_D(images, lod=1))


def old_discriminator(source):
    return discriminator(source.discriminator, source.tensors["D"])


def test_source_left_while_it_grew_goes_on_from_there():
    G, D = configs(family="stylegan1")
    source = make_source(G, D)
    for name, key in (("G", "synthesis.lod"), ("G_ema", "synthesis.lod"), ("D", "lod")):
        source.tensors[name][key] = torch.tensor(0.25)
    larger = operated(source, resized(G, 32, 32), resized(D, 32, 32))
    assert float(larger.tensors["G"]["synthesis.lod"]) == 1.25
    smaller = operated(source, resized(G, 8, 8), resized(D, 8, 8))
    assert float(smaller.tensors["D"]["lod"]) == 0


def test_sizes_that_cannot_be_are_refused():
    G, _ = configs()
    with pytest.raises(ConfigError, match="image size 17x16"):
        resized(G, 17, 16)
    with pytest.raises(InputError, match="more than its smallest block"):
        resized(G, 4, 4)
    growing = G.replace(architecture="progressive")
    with pytest.raises(InputError, match="of the growing kind cannot get new blocks"):
        resized(growing, 32, 32)
    with pytest.raises(InputError, match="StyleGAN v1 can be doubled or halved"):
        resized(configs(family="stylegan1")[0], 24, 16)
