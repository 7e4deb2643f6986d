"""Folders for the hub: what is written comes back, the card can be indexed, strangers' folders do no harm."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
import safetensors.torch
import torch

from stylegraft.checkpoints.hub import folder as hub_folder
from stylegraft.checkpoints.hub.config import HubConfig
from stylegraft.checkpoints.hub.folder import (
    CARD_NAME,
    CONFIG_NAME,
    DISCRIMINATOR_NAME,
    FILES,
    MODEL_NAME,
    SAMPLES_NAME,
    is_hub_folder,
    read_hub_folder,
    write_hub_folder,
)
from stylegraft.checkpoints.hub.model_card import model_card
from stylegraft.checkpoints.opening import open_checkpoint
from stylegraft.errors import CheckpointError, ConfigError, RunError
from stylegraft.networks.config import DiscriminatorConfig, GeneratorConfig, MappingConfig
from stylegraft.networks.making import make_discriminator, make_generator
from stylegraft.networks.stylegan1 import config as stylegan1

SIZE: dict[str, Any] = {"img_height": 8, "img_width": 8, "channels": (4, 4)}
MAPPING: dict[str, Any] = {"z_dim": 4, "w_dim": 4, "num_layers": 1}
STYLEGAN1 = HubConfig(
    generator=stylegan1.GeneratorConfig(**SIZE, mapping=stylegan1.MappingConfig(**MAPPING)),
    discriminator=stylegan1.DiscriminatorConfig(**SIZE),
)
STYLEGAN2 = HubConfig(
    generator=GeneratorConfig(**SIZE, mapping=MappingConfig(**MAPPING, c_dim=2)),
    discriminator=DiscriminatorConfig(
        **SIZE, mapping=MappingConfig(z_dim=0, c_dim=2, w_dim=4, w_avg_beta=None)
    ),
    class_names=["boots", "b|a<g"],
    licence="cc-by-nc-4.0",
    data_note="photos of boots",
    source={"format": "tensorflow", "file": "boots.pkl", "sha256": "0" * 64},
    kimg=1234.5,
    distance=9.25,
)


def write(path: Path, config: HubConfig, name: str = "a model") -> dict[str, dict[str, torch.Tensor]]:
    torch.manual_seed(0)
    networks = {"G_ema": make_generator(config.generator).state_dict()}
    if config.discriminator is not None:
        networks["D"] = make_discriminator(config.discriminator).state_dict()
    write_hub_folder(path, config, networks, b"a picture", name=name)
    return networks


def front_matter(text: str) -> dict[str, Any]:
    """The head of a card; each value in it is JSON, which YAML includes."""
    _, head, _ = text.split("---\n", maxsplit=2)
    pairs = (line.split(": ", maxsplit=1) for line in head.splitlines())
    return {key: json.loads(value) for key, value in pairs}


@pytest.mark.parametrize("config", [STYLEGAN1, STYLEGAN2], ids=["stylegan1", "stylegan2"])
def test_model_comes_back_to_the_bit(tmp_path: Path, config: HubConfig) -> None:
    networks = write(tmp_path / "model", config)
    assert sorted(path.name for path in tmp_path.iterdir()) == ["model"]
    assert {path.name for path in (tmp_path / "model").iterdir()} == set(FILES)
    assert is_hub_folder(tmp_path / "model")
    read, tensors = read_hub_folder(tmp_path / "model")
    assert read == config
    assert tensors.keys() == networks.keys()
    for network, expected in networks.items():
        assert tensors[network].keys() == expected.keys()
        assert all(torch.equal(tensors[network][name], tensor) for name, tensor in expected.items())


def test_model_opens_like_any_checkpoint(tmp_path: Path) -> None:
    write(tmp_path / "model", STYLEGAN2)
    opened = open_checkpoint(tmp_path / "model")
    assert (opened.generator, opened.discriminator) == (STYLEGAN2.generator, STYLEGAN2.discriminator)
    assert opened.tensors.keys() == {"G_ema", "D"}
    assert (opened.info["format"], opened.info["licence"]) == ("hub", "cc-by-nc-4.0")
    assert opened.info["source"]["file"] == "boots.pkl"
    write(tmp_path / "other", STYLEGAN2.replace(discriminator=None, licence="mit"))
    assert open_checkpoint(tmp_path / "other").discriminator is None
    # The hash is that of what one samples with, whatever is said beside it.
    assert open_checkpoint(tmp_path / "other").info["sha256"] == opened.info["sha256"]


def test_folder_replaces_an_older_one_whole(tmp_path: Path) -> None:
    write(tmp_path / "model", STYLEGAN2)
    write(tmp_path / "model", STYLEGAN2.replace(discriminator=None))
    assert not (tmp_path / "model" / DISCRIMINATOR_NAME).exists()
    assert read_hub_folder(tmp_path / "model")[1].keys() == {"G_ema"}


def test_full_disk_leaves_the_older_folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    write(tmp_path / "model", STYLEGAN2)

    def fail(*args: object, **kwargs: object) -> None:
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(hub_folder, "model_card", fail)
    with pytest.raises(RunError, match="No space left"):
        write(tmp_path / "model", STYLEGAN1)
    assert [path.name for path in tmp_path.iterdir()] == ["model"]
    assert read_hub_folder(tmp_path / "model")[0] == STYLEGAN2


def test_card_has_what_the_hub_indexes_and_people_ask() -> None:
    text = model_card(STYLEGAN2, "me/boots")
    assert front_matter(text) == {
        "library_name": "stylegraft",
        "pipeline_tag": "unconditional-image-generation",
        "tags": ["stylegan2", "stylegan", "gan", "image-generation"],
        "license": "cc-by-nc-4.0",
    }
    for words in (
        "# me/boots",
        f"![Samples]({SAMPLES_NAME})",
        'from_pretrained("me/boots")',
        "StyleGAN2",
        "| boots, b\\|a&lt;g |",
        "photos of boots",
        "1,234 thousand images",
        "9.25 (not FID)",
        "boots.pkl",
    ):
        assert words in text


@pytest.mark.parametrize(
    ("licence", "head"),
    [
        ("MIT", {"license": "mit"}),
        (
            "Ask me: first\n---\nlicense: mit",
            {"license": "other", "license_name": "see-model-card", "license_link": CARD_NAME},
        ),
        (None, {}),
    ],
)
def test_card_names_the_licence_only_as_far_as_it_is_known(licence: str | None, head: dict[str, str]) -> None:
    text = model_card(STYLEGAN1.replace(licence=licence), "x")
    assert {key: value for key, value in front_matter(text).items() if key.startswith("license")} == head
    assert (licence or "Not stated: ask whoever trained the weights") in text
    assert "## Training data\n\nNot stated." in text


def edit_config(**changes: Any) -> Callable[[Path], object]:
    def edit(path: Path) -> None:
        config = json.loads((path / CONFIG_NAME).read_text())
        (path / CONFIG_NAME).write_text(json.dumps(config | changes))

    return edit


def edit_tensors(**changes: torch.Tensor | None) -> Callable[[Path], object]:
    def edit(path: Path) -> None:
        tensors = safetensors.torch.load_file(path / MODEL_NAME) | changes
        kept = {name: tensor for name, tensor in tensors.items() if tensor is not None}
        safetensors.torch.save_file(kept, path / MODEL_NAME)

    return edit


def cut(path: Path) -> None:
    data = (path / MODEL_NAME).read_bytes()
    (path / MODEL_NAME).write_bytes(data[:-1])


def promise_a_giant(path: Path) -> None:
    """A header that declares 16 TB, as no file holds them."""
    header = json.dumps({"x": {"dtype": "F32", "shape": [1 << 42], "data_offsets": [0, 1 << 44]}}).encode()
    (path / MODEL_NAME).write_bytes(len(header).to_bytes(8, "little") + header)


GIANT = STYLEGAN2.generator.replace(img_height=8192, img_width=8192, channels=(16384,) * 12).model_dump()
DAMAGES: dict[str, tuple[Callable[[Path], object], str]] = {
    "no config": (lambda path: (path / CONFIG_NAME).unlink(), "config.json: expected readable JSON"),
    "no JSON": (lambda path: (path / CONFIG_NAME).write_text("<html>"), "expected readable JSON"),
    "deep JSON": (lambda path: (path / CONFIG_NAME).write_text("[" * 10**6), "expected readable JSON"),
    "a list": (lambda path: (path / CONFIG_NAME).write_text("[]"), "expected library_name 'stylegraft'"),
    "another library": (edit_config(library_name="diffusers"), "written by another library"),
    "another schema": (edit_config(schema_version=99), "expected schema_version 1, got 99"),
    "unknown key": (edit_config(auto_map={"AutoModel": "evil.py"}), "auto_map: is not a known key"),
    "wrong type": (edit_config(kimg="much"), "kimg: "),
    "long text": (edit_config(licence="x" * 10**5), "licence: "),
    "class names": (edit_config(class_names=["one"]), "expected 2 names, got 1"),
    "unknown family": (edit_config(generator={"family": "stylegan9"}), "generator"),
    "no file of D": (lambda path: (path / DISCRIMINATOR_NAME).unlink(), "discriminator.safetensors: cannot"),
    "cut file": (cut, "model.safetensors: cannot be read"),
    "no safetensors": (lambda path: (path / MODEL_NAME).write_bytes(b"\x80\x04."), "cannot be read"),
    "giant header": (promise_a_giant, "model.safetensors: cannot be read"),
    "giant config": (edit_config(generator=GIANT, discriminator=None), "expected the 192 tensors"),
    "missing tensor": (edit_tensors(**{"mapping.w_avg": None}), "mapping.w_avg is missing"),
    "left-over tensor": (edit_tensors(extra=torch.zeros(1)), "extra is left over"),
    "other shape": (edit_tensors(**{"mapping.w_avg": torch.zeros(5)}), r"w_avg is \[5\] instead of \[4\]"),
}


@pytest.mark.parametrize("damage", DAMAGES)
def test_damaged_and_hostile_folders_are_refused_in_one_line(tmp_path: Path, damage: str) -> None:
    write(tmp_path / "model", STYLEGAN2)
    make, words = DAMAGES[damage]
    make(tmp_path / "model")
    with pytest.raises(CheckpointError, match=words) as caught:
        read_hub_folder(tmp_path / "model")
    assert "\n" not in str(caught.value)
    assert len(str(caught.value)) < 2000


def test_shapes_are_compared_before_tensors_are_read(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    write(tmp_path / "model", STYLEGAN2)
    edit_tensors(extra=torch.zeros(1))(tmp_path / "model")
    read = []
    opened = hub_folder.safetensors.safe_open

    class Watched:
        def __init__(self, *args: Any, **kwargs: Any) -> None:
            self.file = opened(*args, **kwargs)

        def __enter__(self) -> Watched:
            self.file.__enter__()
            return self

        def __exit__(self, *error: Any) -> None:
            self.file.__exit__(*error)

        def __getattr__(self, name: str) -> Any:
            if name == "get_tensor":
                read.append(name)
            return getattr(self.file, name)

    monkeypatch.setattr(hub_folder.safetensors, "safe_open", Watched)
    with pytest.raises(CheckpointError, match="extra is left over"):
        read_hub_folder(tmp_path / "model")
    assert not read


def test_facts_of_a_wrong_kind_are_refused_before_writing() -> None:
    with pytest.raises(ConfigError, match="expected 0 names, got 2"):
        STYLEGAN1.replace(class_names=["a", "b"])
