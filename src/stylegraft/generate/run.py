"""Makes a set of images from a model: plan, sample in batches, encode meanwhile, store as a whole."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Literal, Protocol

import numpy as np
from numpy.typing import NDArray

from stylegraft.data.writer import write_image_set
from stylegraft.errors import InputError
from stylegraft.generate.config import GenerateConfig, NoiseMode, TruncationCentre
from stylegraft.generate.grid import Sheet
from stylegraft.generate.manifest import MANIFEST_NAME, make_manifest
from stylegraft.generate.plan import PlannedImage, plan_images
from stylegraft.generate.target import target


class Sampler(Protocol):
    """The part of `stylegraft.Model` that is needed here."""

    @property
    def info(self) -> dict[str, Any]:
        """At least `sha256` and `c_dim`."""
        ...

    @property
    def class_names(self) -> list[str] | None:
        """Names of the classes by index, if known."""
        ...

    @property
    def sampling_batch(self) -> int:
        """How many images at a time are quickest."""
        ...

    @property
    def truncation_centre(self) -> Literal["class", "global"]:
        """What "auto" means for this model."""
        ...

    def sample(
        self,
        seeds: Sequence[int],
        psi: float = ...,
        cutoff: int | None = ...,
        labels: NDArray[np.float32] | None = ...,
        noise_mode: NoiseMode = ...,
        batch: int = ...,
        truncation_centre: TruncationCentre = ...,
    ) -> NDArray[np.uint8]:
        """Returns uint8 [N, H, W, C]."""
        ...


@dataclass(frozen=True)
class GeneratedSet:
    """What was written."""

    path: Path
    grid: Path | None
    images: list[PlannedImage]


def generate_set(
    model: Sampler,
    config: GenerateConfig,
    out: str | Path,
    *,
    grid: str | Path | None = None,
    overwrite: bool = False,
    on_progress: Callable[[int, int], None] = lambda done, total: None,
) -> GeneratedSet:
    """Writes a set of generated images with its manifest; the same request gives the same bytes.

    Args:
        model: what samples.
        config: which images, and how they are stored.
        out: the folder or zip; it appears when all is done.
        grid: also write a PNG that shows the images side by side, as many as fit 4096 x 4096 px.
        overwrite: replace a set that is there already.
        on_progress: called with (images done, images in all) as images are stored.

    Raises:
        InputError: `out` is in use or cannot be written, or the model does not have the classes asked for.
        RunError: the disk is full.
    """
    out = _named_as_stored(Path(out), config)
    sheet = None if grid is None else Sheet(Path(grid), overwrite, config.per_class)
    num_classes = int(model.info["c_dim"])
    images = plan_images(config, num_classes, model.class_names)
    batch = config.batch or model.sampling_batch
    centre = model.truncation_centre if config.truncation_centre == "auto" else config.truncation_centre
    config = config.replace(batch=batch, truncation_centre=centre)  # for the manifest

    def watched() -> Iterator[NDArray[np.uint8]]:
        for done, picture in enumerate(_pictures(model, config, batch, images, num_classes), start=1):
            if sheet is not None:
                sheet.add(images[done - 1], picture)
            yield picture
            if done % batch == 0 or done == len(images):
                on_progress(done, len(images))

    with target(out, overwrite) as path:
        write_image_set(
            path,
            watched(),
            names=[image.file for image in images],
            labels=[image.class_index or 0 for image in images] if num_classes else None,
            class_names=model.class_names if num_classes else None,
            extra_files={MANIFEST_NAME: make_manifest(config, model.info, images).encode()},
        )
    if sheet is not None:
        sheet.write()
    return GeneratedSet(out, sheet and sheet.path, images)


def _pictures(
    model: Sampler, config: GenerateConfig, batch: int, images: Sequence[PlannedImage], num_classes: int
) -> Iterator[NDArray[np.uint8]]:
    """Yields the images, uint8 [H, W, C], in order.

    The model works on the next batch in a thread while this one is encoded, in threads of the writer's, and
    stored, for torch and zlib both let go of the interpreter.
    """

    def sample(chunk: Sequence[PlannedImage]) -> NDArray[np.uint8]:
        return model.sample(
            [image.seed for image in chunk],
            psi=config.psi,
            cutoff=config.cutoff,
            labels=_one_hot(chunk, num_classes),
            noise_mode=config.noise_mode,
            batch=batch,
            truncation_centre=config.truncation_centre,
        )

    chunks = [images[start : start + batch] for start in range(0, len(images), batch)]
    with ThreadPoolExecutor(1) as model_thread:
        coming = model_thread.submit(sample, chunks[0])
        for following in [*chunks[1:], None]:
            pixels = coming.result()
            if following is not None:
                coming = model_thread.submit(sample, following)
            yield from pixels


def _one_hot(images: Sequence[PlannedImage], num_classes: int) -> NDArray[np.float32] | None:
    """Returns the labels of planned images, float32 [N, num_classes], or None for an unconditional model."""
    if num_classes == 0:
        return None
    return np.eye(num_classes, dtype=np.float32)[[image.class_index or 0 for image in images]]


def _named_as_stored(out: Path, config: GenerateConfig) -> Path:
    """Returns `out` with the suffix that says how it is stored: .zip for a zip, none for a folder.

    Raises:
        InputError: the name ends with .zip and a folder is asked for.
    """
    is_zip_name = out.suffix.lower() == ".zip"
    if config.format == "folder" and is_zip_name:
        raise InputError(
            f"--out {out} --format folder: expected a name without .zip. Leave one of the two out."
        )
    if config.format == "zip" and not is_zip_name:
        return out.with_name(out.name + ".zip")
    return out
