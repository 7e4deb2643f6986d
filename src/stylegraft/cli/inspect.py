"""`stylegraft inspect`: what a run, a checkpoint or an image set is."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated, Any

import tyro

from stylegraft.cli.output import print_json, print_table
from stylegraft.data.config import DataConfig
from stylegraft.errors import InputError
from stylegraft.zoo import resolve

_NUM_DISTANCES = 5  # the newest ones are shown; the log holds all
_NUM_TENSORS = 8  # of those that have no counterpart here, the first are named; --json names all


def inspect(
    source: Annotated[Path, tyro.conf.Positional, tyro.conf.arg(metavar="RUN-or-CHECKPOINT-or-DATA")],
    /,
    reading: DataConfig = DataConfig(),  # noqa: B008 - frozen
    *,
    json: bool = False,
) -> None:
    """Says what a run folder, a checkpoint (folder, file or name of the zoo) or an image set is.

    Args:
        source: what to look at
        reading: how images are read, for image sets only
        json: print everything as JSON
    """
    facts = describe_path(source, reading)
    if json:
        print_json(facts)
        return
    kind = facts["kind"]
    sections = {name: value for name, value in facts.items() if isinstance(value, dict) and value}
    plain = {name: value for name, value in facts.items() if name != "kind" and name not in sections}
    print_table(f"{kind}  {source}", plain)
    for name, rows in sections.items():
        if name == "settings":  # networks and transforms fill pages; --json and config.json have them
            rows = {field: value for field, value in rows.items() if not isinstance(value, dict)}
        elif name == "load_report":
            rows = _report_rows(rows)
        print()
        print_table(name.replace("_", " "), rows)


def _report_rows(report: dict[str, list[str]]) -> dict[str, str]:
    """How many tensors were taken over, and by name those that were not."""
    rows = {}
    for label, names in report.items():
        shown = names[:_NUM_TENSORS] if label in ("left_over", "missing") else []
        more = ["..."] if 0 < len(shown) < len(names) else []
        rows[label] = f"{len(names):,}" + (f": {', '.join(shown + more)}" if shown else "")
    return {"tensors " + label.replace("_", " "): text for label, text in rows.items()}


def describe_path(source: Path, reading: DataConfig) -> dict[str, Any]:
    """Returns the JSON-ready facts on a run, a checkpoint or an image set; `kind` says which it is.

    A folder with config.json and checkpoints/ is a run, one with checkpoint.json or with config.json and
    model.safetensors a checkpoint, any other folder and any zip an image set, any other file a checkpoint;
    what is no path may be a name of the zoo.

    Raises:
        InputError: there is nothing under that name, or it can be read as none of the three.
    """
    from stylegraft.checkpoints.hub.folder import is_hub_folder
    from stylegraft.checkpoints.native import CARD_NAME
    from stylegraft.checkpoints.run_folder import is_run_folder

    source = resolve(source)
    if is_run_folder(source):
        return _describe_run(source)
    is_checkpoint_folder = (source / CARD_NAME).is_file() or is_hub_folder(source)
    if is_checkpoint_folder or (source.is_file() and source.suffix.lower() != ".zip"):
        from stylegraft.model import load

        info = load(source, device="cpu").info
        return {"kind": "checkpoint", "format": info["format"], **info}
    from stylegraft.data import open_image_set

    return open_image_set(source, reading).summary()


def _describe_run(run: Path) -> dict[str, Any]:
    from stylegraft.checkpoints.run_folder import (
        CONFIG_NAME,
        LOG_NAME,
        best_checkpoint,
        list_checkpoints,
    )

    settings = read_json(run / CONFIG_NAME)
    records = _read_log(run / LOG_NAME)
    entries, problems = list_checkpoints(run)
    distances = [record for record in records if record.get("distance") is not None]
    return {
        "kind": "run",
        "path": str(run),
        "num_checkpoints": len(entries),
        "best_checkpoint": str(best_checkpoint(run)) if entries else None,
        "unreadable_checkpoints": problems,
        "progress": records[-1] if records else {},
        "distances": {
            f"{record['kimg']:.3f} kimg": record["distance"] for record in distances[-_NUM_DISTANCES:]
        },
        "checkpoints": {
            entry.path.name: {name: entry.info.get(name) for name in ("step", "kimg", "distance")}
            for entry in entries
        },
        "settings": settings,
    }


def read_json(path: Path) -> dict[str, Any]:
    """Returns the settings in a run's config.json.

    Raises:
        InputError: the file is missing or no JSON.
    """
    import json

    try:
        return json.loads(path.read_text(encoding="utf-8"))
    except (OSError, ValueError) as error:
        raise InputError(f"{path}: expected the settings of a run, got {error}. It is damaged.") from error


def _read_log(path: Path) -> list[dict[str, Any]]:
    """Returns the records of a log; a last line cut off by a killed process is left out."""
    import json

    records = []
    for line in path.read_text(encoding="utf-8").splitlines() if path.exists() else []:
        try:
            records.append(json.loads(line))
        except ValueError:
            continue
    return records
