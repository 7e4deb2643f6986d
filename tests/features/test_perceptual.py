import numpy as np
import pytest
import torch
import torch.nn.functional as F
from formula_weights import formula_tensor

from stylegraft.features import PerceptualDistance, perceptual_distance
from stylegraft.features.perceptual import published_channel_weights, unit_vectors
from stylegraft.features.trunk import load_published
from stylegraft.features.vgg16 import VGG16, VGG16Convolutions

# Each distance, relative. Other machines move them by at most 1.2e-6; the smallest of the usual mistakes
# (another input scale) by 1.3e-3.
TOLERANCE = 1e-5


@pytest.fixture(scope="module")
def reference(read_reference):
    return read_reference("features_lpips.npz")


@pytest.fixture(scope="module")
def trunk(vgg_tensors, tmp_path_factory):
    with torch.device("meta"):
        trunk = VGG16Convolutions()
    load_published(trunk, vgg_tensors, tmp_path_factory.mktemp("formula"))
    return trunk


@pytest.fixture(scope="module")
def lpips(trunk):
    names = [(f"lin{index}.model.1.weight", size) for index, size in enumerate((64, 128, 256, 512, 512))]
    return PerceptualDistance(trunk, [formula_tensor(name, [1, size, 1, 1]) for name, size in names])


def pair(reference, size):
    return tuple(torch.from_numpy(reference[f"{size}/{side}"]).float() / 127.5 - 1 for side in "ab")


@pytest.mark.parametrize("size", ["64x64", "128x128"])
@torch.inference_mode()
def test_distance_against_lpips_package(lpips, reference, relative_error, size):
    a, b = pair(reference, size)
    maps_a, maps_b = lpips.maps(a), lpips.maps(b)
    np.testing.assert_allclose(lpips(a, b), reference[f"{size}/distance"], rtol=TOLERANCE)
    np.testing.assert_allclose(
        lpips.between(maps_a, maps_b), reference[f"{size}/distance_float64"], rtol=TOLERANCE
    )
    layers = lpips.per_layer(maps_a, maps_b)
    assert relative_error(layers, reference[f"{size}/distance_per_layer"]) < TOLERANCE


@torch.inference_mode()
def test_published_channel_weights_against_lpips_package(trunk, reference):
    assert [len(weights) for weights in published_channel_weights()] == [64, 128, 256, 512, 512]
    a, b = pair(reference, "64x64")
    distance = PerceptualDistance(trunk)(a, b)
    np.testing.assert_allclose(distance, reference["64x64/distance_published_lin"], rtol=TOLERANCE)


@torch.inference_mode()
def test_maps_against_torchvision(lpips, reference, relative_error):
    a = pair(reference, "64x64")[0][:2]
    maps = lpips.trunk((a - lpips.shift) / lpips.scale)
    for name, x in zip(("relu1_2", "relu2_2", "relu3_3", "relu4_3", "relu5_3"), maps):
        assert relative_error(x.mean(dim=(2, 3)), reference[f"channel_mean/{name}"]) < TOLERANCE, name


def test_unit_vectors_against_lpips_package(reference):
    # The only place where eps shows: it is added to the length, not under the root.
    result = unit_vectors(torch.from_numpy(reference["normalize/in"]))
    np.testing.assert_allclose(result, reference["normalize/out"], rtol=0, atol=1e-6)


def test_distance_has_finite_gradients_even_where_all_channels_are_off(lpips):
    zeros = torch.zeros(1, 4, 2, 2, requires_grad=True)
    unit_vectors(zeros).sum().backward()
    assert torch.isfinite(zeros.grad).all()
    image = torch.zeros(1, 3, 16, 16, requires_grad=True)
    lpips(image, torch.ones(1, 3, 16, 16)).sum().backward()
    assert torch.isfinite(image.grad).all()
    assert image.grad.abs().max() > 0


@torch.inference_mode()
def test_distance_of_grey_images_is_that_of_three_equal_channels(lpips, reference):
    a, b = (x[:1, :1] for x in pair(reference, "64x64"))
    torch.testing.assert_close(lpips(a, b), lpips(a.expand(-1, 3, -1, -1), b.expand(-1, 3, -1, -1)))


@torch.inference_mode()
def test_both_published_layouts_give_the_same_distance(vgg_tensors, lpips, save_torchscript, tmp_path):
    torch.save(vgg_tensors | {"classifier.0.weight": torch.zeros(1)}, tmp_path / "state.pth")
    numbers = list(dict.fromkeys(name.split(".")[1] for name in vgg_tensors))
    renamed = {
        f"layers.conv{numbers.index(name.split('.')[1]) + 1}.{name.split('.')[2]}": tensor
        for name, tensor in vgg_tensors.items()
    }
    save_torchscript(tmp_path / "script.pt", renamed | {"lpips0": torch.zeros(64, 1, 1)})
    a = torch.zeros(1, 3, 16, 16)
    b = torch.linspace(-1, 1, 256).reshape(1, 1, 16, 16).expand(1, 3, 16, 16)
    distances = [
        perceptual_distance.__wrapped__(weights=tmp_path / name)(a, b) for name in ("state.pth", "script.pt")
    ]
    assert torch.equal(*distances)
    assert distances[0] > 0


@torch.inference_mode()
def test_vgg16_features_are_the_second_dense_layer_after_relu(vgg_tensors, trunk, tmp_path):
    # Dense layers of few non-zero weights: unit 0 of the first takes all 7 x 7 places of map 3.
    first, second = torch.zeros(4096, 25088), torch.zeros(4096, 4096)
    first[0, 49 * 3 : 49 * 4] = 1
    second[0, 0], second[1, 0] = 2, -2
    names = ("classifier.0.weight", "classifier.0.bias", "classifier.3.weight", "classifier.3.bias")
    dense = dict(zip(names, (first, torch.zeros(4096), second, torch.full([4096], 0.5))))
    with torch.device("meta"):
        network = VGG16()
    load_published(network, vgg_tensors | dense, tmp_path)
    x = network.prepare(torch.rand([1, 3, 32, 32], generator=torch.Generator().manual_seed(0)) * 255)
    assert x.shape == (1, 3, 224, 224)
    map3 = F.max_pool2d(trunk(x)[-1], 2)[0, 3]
    assert map3.shape == (7, 7)
    assert map3.sum() > 0
    features = network(x)
    assert features.shape == (1, network.dim)
    # Another order of 49 float32 terms.
    torch.testing.assert_close(features[0, 0], 0.5 + 2 * map3.sum(), rtol=1e-5, atol=0)
    assert features[0, 1] == 0
    assert features[0, 2] == 0.5


def test_vgg16_input_is_scaled_like_that_of_lpips(lpips):
    with torch.device("meta"):
        network = VGG16()
    rgb255 = torch.rand([1, 3, 224, 224], generator=torch.Generator().manual_seed(0)) * 255
    # The same scale written twice, once of 0..255 and once, to three digits, of -1..1.
    torch.testing.assert_close(
        network.prepare(rgb255), (rgb255 / 127.5 - 1 - lpips.shift) / lpips.scale, rtol=0, atol=5e-3
    )
