"""Makes an entry of the zoo from a finished run: networks in half precision, grid, numbers, licence.

    python tools/make_zoo_entry.py RUN --facts tools/zoo_facts/textures.toml --data textures.zip
    python tools/make_zoo_entry.py RUN --facts FACTS --data DATA --kimg 400     (checkpoint nearest to it)

What people state about a source is in the facts (TOML, the fields of `ZooFacts`); all numbers are taken from
the run, or measured on the networks as they are shipped. The entry appears under `src/stylegraft/zoo/weights`
when it is whole and has passed: no value leaves the range of half precision, pictures move by less than one
grey level on average, the images are those of the run, and the stated command would train with its settings.
"""

from __future__ import annotations

import argparse
import datetime
import inspect
import shlex
import shutil
import sys
import tempfile
import tomllib
from pathlib import Path
from typing import Any

import numpy as np
import torch

from stylegraft import __version__
from stylegraft.checkpoints.native import Checkpoint, read_checkpoint, write_checkpoint
from stylegraft.checkpoints.opening import OpenedCheckpoint, open_checkpoint
from stylegraft.checkpoints.run_folder import best_checkpoint, is_run_folder, list_checkpoints
from stylegraft.cli.arguments import parse
from stylegraft.cli.train import train
from stylegraft.data import ImageSet, images_to_tensor, open_image_set
from stylegraft.errors import InputError, StylegraftError
from stylegraft.evaluation.evaluate import evaluate_model
from stylegraft.files import atomic_folder, write_text
from stylegraft.metrics.settings import FD_EFFLITE0
from stylegraft.model import Model, load
from stylegraft.pictures import image_grid, save_picture
from stylegraft.training.config import RunConfig
from stylegraft.training.plan import plan_run
from stylegraft.zoo import catalogue
from stylegraft.zoo.card import ZooCard, ZooFacts
from stylegraft.zoo.catalogue import CARD_NAME, GRID_NAME, WEIGHTS_FOLDER
from stylegraft.zoo.sheet import GRID_COLUMNS, GRID_GAP_PX

_NOT_COMPARED = frozenset(
    ("data_path", "precision", "threads", "tick_steps", "eval_ticks", "eval_fakes", "eval_share", "source")
)
"""Settings of a run that follow from where it ran and how fast that was; and its source, compared by hash."""

_MAX_LEVELS = 1.0
_MAX_LOGITS = 0.05
"""Largest mean change of D's logits by rounding; between real and generated images they differ by about 1."""


def main(words: list[str] | None = None) -> int:
    """Runs the command; returns its exit code."""
    parser = argparse.ArgumentParser(description="makes an entry of the zoo from a finished run")
    parser.add_argument("run", type=Path, metavar="RUN")
    parser.add_argument("--facts", type=Path, required=True, help="TOML with the fields of ZooFacts")
    parser.add_argument("--data", type=Path, required=True, help="the run's images")
    parser.add_argument("--kimg", type=float, help="the checkpoint nearest to this; without it the best one")
    parser.add_argument("--psi", type=float, default=0.7, help="truncation of the grid")
    parser.add_argument("--out", type=Path, default=WEIGHTS_FOLDER, help="folder of all entries")
    given = parser.parse_args(words)
    try:
        folder = make_entry(given.run, given.facts, given.data, kimg=given.kimg, psi=given.psi, out=given.out)
    except StylegraftError as error:
        print(f"make_zoo_entry: error: {error}", file=sys.stderr)
        return error.exit_code
    print(f"{folder}: {sum(file.stat().st_size for file in folder.iterdir()):,} bytes")
    return 0


