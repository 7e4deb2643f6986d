import numpy as np
import pytest
import torch
from formula_weights import formula_tensor

from stylegraft.errors import InputError
from stylegraft.features import feature_network
from stylegraft.features.inception_names import torchscript_name
from stylegraft.features.inception_v3 import InceptionV3, PytorchFidInception
from stylegraft.features.trunk import load_published

# Relative to the largest value. Other orders of float32 sums move features by at most 8e-7 here; the smallest
# of the usual mistakes (batch-norm eps) by 1.5e-3.
TOLERANCE = 1e-5
TAPS = ("64", "192", "768", "2048")
SIZES = ("64x64", "299x299", "97x130", "grey64")
VARIANTS = {"torch_fidelity": InceptionV3, "pytorch_fid": PytorchFidInception}


@pytest.fixture(scope="module")
def reference(read_reference):
    return read_reference("features_inception.npz")


def build(variant, tensors, tmp_path):
    with torch.device("meta"):
        network = VARIANTS[variant]()
    load_published(network, tensors, tmp_path)
    return network


@pytest.fixture(scope="module")
def networks(inception_tensors, tmp_path_factory):
    path = tmp_path_factory.mktemp("formula")
    return {variant: build(variant, inception_tensors, path) for variant in VARIANTS}


def rgb255(reference, size):
    return torch.from_numpy(reference[f"images/{size}"]).float().expand(-1, 3, -1, -1)


def test_formula_is_that_of_the_reference():
    first = formula_tensor("Conv2d_1a_3x3.conv.weight", [32, 3, 3, 3]).flatten()[:2]
    assert first.tolist() == pytest.approx([0.3770613372325897, 0.3032081723213196], rel=1e-7)


@pytest.mark.parametrize("variant", VARIANTS)
@pytest.mark.parametrize(("size", "columns"), [("64x64", 5), ("97x130", 5)])
def test_network_input_against_originals(networks, reference, variant, size, columns):
    x = networks[variant].prepare(rgb255(reference, size)[:1])[:, :, ::6, ::columns]
    # The order of operations is the original's; 2e-5 leaves room for fused multiply-adds of other machines.
    np.testing.assert_allclose(x, reference[f"{variant}/{size}/input"], rtol=0, atol=2e-5)


@pytest.mark.parametrize("variant", VARIANTS)
@pytest.mark.parametrize("size", SIZES)
def test_features_against_originals(networks, reference, relative_error, variant, size):
    network = networks[variant]
    with torch.inference_mode():
        taps = network.taps(network.prepare(rgb255(reference, size)))
    for name, features in zip(TAPS, taps):
        assert relative_error(features, reference[f"{variant}/{size}/{name}"]) < TOLERANCE, name


@pytest.mark.parametrize(("with_bias", "name"), [(False, "logits_unbiased"), (True, "logits")])
def test_logits_against_torch_fidelity(networks, reference, relative_error, with_bias, name):
    network = networks["torch_fidelity"]
    with torch.inference_mode():
        features = network(network.prepare(rgb255(reference, "64x64")))
        logits = network.classify(features, with_bias=with_bias)
    assert relative_error(logits, reference[f"torch_fidelity/64x64/{name}"]) < TOLERANCE


def test_each_block_against_torch_fidelity(networks, reference, relative_error):
    network, means = networks["torch_fidelity"], {}
    hooks = [
        module.register_forward_hook(lambda m, x, y, name=name: means.update({name: y.mean(dim=(0, 2, 3))}))
        for name, module in network.named_children()
    ]
    with torch.inference_mode():
        network(network.prepare(rgb255(reference, "64x64")[:1]))
    for hook in hooks:
        hook.remove()
    assert len(means) == 16
    for name, mean in means.items():
        assert relative_error(mean, reference[f"block_mean_first/{name}"]) < TOLERANCE, name


def test_features_in_float64_against_torch_fidelity(inception_tensors, reference, relative_error, tmp_path):
    tensors = {name: tensor.double() for name, tensor in inception_tensors.items()}
    network = build("torch_fidelity", tensors, tmp_path)
    with torch.inference_mode():
        taps = network.taps(network.prepare(rgb255(reference, "64x64")[:1]).double())
    for name, features in zip(TAPS, taps):
        expected = reference[f"torch_fidelity/64x64/{name}_float64"][:1]
        # The reference was stored in float32; this is its rounding.
        assert relative_error(features, expected) < 1e-6, name


def test_both_published_layouts_give_the_same_network(
    inception_tensors, reference, save_torchscript, tmp_path
):
    tensors = {
        name: torch.ones_like(tensor) if name.endswith("bn.weight") else tensor
        for name, tensor in inception_tensors.items()
    }
    torch.save(tensors, tmp_path / "state.pth")
    renamed = {torchscript_name(name): tensor for name, tensor in tensors.items()}
    del renamed[None]
    assert len(renamed) == 4 * 94 + 2
    save_torchscript(tmp_path / "script.pt", renamed)
    images = torch.from_numpy(reference["images/grey64"]).float() / 127.5 - 1
    from_state, from_script = (
        feature_network.__wrapped__("inception_v3", weights=tmp_path / name)
        for name in ("state.pth", "script.pt")
    )
    assert not from_state.is_published
    assert len(from_state.sha256) == 64
    assert from_state.sha256 != from_script.sha256
    features, logits = from_script.features_and_logits(images)
    assert torch.equal(features, from_state(images))
    assert torch.equal(logits, from_state.class_logits(images))
    assert (features.shape, logits.shape) == ((1, 2048), (1, 1008))
    assert not torch.equal(logits, from_state.class_logits(images, with_bias=True))
    # Numbers that are compared with published ones are not measured in bfloat16.
    assert (
        feature_network("inception_v3", weights=tmp_path / "state.pth", precision="auto").precision == "fp32"
    )
    with pytest.raises(InputError, match="expected fp32 or auto"):
        feature_network("inception_v3", weights=tmp_path / "state.pth", precision="bf16")
    feature_network.cache_clear()


@pytest.mark.parametrize(
    ("ours", "published"),
    [
        ("Conv2d_1a_3x3.conv.weight", "layers.conv.weight"),
        ("Conv2d_4a_3x3.bn.running_var", "layers.conv_4.var"),
        ("Mixed_5b.branch3x3dbl_3.bn.bias", "layers.mixed.tower_1.conv_2.beta"),
        ("Mixed_6a.branch3x3dbl_1.conv.weight", "layers.mixed_3.tower.conv.weight"),
        ("Mixed_6e.branch7x7dbl_5.bn.running_mean", "layers.mixed_7.tower_1.conv_4.mean"),
        ("Mixed_7a.branch3x3_2.conv.weight", "layers.mixed_8.tower.conv_1.weight"),
        ("Mixed_7c.branch3x3dbl_3b.conv.weight", "layers.mixed_10.tower_1_mixed_conv_1.weight"),
        ("Mixed_7c.branch_pool.bn.weight", None),
        ("fc.bias", "output.bias"),
    ],
)
def test_torchscript_names_follow_the_tensorflow_graph(ours, published):
    assert torchscript_name(ours) == published


def test_networks_without_classes_refuse_class_scores():
    network = feature_network("effnet_lite0")
    with pytest.raises(InputError, match="Use inception_v3"):
        network.class_logits(np.zeros([1, 8, 8, 3], np.uint8))
