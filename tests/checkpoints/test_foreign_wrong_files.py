"""A wrong file is called by its name, in one line."""

from __future__ import annotations

import argparse
import gzip
import os
import pickle
import sys
import tarfile
import zipfile
from pathlib import Path

import numpy as np
import pytest
import torch
from foreign_writer import Persistent, write_official
from PIL import Image
from safetensors.torch import save_file

from stylegraft.checkpoints.foreign import read_foreign, sniff
from stylegraft.errors import CheckpointError, UnsafeFileError

LFS = b"version https://git-lfs.github.com/spec/v1\noid sha256:0123\nsize 381673535\n"
HTML = b"\n<!DOCTYPE html>\n<html><head><title>Google Drive - Quota exceeded</title></head></html>"


def write(path: Path, kind: str) -> Path:
    if kind == "torch-zip":
        torch.save({"a": torch.ones(2)}, path)
    elif kind == "torch-legacy":
        torch.save({"a": torch.ones(2)}, path, _use_new_zipfile_serialization=False)
    elif kind == "safetensors":
        save_file({"a": torch.ones(2)}, path)
    elif kind == "zip":
        with zipfile.ZipFile(path, "w") as archive:
            archive.writestr("00000/img00000000.png", b"")
    elif kind in ("tar", "torch-tar"):
        with tarfile.open(path, "w") as archive:
            archive.addfile(tarfile.TarInfo("sys_info" if kind == "torch-tar" else "00000/img00000000.png"))
    elif kind == "image":
        Image.new("RGB", (4, 4)).save(path, format="PNG")
    else:
        path.write_bytes(
            {
                "html": HTML,
                "git-lfs": LFS,
                "empty": b"",
                "gzip": gzip.compress(b"x"),
                "hdf5": b"\x89HDF\r\n\x1a\n" + bytes(64),
            }[kind]
        )
    return path


@pytest.mark.parametrize(
    ("kind", "says"),
    [
        ("html", "got an HTML page"),
        ("git-lfs", "got a git-lfs pointer, not the file itself. Download the real file"),
        ("empty", "got an empty file. Download"),
        ("gzip", "got a gzip archive"),
        (
            "hdf5",
            "got an HDF5 file, such as the weights of a Keras network. Keras networks are not supported",
        ),
        ("zip", "got a zip archive"),
        ("image", "got an image"),
        ("safetensors", "got a safetensors file"),
        ("tar", "got a tar archive"),
        (
            "torch-tar",
            "got a torch.save file of the oldest form (tar, before 2017). Load it with torch and save",
        ),
        ("torch-zip", "got the tensors of another network (1 of them: a)"),
        ("torch-legacy", "got the tensors of another network (1 of them: a)"),
    ],
)
def test_wrong_format_is_named(tmp_path: Path, kind: str, says: str) -> None:
    path = write(tmp_path / "network.pkl", kind)
    assert sniff(path) == kind
    with pytest.raises(CheckpointError) as caught:
        read_foreign(path)
    assert says in str(caught.value)
    assert str(path) in str(caught.value)
    assert "\n" not in str(caught.value)


def test_official_file_is_recognised(tmp_path: Path) -> None:
    assert sniff(write_official(tmp_path / "x", {"G": Persistent("Generator", {})})) == "nvidia-pytorch"


def test_unknown_bytes_are_of_no_format(tmp_path: Path) -> None:
    path = tmp_path / "x.bin"
    path.write_bytes(b"hello, world")
    assert sniff(path) is None
    with pytest.raises(CheckpointError, match="a file of unknown format"):
        read_foreign(path)


def test_text_called_pkl_is_damaged(tmp_path: Path) -> None:
    path = tmp_path / "x.pkl"
    path.write_bytes(b"hello, world")
    with pytest.raises(CheckpointError, match="whole and undamaged checkpoint"):
        read_foreign(path)