def make_entry(run: Path, facts: Path, data: Path, *, kimg: float | None, psi: float, out: Path) -> Path:
    """Writes `out`/NAME and returns it.

    Raises:
        InputError: facts, run and images do not belong together, or rounding would change the networks.
    """
    stated = ZooFacts(**tomllib.loads(facts.read_text(encoding="utf-8")))
    if not is_run_folder(run):
        raise InputError(f"{run}: expected the folder of a finished run. Name what train --out wrote.")
    source = chosen_checkpoint(run, kimg)
    checkpoint = read_checkpoint(source)
    config = RunConfig.from_dict(checkpoint.state["config"])  # config.json has the budget it began with
    images = open_image_set(data, config.data)
    if images.content_hash != config.data_hash:
        raise InputError(f"--data {data}: expected the images of {run}, got others. Name the run's own set.")
    check_command(stated.command, config, images)
    check_licence(stated, config)
    with tempfile.TemporaryDirectory() as temporary:
        made = Path(temporary) / stated.name
        write_checkpoint(made, rounded(checkpoint, stated, len(images)))
        model = load(made, device="cpu")
        levels = check_rounding(load(source, device="cpu"), model, images)
        card = ZooCard(
            **dict(stated),
            **measure(model, images, config),
            kimg=model.info["kimg"],
            train_sec=model.info["train_sec"],
            grid_psi=psi,
            rounding_levels=levels,
            sha256=model.info["sha256"],
            date=datetime.date.today().isoformat(),
            version=__version__,
        )
        write_text(made / CARD_NAME, card.to_json())
        sample = model.sample(range(GRID_COLUMNS**2), psi=psi)
        save_picture(made / GRID_NAME, image_grid(sample, GRID_COLUMNS, gap_px=GRID_GAP_PX))
        with atomic_folder(out / stated.name) as folder:
            for file in made.iterdir():
                shutil.copyfile(file, folder / file.name)
    return out / stated.name


def check_command(command: str, config: RunConfig, images: ImageSet) -> None:
    """Plans the run that a command line would start, and compares it with the run's settings.

    Raises:
        InputError: it is no `stylegraft train`, or would train in another way.
    """
    words = shlex.split(command)
    bound = parse(train, "stylegraft train", words[2:]) if words[:2] == ["stylegraft", "train"] else None
    if bound is None:
        raise InputError(f'facts: expected a command "stylegraft train DATA ...", got {command!r}.')
    given = inspect.signature(train).bind(*bound.args, **bound.keywords)  # pyright: ignore
    given.apply_defaults()
    opened = opened_source(given.arguments["source"], config)
    options, reading = given.arguments["training"], given.arguments["images"]
    planned = plan_run(options, images, images.split(), reading, "cpu", config.precision, opened)
    differ = [
        f"{name} {getattr(planned, name)!r} instead of {getattr(config, name)!r}"
        for name in RunConfig.model_fields
        if name not in _NOT_COMPARED and getattr(planned, name) != getattr(config, name)
    ]
    if differ:
        raise InputError(
            f"facts: the command would train with other settings than the run: {'; '.join(differ)}. "
            "Add the flags that make it the same."
        )


def opened_source(named: Path | None, config: RunConfig) -> OpenedCheckpoint | None:
    """Returns what a run was grafted from: a source of the zoo, or the checkpoint which that was made from.

    Args:
        named: what follows `--from` in the stated command: NAME, or NAME/checkpoints/kimg-..., from the run
            that the command on NAME's card writes; that checkpoint has to be there.
        config: of the run; None there and here: it was trained from scratch.

    Raises:
        InputError: the run had another source, or one that is not in the zoo, so that nobody else has it.
    """
    if named is None and config.source is None:
        return None
    name = "" if named is None else named.parts[0]
    if named is None or config.source is None or name not in catalogue.names():
        raise InputError(
            "facts: expected a run from scratch, or one from a source of the zoo that the command names."
        )
    entry = catalogue.entry(name).folder
    is_entry = str(named) == name
    if not (is_entry or becomes(read_checkpoint(named), read_checkpoint(entry))):
        raise InputError(f"facts: {named}: expected the checkpoint that the zoo's {name} was made from.")
    opened = open_checkpoint(entry if is_entry else named)
    if opened.info["sha256"] != config.source.sha256:
        raise InputError(f"facts: the run's source was not the zoo's {name} as it is now.")
    return opened


def becomes(checkpoint: Checkpoint, entry: Checkpoint) -> bool:
    """Whether an entry holds a checkpoint's networks, but for the rounding."""
    networks, shipped = checkpoint.networks, entry.networks
    return networks.keys() == shipped.keys() and all(
        torch.equal(tensor.half(), shipped[name].half()) for name, tensor in networks.items()
    )


