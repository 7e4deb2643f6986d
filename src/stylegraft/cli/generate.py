"""`stylegraft generate`: images of a trained generator."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import tyro

from stylegraft.cli.output import print_json, print_table, progress
from stylegraft.cli.shared import Device, ModelPath, Precision
from stylegraft.generate.config import GenerateConfig


def generate(
    source: ModelPath,
    /,
    images: GenerateConfig,
    *,
    out: Annotated[Path, tyro.conf.arg(metavar="DIR")],
    grid: Annotated[Path | None, tyro.conf.arg(metavar="FILE")] = None,
    overwrite: bool = False,
    precision: Precision = "auto",
    device: Device = "auto",
    json: bool = False,
) -> None:
    """Writes images of a trained generator as PNG files, with a manifest.json that says how each was made.

    The same command on the same machine gives the same bytes.

    Args:
        source: a run folder (its best checkpoint is taken), a checkpoint folder, a public file or a name of
            the zoo
        images: which images, and how they are stored
        out: folder or .zip to write; it appears when all is done
        grid: also write one PNG that shows the images side by side
        overwrite: replace what an earlier generate wrote there
        precision: number type of the convolutions; auto is bf16 where the processor has units for it
        device: auto, cpu, cuda or cuda:1
        json: print the result as JSON
    """
    from stylegraft.generate import generate_set
    from stylegraft.model import load

    model = load(source, device=device, precision=precision)
    with progress("generating", shown=not json) as on_progress:
        done = generate_set(model, images, out, grid=grid, overwrite=overwrite, on_progress=on_progress)
    result = {
        "out": str(done.path),
        "num_images": len(done.images),
        "psi": images.psi,
        "grid": None if done.grid is None else str(done.grid),
        "checkpoint_sha256": model.info["sha256"],
    }
    if json:
        print_json(result)
    else:
        print_table(f"{len(done.images):,} images", result)
