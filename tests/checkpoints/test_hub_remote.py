"""To the hub and back, with the hub's client replaced at the boundary: no test talks to the network."""

from __future__ import annotations

import importlib.util
import shutil
from pathlib import Path
from typing import Any

import huggingface_hub
import numpy as np
import pytest
from huggingface_hub import errors

import stylegraft
from stylegraft.checkpoints.hub.folder import FILES, write_hub_folder
from stylegraft.checkpoints.hub.model_card import HubConfig
from stylegraft.errors import InputError, RunError
from stylegraft.networks.config import GeneratorConfig, MappingConfig
from stylegraft.networks.making import make_generator

CONFIG = GeneratorConfig(
    img_height=8, img_width=8, channels=(4, 4), mapping=MappingConfig(z_dim=4, w_dim=4, num_layers=1)
)


class FakeHub:
    """The hub as a folder of folders; keeps what it was asked."""

    def __init__(self, root: Path) -> None:
        self.root = root
        self.calls: list[tuple[str, dict[str, Any]]] = []
        self.failure: Exception | None = None

    def api(self, **settings: Any) -> FakeHub:
        self.calls.append(("HfApi", settings))
        return self

    def create_repo(self, repo_id: str, **settings: Any) -> str:
        self._answer("create_repo", repo_id=repo_id, **settings)
        return f"https://huggingface.co/{repo_id}"

    def upload_folder(self, repo_id: str, folder_path: Path, **settings: Any) -> None:
        self._answer("upload_folder", repo_id=repo_id, **settings)
        shutil.copytree(folder_path, self.root / repo_id)

    def snapshot_download(self, repo_id: str, **settings: Any) -> str:
        self._answer("snapshot_download", repo_id=repo_id, **settings)
        return str(self.root / repo_id)

    def _answer(self, name: str, **settings: Any) -> None:
        self.calls.append((name, settings))
        if self.failure is not None:
            raise self.failure


@pytest.fixture
def hub(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> FakeHub:
    fake = FakeHub(tmp_path / "hub")
    monkeypatch.setattr(huggingface_hub, "HfApi", fake.api)
    monkeypatch.setattr(huggingface_hub, "snapshot_download", fake.snapshot_download)
    return fake


@pytest.fixture
def model(tmp_path: Path) -> stylegraft.Model:
    tensors = {"G_ema": make_generator(CONFIG).state_dict()}
    write_hub_folder(tmp_path / "local", HubConfig(generator=CONFIG), tensors, b"", name="local")
    return stylegraft.Model.from_pretrained(tmp_path / "local")


def test_pushed_model_comes_back(hub: FakeHub, model: stylegraft.Model) -> None:
    address = model.push_to_hub("me/beans", token="t0", private=True, licence="mit", data_note="beans")
    assert address == "https://huggingface.co/me/beans"
    assert hub.calls == [
        ("HfApi", {"token": "t0", "library_name": "stylegraft"}),
        ("create_repo", {"repo_id": "me/beans", "private": True, "exist_ok": True}),
        ("upload_folder", {"repo_id": "me/beans", "commit_message": "Upload model with stylegraft"}),
    ]
    assert "\n# me/beans\n" in (hub.root / "me" / "beans" / "README.md").read_text(encoding="utf-8")
    back = stylegraft.Model.from_pretrained("me/beans", revision="v1", token="t1")
    assert hub.calls[-1] == (
        "snapshot_download",
        {"repo_id": "me/beans", "revision": "v1", "token": "t1", "allow_patterns": list(FILES)},
    )
    assert np.array_equal(back.sample(range(4)), model.sample(range(4)))
    assert (back.info["licence"], back.info["data_note"]) == ("mit", "beans")
    assert back.info["sha256"] == model.info["sha256"]


def test_folder_that_exists_is_not_looked_for_on_the_hub(
    hub: FakeHub, model: stylegraft.Model, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    assert stylegraft.Model.from_pretrained("local").info["path"] == "local"
    assert not hub.calls


@pytest.mark.parametrize("name", ["me/beans/more", "/nowhere/at all", "a b", "me/", "https://me/beans"])
def test_name_that_can_be_none_of_the_hub_is_refused(
    hub: FakeHub, model: stylegraft.Model, name: str
) -> None:
    with pytest.raises(
        InputError, match=r"expected a folder that exists, or a model of the hub as owner/name"
    ):
        stylegraft.Model.from_pretrained(name)
    with pytest.raises(InputError, match="owner/name"):
        model.push_to_hub(name)
    assert not hub.calls


def unknown_repository() -> Exception:
    error = errors.RepositoryNotFoundError.__new__(errors.RepositoryNotFoundError)
    error.args = ("404 Client Error.\n\nRepository Not Found for url: ...",)
    return error


@pytest.mark.parametrize(
    ("failure", "kind", "words"),
    [
        (unknown_repository, InputError, "404 Client Error. Check name and revision"),
        (lambda: errors.HFValidationError("Repo id must not end by '.git'."), InputError, "must not end by"),
        (lambda: errors.LocalEntryNotFoundError("no internet\nand no copy"), RunError, "no internet. Check"),
        (lambda: ConnectionError(), RunError, "ConnectionError. Check the connection"),
        (lambda: errors.HTTPError("refused"), RunError, "refused. Check the connection"),
    ],
)
def test_failures_of_the_hub_are_one_line(
    hub: FakeHub, model: stylegraft.Model, failure: Any, kind: type[Exception], words: str
) -> None:
    hub.failure = failure()
    with pytest.raises(kind, match=words) as caught:
        stylegraft.Model.from_pretrained("me/beans")
    assert "\n" not in str(caught.value)
    with pytest.raises(kind, match="cannot upload to me/beans"):
        model.push_to_hub("me/beans")


def test_missing_client_is_named_with_the_command(
    model: stylegraft.Model, monkeypatch: pytest.MonkeyPatch
) -> None:
    find = importlib.util.find_spec
    monkeypatch.setattr(
        "stylegraft.checkpoints.export.extras.find_spec",
        lambda name: None if name == "huggingface_hub" else find(name),
    )
    for action in (
        lambda: stylegraft.Model.from_pretrained("me/beans"),
        lambda: model.push_to_hub("me/beans"),
    ):
        with pytest.raises(InputError, match=r"Run: pip install 'stylegraft\[hub\]'"):
            action()
