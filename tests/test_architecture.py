from __future__ import annotations

import re
import tomllib
from pathlib import Path

ROOT = Path(__file__).resolve().parents[1]

# May be imported by every folder below them; the order of layers alone guards them.
COMMON = {"errors", "config", "files", "disk_cache", "runtime"}


def _table() -> dict[str, set[str]]:
    """The map of docs/architecture.md: folder -> what it may import, top to bottom."""
    text = (ROOT / "docs" / "architecture.md").read_text(encoding="utf-8")
    rows: dict[str, set[str]] = {}
    for name, may_import in re.findall(r"^\| `(\w+)` \|.*\| ([^|]+) \|$", text, re.MULTILINE):
        rows[name] = set(rows) if may_import == "all above" else set(re.findall(r"`(\w+)`", may_import))
    return rows


def _contracts() -> list[dict]:
    with (ROOT / "pyproject.toml").open("rb") as file:
        return tomllib.load(file)["tool"]["importlinter"]["contracts"]


def test_architecture_table_has_every_folder_and_module() -> None:
    package = ROOT / "src" / "stylegraft"
    found = {
        path.stem for path in package.iterdir() if path.suffix == ".py" or (path / "__init__.py").exists()
    }
    assert set(_table()) == found - {"__init__", "__main__"}


def test_architecture_table_is_in_the_order_of_the_layers() -> None:
    (layers,) = (contract["layers"] for contract in _contracts() if contract["type"] == "layers")
    level = {name.strip("() "): -row for row, names in enumerate(layers) for name in names.split("|")}
    assert set(level) == {*_table(), "__main__"}
    for name, may_import in _table().items():
        assert all(level[other] < level[name] for other in may_import), name


def test_architecture_table_names_the_importers_that_the_contracts_allow() -> None:
    table = _table()
    checked = set()
    for contract in _contracts():
        if contract["type"] != "protected":
            continue
        allowed = {name.removeprefix("stylegraft.") for name in contract["allowed_importers"]}
        for protected in contract["protected_modules"]:
            name = protected.removeprefix("stylegraft.")
            assert {row for row, may_import in table.items() if name in may_import} == allowed, name
            checked.add(name)
    assert checked == set(table) - COMMON
