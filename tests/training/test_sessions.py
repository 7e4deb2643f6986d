import json
import sys

import pytest

from stylegraft import __version__
from stylegraft.errors import RunError
from stylegraft.training.sessions import note_session


def test_each_session_is_a_line_with_its_command(tmp_path, monkeypatch):
    monkeypatch.setattr(sys, "argv", ["/bin/stylegraft", "train", "my photos", "--out", "run"])
    note_session(tmp_path)
    monkeypatch.setattr(sys, "argv", ["/lib/stylegraft/__main__.py", "train", "--resume", "run"])
    note_session(tmp_path)
    first, second = [json.loads(line) for line in (tmp_path / "sessions.jsonl").read_text().splitlines()]
    assert first["command"] == "stylegraft train 'my photos' --out run"
    assert second["command"] == "stylegraft train --resume run"
    assert first["version"] == __version__
    assert first["machine"]["cpu"]
    assert first["started"].endswith("+00:00")


def test_session_that_cannot_be_noted_is_an_error_in_a_line(tmp_path):
    with pytest.raises(RunError, match=r"sessions\.jsonl: .*Check free space"):
        note_session(tmp_path / "missing")
