import numpy as np
import pytest
import torch

from stylegraft.features import feature_network
from stylegraft.features.dinov2 import DinoV2, resize_positions

DIM, DEPTH, HEADS = 12, 2, 3


@pytest.fixture(scope="module")
def tensors():
    generator = torch.Generator().manual_seed(0)
    with torch.device("meta"):
        network = DinoV2(DIM, DEPTH, HEADS)
    return {
        name: torch.randn(tensor.shape, generator=generator) * 0.3
        for name, tensor in network.state_dict().items()
    }


def norm(x, tensors, name):
    mean, var = x.mean(axis=-1, keepdims=True), x.var(axis=-1, keepdims=True)
    return (x - mean) / np.sqrt(var + 1e-6) * tensors[f"{name}.weight"] + tensors[f"{name}.bias"]


def dense(x, tensors, name):
    return x @ tensors[f"{name}.weight"].T + tensors[f"{name}.bias"]


def by_definition(image, tensors):
    """The network of the paper on one image [3, 224, 224], one head and one patch at a time."""
    kernel = tensors["patch_embed.proj.weight"]
    patches = [
        (kernel * image[:, 14 * i : 14 * i + 14, 14 * j : 14 * j + 14]).sum(axis=(1, 2, 3))
        for i in range(16)
        for j in range(16)
    ]
    patches = np.array(patches) + tensors["patch_embed.proj.bias"]
    x = np.concatenate([tensors["cls_token"][0], patches]) + tensors["positions"]
    for index in range(DEPTH):
        block = f"blocks.{index}"
        q, k, v = np.split(dense(norm(x, tensors, f"{block}.norm1"), tensors, f"{block}.attn.qkv"), 3, axis=1)
        heads = []
        for head in np.split(np.arange(DIM), HEADS):
            scores = q[:, head] @ k[:, head].T / np.sqrt(DIM // HEADS)
            weights = np.exp(scores - scores.max(axis=1, keepdims=True))
            heads.append(weights / weights.sum(axis=1, keepdims=True) @ v[:, head])
        mixed = dense(np.concatenate(heads, axis=1), tensors, f"{block}.attn.proj")
        x = x + tensors[f"{block}.ls1.gamma"] * mixed
        hidden = dense(norm(x, tensors, f"{block}.norm2"), tensors, f"{block}.mlp.fc1")
        erf = torch.erf(torch.from_numpy(hidden / np.sqrt(2))).numpy()
        hidden = hidden * (1 + erf) / 2
        x = x + tensors[f"{block}.ls2.gamma"] * dense(hidden, tensors, f"{block}.mlp.fc2")
    return norm(x, tensors, "norm")[0]


def test_features_follow_the_definition(tensors, tmp_path, monkeypatch):
    torch.save(tensors | {"mask_token": torch.zeros(1, DIM)}, tmp_path / "weights.pth")
    monkeypatch.setattr(
        "stylegraft.features.registry._TRUNKS", {"dinov2_vits14": lambda: DinoV2(DIM, DEPTH, HEADS)}
    )
    network = feature_network.__wrapped__("dinov2_vits14", weights=tmp_path / "weights.pth")
    pixels = np.random.RandomState(0).randint(0, 256, [1, 224, 224, 3], np.uint8)
    features = network(pixels)
    assert features.shape == (1, DIM) == (1, network.dim)
    exact = {name: tensor.double().numpy() for name, tensor in tensors.items()}
    exact["positions"] = resize_positions(tensors["pos_embed"].double())[0].numpy()
    image = (pixels[0] / 255 - [0.485, 0.456, 0.406]) / [0.229, 0.224, 0.225]
    # Float32 through a dozen sums of up to 588 terms.
    np.testing.assert_allclose(
        features[0], by_definition(image.transpose(2, 0, 1), exact), rtol=1e-4, atol=1e-5
    )


def test_published_sizes_have_the_published_number_of_tensors():
    with torch.device("meta"):
        small, large = DinoV2(384, 12, 6), DinoV2(1024, 24, 16)
    # The files have one more, the token that training puts in place of masked patches.
    assert len(small.state_dict()) + 1 == 175
    assert len(large.state_dict()) + 1 == 343
    assert sum(tensor.numel() for tensor in large.state_dict().values()) + 1024 == 304_368_640


def test_positions_are_resized_by_the_published_scale():
    ramp = torch.zeros(1, 1 + 37 * 37, 1, dtype=torch.float64)
    ramp[0, 1:, 0] = torch.arange(37.0).repeat_interleave(37)
    ramp[0, 0] = 7
    positions = resize_positions(ramp)[0, :, 0]
    assert positions[0] == 7
    rows = positions[1:].reshape(16, 16)
    # Row i comes from (i + 1/2) 37 / 16.1 - 1/2, whatever the column. The cubic bends a ramp by up to 0.048;
    # a scale of 37 / 16 would move the last rows by 0.2.
    wanted = (torch.arange(16.0, dtype=torch.float64) + 0.5) * 37 / 16.1 - 0.5
    torch.testing.assert_close(rows[1:-1, 3], wanted[1:-1], rtol=0, atol=0.06)