def check_licence(facts: ZooFacts, config: RunConfig) -> None:
    """A grafted source is under its own images' terms and under those of what it was grafted from.

    Raises:
        InputError: the facts state the one without the other.
    """
    beneath = config.source and config.source.facts.get("licence")
    if beneath and beneath not in facts.licence:
        raise InputError(
            f"facts: licence {facts.licence!r}: expected {beneath!r} in it, the terms of the "
            "source. Name both."
        )


def chosen_checkpoint(run: Path, kimg: float | None) -> Path:
    """Returns the run's best checkpoint, or the one nearest to `kimg`."""
    if kimg is None:
        return best_checkpoint(run)
    entries, _ = list_checkpoints(run)
    if not entries:
        raise InputError(f"{run}: expected a checkpoint, found none. Train longer.")
    return min(entries, key=lambda entry: abs(entry.info["kimg"] - kimg)).path


def rounded(checkpoint: Checkpoint, facts: ZooFacts, num_images: int) -> Checkpoint:
    """Returns a checkpoint's G_ema and D in half precision, with what copies of them have to say.

    Raises:
        InputError: D is missing, or values are beyond the range of half precision.
    """
    if checkpoint.discriminator is None:
        raise InputError("the run's checkpoint: expected G_ema and D, got no D. Transfer needs both.")
    half = {name: tensor.half() for name, tensor in checkpoint.networks.items()}
    beyond = [name for name, tensor in half.items() if not bool(tensor.isfinite().all())]
    if beyond:
        raise InputError(f"{', '.join(beyond[:3])}: values beyond half precision. Choose another checkpoint.")
    info = checkpoint.info | {
        "licence": facts.licence,
        "data_note": f"{num_images:,} images: {facts.domain}. From {', '.join(facts.packages)} "
        f"({facts.images_licence}; {facts.attribution}).",
    }
    return Checkpoint(checkpoint.generator, checkpoint.discriminator, half, info=info)


def check_rounding(original: Model, made: Model, images: ImageSet) -> float:
    """Returns by how many grey levels of 255 rounding changes a picture on average.

    Raises:
        InputError: by one or more, or D judges images in another way.
    """
    seeds = range(GRID_COLUMNS**2)
    before, after = (model.sample(seeds, psi=1.0).astype(np.float64) for model in (original, made))
    levels = float(np.abs(before - after).mean())
    if levels >= _MAX_LEVELS:
        raise InputError(f"half precision moves pictures by {levels:.2f} grey levels: expected below 1.")
    pixels = images_to_tensor(images.pixels(np.arange(min(64, len(images)))))
    with torch.no_grad():
        logits = [model.discriminator(pixels, None) for model in (original, made) if model.discriminator]
    change = float((logits[0] - logits[1]).abs().mean())
    if change >= _MAX_LOGITS:
        raise InputError(
            f"half precision moves the logits of D by {change:.3f}: expected below {_MAX_LOGITS}."
        )
    return levels


def measure(model: Model, images: ImageSet, config: RunConfig) -> dict[str, Any]:
    """Returns the measured fields of a card, by `stylegraft evaluate` with its default setting."""
    split = images.split()
    result = evaluate_model(model, images, split=split, mirror=config.data.mirror)
    distance = result["metrics"]["fd_heldout"]
    memorisation = result["memorisation"]
    kinds = [memorisation[kind] for kind in ("pixels", "features") if memorisation[kind] is not None]
    closest = max(kinds, key=lambda kind: kind["share"] - kind["expected_share"], default=None)
    return {
        "num_images": len(images),
        "num_heldout": len(split.holdout_indices),
        "data_hash": images.content_hash,
        "img_size_px": images.height,
        "metric": FD_EFFLITE0.name,
        "distance": distance["value"],
        "distance_low": distance["low"],
        "distance_high": distance["high"],
        "floor": None if distance["real_level"] is None else distance["real_level"]["value"],
        "num_fakes": result["settings"]["num"],
        "copier_share": closest and closest["share"],
        "false_alarm_rate": closest and closest["expected_share"],
        "copy_verdict": memorisation["verdict"],
    }


if __name__ == "__main__":
    sys.exit(main())