@pytest.mark.parametrize(
    ("root", "says"),
    [
        ({"epoch": 3, "loss": 0.5}, "a dict with the keys epoch, loss"),
        ([1, 2], "got a list of 2 items"),
        ({}, "an empty dict"),
        ({"G": 1, "D": 2, "G_ema": None}, "a dict with the keys G, D, G_ema"),
        (np.float32(1.5), "got a float"),
    ],
)
def test_pickle_of_something_else_is_described(tmp_path: Path, root: object, says: str) -> None:
    path = tmp_path / "x.pkl"
    path.write_bytes(pickle.dumps(root))
    with pytest.raises(CheckpointError) as caught:
        read_foreign(path)
    assert says in str(caught.value)


def optimiser_state() -> dict[str, object]:
    parameter = torch.nn.Parameter(torch.ones(2))
    return torch.optim.Adam([parameter]).state_dict()


SAVED: dict[str, tuple[object, str]] = {
    "classifier": (
        {f"layer{index}.conv.weight": torch.ones(1) for index in range(20)},
        "the tensors of another network (20 of them: layer0.conv.weight, ",
    ),
    "optimiser": (optimiser_state(), "the state of an optimiser, without a network"),
    "list": ([torch.ones(2), 3], "a list of 2 items"),
    "tensor": (torch.ones(2, 5), "a single tensor of shape [2, 5]"),
    "settings": (argparse.Namespace(size=3), "an object of class Namespace"),
    "several": ({"epoch": 3, "state_dict": {"a": torch.ones(1)}}, "a dict with the keys epoch, state_dict"),
    "discriminator": ({"d": {"final_conv.1.bias": torch.ones(1)}}, "a dict with the keys d"),
    "nothing": ({}, "an empty dict"),
    "lucidrains": (
        {"GAN": {"S.net.0.weight": torch.ones(1)}, "version": "1.8.9"},
        "a checkpoint of lucidrains' stylegan2-pytorch, a network of its own",
    ),
}


@pytest.mark.parametrize("legacy", [False, True], ids=["zip", "legacy"])
@pytest.mark.parametrize("name", SAVED)
def test_torch_save_of_something_else_is_described(tmp_path: Path, name: str, legacy: bool) -> None:
    root, says = SAVED[name]
    torch.save(root, tmp_path / "x.pt", _use_new_zipfile_serialization=not legacy)
    with pytest.raises(CheckpointError) as caught:
        read_foreign(tmp_path / "x.pt")
    assert f"got {says}" in str(caught.value)
    assert "\n" not in str(caught.value)


def test_torch_save_of_a_whole_module_names_its_class(tmp_path: Path) -> None:
    torch.save(torch.nn.Linear(1, 1), tmp_path / "x.pt")
    with pytest.raises(UnsafeFileError, match=r"asks for torch.nn.modules.linear.Linear"):
        read_foreign(tmp_path / "x.pt")


def test_pickle_of_another_library_names_its_class(tmp_path: Path) -> None:
    (tmp_path / "x.pkl").write_bytes(b"\x80\x02csklearn.svm._classes\nSVC\n)\x81}b.")
    with pytest.raises(UnsafeFileError, match=r"asks for sklearn.svm._classes.SVC, which is no part"):
        read_foreign(tmp_path / "x.pkl")


@pytest.mark.parametrize("legacy", [False, True], ids=["zip", "legacy"])
def test_cut_torch_file_is_damaged(tmp_path: Path, legacy: bool) -> None:
    path = tmp_path / "x.pt"
    torch.save({"g_ema": {"input.input": torch.ones(400)}}, path, _use_new_zipfile_serialization=not legacy)
    path.write_bytes(path.read_bytes()[:-300])
    with pytest.raises(CheckpointError, match="expected a whole and undamaged checkpoint"):
        read_foreign(path)


def test_path_without_a_file_is_said_to_be_so(tmp_path: Path) -> None:
    with pytest.raises(CheckpointError, match="nothing there"):
        read_foreign(tmp_path / "none.pkl")
    with pytest.raises(CheckpointError, match="a folder"):
        read_foreign(tmp_path)


@pytest.mark.skipif(sys.platform == "win32", reason="Windows has no such files")
def test_pipe_is_not_waited_for(tmp_path: Path) -> None:
    os.mkfifo(tmp_path / "x.pkl")
    with pytest.raises(CheckpointError, match="no regular file"):
        read_foreign(tmp_path / "x.pkl")
