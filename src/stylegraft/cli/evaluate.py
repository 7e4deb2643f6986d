"""`stylegraft evaluate`: how close the images of a generator come to real ones."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Any

from stylegraft.cli.output import print_json, print_table, progress
from stylegraft.cli.shared import DataPath, Device, ModelPath, Precision
from stylegraft.data.config import DataConfig

if TYPE_CHECKING:
    from stylegraft.model import Model


def evaluate(
    source: ModelPath,
    data: DataPath,
    /,
    reading: DataConfig = DataConfig(),  # noqa: B008 - frozen
    *,
    num: int = 1000,
    psi: float = 1.0,
    first_seed: int = 0,
    precision: Precision = "auto",
    device: Device = "auto",
    json: bool = False,
) -> None:
    """Measures how close generated images come to real ones; lower is closer, the floor is what is possible.

    The images are read as the run read them, in the model's size; flags change that.

    Args:
        source: a run folder (its best checkpoint is taken), a checkpoint folder or a .pkl file
        data: the real images: folder, class folders or zip
        reading: how the images are read
        num: generated images; more make the number steadier
        psi: truncation of the generated images; 1 measures the full variety
        first_seed: the generated images are those of this seed and the following ones
        precision: number type of the convolutions; auto is bf16 where the processor has units for it
        device: auto, cpu, cuda or cuda:1
        json: print the result as JSON
    """
    from stylegraft.data import open_image_set
    from stylegraft.evaluation import evaluate_model
    from stylegraft.model import load

    model = load(source, device=device, precision=precision)
    config = _reading_of(source, model, reading)
    images = open_image_set(data, config)
    with progress("measuring", shown=not json) as on_progress:
        result = evaluate_model(
            model,
            images,
            split=images.split(),
            num=num,
            seed=first_seed,
            psi=psi,
            mirror=config.mirror,
            progress=on_progress,
        )
    result["checkpoint_sha256"] = model.info["sha256"]
    if json:
        print_json(result)
    else:
        _print_result(result, source, data)


def _reading_of(source: Path, model: Model, flags: DataConfig) -> DataConfig:
    """Returns how to read the real images: as flags say, else as the run did, else to fit the model."""
    from stylegraft.checkpoints.run_folder import CONFIG_NAME, is_run_folder
    from stylegraft.cli.inspect import read_json

    config = DataConfig()
    for folder in (source, source.parent.parent):  # a run, or a checkpoint inside one
        if is_run_folder(folder):
            config = DataConfig(**read_json(folder / CONFIG_NAME).get("data", {}))
            break
    default = DataConfig()
    chosen = {name: value for name, value in flags if value != getattr(default, name)}
    info = model.info
    if config.size is None:
        chosen.setdefault("size", f"{info['img_height']}x{info['img_width']}")
    if config.channels is None:
        chosen.setdefault("channels", info["img_channels"])
    return config.replace(**chosen)


def _print_result(result: dict[str, Any], source: Path, data: Path) -> None:
    distances, floor = result["distances"], result["floor"]
    rows = {"to training images": _distance(distances["train"])}
    if distances["heldout"] is not None:
        rows["to held-out images"] = _distance(distances["heldout"])
    if floor is not None:
        rows["floor"] = (
            f"{floor['value']:.2f}  ({floor['num_train']:,} training images in place of the generated ones)"
        )
    print_table(f"{result['metric']}  {source}  against  {data}", rows)
    for note in result["notes"]:
        print(f"note: {note}")


def _distance(part: dict[str, Any]) -> str:
    return f"{part['value']:.2f}  ({part['num_fake']:,} generated, {part['num_real']:,} real)"
