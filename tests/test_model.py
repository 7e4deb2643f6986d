"""The public door: what `stylegraft.load` opens, and what `Model.sample` gives and refuses."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
import torch

import stylegraft
from stylegraft.checkpoints.native import NETWORKS_NAME, Checkpoint, write_checkpoint
from stylegraft.checkpoints.run_folder import checkpoint_path
from stylegraft.errors import CheckpointError, InputError
from stylegraft.networks.config import DiscriminatorConfig, GeneratorConfig, MappingConfig
from stylegraft.networks.stylegan2 import Discriminator, Generator


def write(
    folder: Path, c_dim: int = 0, seed: int = 0, with_discriminator: bool = True, **info: object
) -> Path:
    torch.manual_seed(seed)
    mapping = MappingConfig(z_dim=6, c_dim=c_dim, w_dim=8, num_layers=2)
    sizes = {"img_height": 24, "img_width": 16, "channels": (8, 8, 8)}
    label_mapping = MappingConfig(z_dim=0, c_dim=c_dim, w_dim=8, w_avg_beta=None) if c_dim else None
    G = Generator(GeneratorConfig(**sizes, mapping=mapping))
    D = Discriminator(DiscriminatorConfig(**sizes, mapping=label_mapping))
    tensors = {f"G_ema.{name}": tensor for name, tensor in G.state_dict().items()}
    if with_discriminator:
        tensors |= {f"D.{name}": tensor for name, tensor in D.state_dict().items()}
    discriminator = D.config if with_discriminator else None
    write_checkpoint(folder, Checkpoint(G.config, discriminator, tensors, info=info))
    return folder


@pytest.fixture
def model(tmp_path):
    return stylegraft.load(write(tmp_path / "a"))


@pytest.fixture
def class_model(tmp_path):
    return stylegraft.load(write(tmp_path / "b", c_dim=3, class_names=["x", "y", "z"]))


def test_checkpoint_folder_opens_ready_to_sample(model):
    assert model.info["format"] == "stylegraft"
    assert (model.info["img_height"], model.info["img_width"], model.info["c_dim"]) == (24, 16, 0)
    assert model.info["num_ws"] == 6
    assert model.class_names is None
    assert not model.generator.training
    assert not any(p.requires_grad for p in model.generator.parameters())
    pixels = model.sample(seeds=range(3))
    assert pixels.shape == (3, 24, 16, 3)
    assert pixels.dtype == np.uint8
    logits = model.discriminator(torch.zeros(2, 3, 24, 16))
    assert logits.shape == (2, 1)


def test_samples_are_those_of_mapping_and_synthesis(model):
    z = torch.from_numpy(np.random.RandomState(5).randn(1, 6)).float()
    images = model.generator.synthesis(model.generator.mapping(z, None, psi=0.7))
    expected = (images * 127.5 + 128).clamp(0, 255).to(torch.uint8).permute(0, 2, 3, 1).numpy()
    assert np.abs(model.sample([4, 5], psi=0.7)[1].astype(int) - expected[0]).max() <= 1


def test_run_folder_opens_its_best_checkpoint(tmp_path):
    (tmp_path / "config.json").write_text("{}")
    for step, distance in ((1, 5.0), (2, 2.0), (3, 9.0)):
        write(checkpoint_path(tmp_path, step * 8), seed=step, step=step, distance=distance)
    model = stylegraft.load(tmp_path)
    assert model.info["step"] == 2
    best = stylegraft.load(checkpoint_path(tmp_path, 16))
    assert (
        model.info["sha256"]
        == best.info["sha256"]
        != stylegraft.load(checkpoint_path(tmp_path, 8)).info["sha256"]
    )
    assert np.array_equal(model.sample([0]), best.sample([0]))


def test_checkpoint_without_discriminator_has_none(tmp_path):
    assert stylegraft.load(write(tmp_path / "a", with_discriminator=False)).discriminator is None


def test_path_that_is_not_there_is_refused(tmp_path):
    with pytest.raises(InputError, match="no such file or folder"):
        stylegraft.load(tmp_path / "nowhere")


def test_folder_of_something_else_is_refused(tmp_path):
    with pytest.raises(CheckpointError, match="expected a run folder"):
        stylegraft.load(tmp_path)


@pytest.mark.parametrize("content", [b"these are words\n", b"", b"\x80\x02garbage", b"PK\x03\x04"])
def test_file_that_is_no_pickle_is_refused(tmp_path, content):
    path = tmp_path / "network.pkl"
    path.write_bytes(content)
    with pytest.raises(CheckpointError, match=r"network\.pkl") as caught:
        stylegraft.load(path)
    assert "\n" not in str(caught.value)


def test_damaged_and_unfitting_tensors_are_refused(tmp_path):
    folder = write(tmp_path / "a")
    card = stylegraft.load(folder)
    tensors = {f"G_ema.{name}": tensor for name, tensor in card.generator.state_dict().items()}
    tensors["G_ema.synthesis.b4.const"] = torch.zeros(8, 4, 4)
    del tensors["G_ema.mapping.w_avg"]
    write_checkpoint(tmp_path / "b", Checkpoint(card.generator.config, None, tensors))
    with pytest.raises(CheckpointError, match=r"w_avg is missing.*b4\.const is \[8, 4, 4\]"):
        stylegraft.load(tmp_path / "b")
    (folder / NETWORKS_NAME).write_bytes(b"")
    with pytest.raises(CheckpointError, match="SHA-256"):
        stylegraft.load(folder)


def test_unknown_device_is_refused(tmp_path):
    with pytest.raises(InputError, match="--device"):
        stylegraft.load(write(tmp_path / "a"), device="quantum")


def test_bf16_model_samples_nearly_the_same(tmp_path, model):
    rounded = stylegraft.load(tmp_path / "a", precision="bf16").sample(range(4)).astype(int)
    exact = model.sample(range(4)).astype(int)
    assert 0 < np.abs(rounded - exact).mean() < 2


def test_few_seeds_make_a_small_batch(model):
    batches = []
    synthesis = model.generator.synthesis
    synthesis.register_forward_pre_hook(lambda module, inputs: batches.append(len(inputs[0])))
    assert model.sampling_batch == 32
    for seeds in (range(1), range(5), range(33)):
        model.sample(seeds)
    model.sample(range(3), batch=2)
    assert batches == [1, 8, 32, 32, 2, 2]


def test_same_seeds_with_another_psi_are_not_mapped_again(model):
    calls = []
    model.generator.mapping.register_forward_pre_hook(lambda module, inputs: calls.append(len(inputs[0])))
    first = model.sample(range(4), psi=0.5)
    other = model.sample(range(4), psi=1.0)
    assert not np.array_equal(first, other)
    assert np.array_equal(first, model.sample(range(4), psi=0.5))
    assert len(calls) == 1


@pytest.mark.parametrize(
    ("arguments", "words"),
    [
        ({"seeds": [-1]}, "seeds: expected 0 to 4294967295, got -1"),
        ({"seeds": [0, 2**32]}, "seeds: .* got 0 to 4294967296"),
        ({"seeds": [0], "labels": np.zeros([1, 2])}, r"labels: expected shape \[1, 3\], got \[1, 2\]"),
        ({"seeds": [0, 1], "labels": np.zeros([1, 3])}, r"labels: expected shape \[2, 3\], got \[1, 3\]"),
        ({"seeds": [0], "noise_mode": "loud"}, "noise_mode: expected"),
        ({"seeds": [0], "batch": 0}, "batch: expected 1 or more"),
        ({"seeds": [0], "cutoff": -1}, "cutoff: expected 0 or more"),
    ],
)
def test_impossible_samples_are_refused(class_model, arguments, words):
    with pytest.raises(InputError, match=words):
        class_model.sample(**arguments)


def test_centre_of_a_class_is_refused_without_classes(model):
    with pytest.raises(InputError, match="truncation_centre class: expected a model with classes"):
        model.sample([0], truncation_centre="class")


def test_labels_choose_the_class(class_model):
    assert class_model.class_names == ["x", "y", "z"]
    eye = np.eye(3, dtype=np.float32)
    chosen = class_model.sample([7, 7, 7], labels=eye, psi=1.0)
    assert not np.array_equal(chosen[0], chosen[1])
    drawn = class_model.sample([7], psi=1.0)
    assert [np.abs(drawn[0].astype(int) - picture).max() <= 1 for picture in chosen].count(True) == 1
    assert np.array_equal(chosen, class_model.sample([7, 7, 7], labels=torch.from_numpy(eye), psi=1.0))


def test_truncation_is_towards_the_own_class(class_model):
    labels = np.eye(3, dtype=np.float32)

    def average(centre):
        return class_model.sample(
            [5, 6, 7], psi=0, labels=labels, truncation_centre=centre, noise_mode="none"
        )

    assert class_model.truncation_centre == "class"
    assert np.array_equal(average("auto"), average("class"))
    of_all, of_class = average("global"), average("class")
    assert (of_all == of_all[0]).all()  # one picture, whatever was asked for
    assert all((of_class[a] != of_class[b]).any() for a, b in ((0, 1), (0, 2), (1, 2)))
    whole = [class_model.sample([5], psi=1, truncation_centre=centre) for centre in ("global", "class")]
    assert np.array_equal(*whole)


def test_networks_of_others_are_truncated_as_published(tmp_path, model):
    source = {"format": "nvidia-pytorch", "file": "a.pkl", "sha256": "0" * 64}
    copied = stylegraft.load(write(tmp_path / "copied", c_dim=3, source=source))
    assert copied.truncation_centre == "global"
    trained_on = stylegraft.load(write(tmp_path / "tuned", c_dim=3, trained_from={"source": source}))
    assert trained_on.truncation_centre == "class"
    assert model.truncation_centre == "global"  # there are no classes


def test_unconditional_model_ignores_labels(model):
    assert np.array_equal(model.sample([1]), model.sample([1], labels=np.ones([1, 4])))


@pytest.mark.parametrize("name", ["model", "class_model"])
def test_no_seeds_give_no_pictures(request, name):
    assert request.getfixturevalue(name).sample([]).shape == (0, 24, 16, 3)
