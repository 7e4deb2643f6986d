"""Files of other software at the command line: what they are, or one line and exit code 2."""

from __future__ import annotations

import json
import shutil
import sys
from collections.abc import Callable
from pathlib import Path

import pytest
import torch

ROSINALITY = Path(__file__).parents[1] / "reference" / "rosinality" / "rosinality_r32_train.pt"

WRONG: dict[str, tuple[str, Callable[[Path], object], str]] = {
    "cut": ("x.pt", lambda path: path.write_bytes(ROSINALITY.read_bytes()[:-1000]), "whole and undamaged"),
    "html": ("x.pkl", lambda path: path.write_text("<!DOCTYPE html><html>quota</html>"), "an HTML page"),
    "git_lfs": (
        "x.pt",
        lambda path: path.write_text("version https://git-lfs.github.com/spec/v1"),
        "git-lfs",
    ),
    "empty": ("x.pt", lambda path: path.write_bytes(b""), "an empty file"),
    "keras": ("gen_5.h5", lambda path: path.write_bytes(b"\x89HDF\r\n\x1a\n" + bytes(64)), "Keras"),
    "classifier": ("x.pt", lambda path: torch.save({"fc.bias": torch.ones(2)}, path), "another network"),
    "lucidrains": ("model_3.pt", lambda path: torch.save({"GAN": {}, "version": "1"}, path), "lucidrains"),
    "wrong_magic": ("x.pt", lambda path: path.write_bytes(b"PK\x03\x05" + bytes(90)), "unknown format"),
}


@pytest.mark.parametrize("name", WRONG)
def test_wrong_file_is_one_line_and_exit_code_2(tmp_path: Path, run_cli, name: str) -> None:
    file_name, write, says = WRONG[name]
    write(tmp_path / file_name)
    done = run_cli("inspect", tmp_path / file_name)
    assert done.code == 2
    assert done.out == ""
    assert done.err.startswith("stylegraft: error: ")
    assert done.err.count("\n") == 1
    assert says in done.err


def test_inspect_tells_what_a_training_file_holds(run_cli) -> None:
    done = run_cli("inspect", ROSINALITY, "--json")
    assert done.code == 0
    facts = json.loads(done.out)
    assert facts["format"] == "rosinality"
    assert facts["family"] == "stylegan2"
    assert (facts["img_height"], facts["mapping_layers"], facts["w_dim"]) == (32, 4, 48)
    assert facts["saved_with"]["args"]["size"] == 32
    assert facts["load_report"]["left_over"] == ["g_optim", "d_optim"]
    assert "w_avg is not in the file" in facts["notes"][0]


def test_generate_draws_from_a_training_file(tmp_path: Path, run_cli) -> None:
    done = run_cli("generate", ROSINALITY, "--seeds", "1-3", "--out", tmp_path / "set")
    assert done.code == 0, done.err
    assert (tmp_path / "set" / "seed000003.png").is_file()


@pytest.mark.skipif(sys.platform == "win32", reason="an open file cannot be replaced there")
def test_file_may_be_replaced_after_it_was_loaded(tmp_path: Path) -> None:
    """The file is mapped while it is read; nothing may refer to the map afterwards."""
    import stylegraft

    path = shutil.copy(ROSINALITY, tmp_path / "x.pt")
    model = stylegraft.load(path, device="cpu")
    before = model.sample([1])
    with Path(path).open("r+b") as file:
        file.truncate(0)
    assert (model.sample([1]) == before).all()
