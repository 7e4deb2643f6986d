"""`stylegraft evaluate`: is a generator good, diverse, new and useful, and how sure is that?"""

from __future__ import annotations

from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any, Literal

import tyro

from stylegraft.cli.output import print_json, progress
from stylegraft.cli.shared import DataPath, Device, ModelPath, Precision
from stylegraft.data.config import DataConfig
from stylegraft.errors import InputError
from stylegraft.features.names import FeatureNetworkName
from stylegraft.zoo import resolve

if TYPE_CHECKING:
    from stylegraft.data import ImageSet, Split
    from stylegraft.model import Model

_UNEVEN = 3
_JSON_NAME, _PAGE_NAME = "evaluation.json", "evaluation.html"


def evaluate(
    source: ModelPath,
    data: DataPath,
    /,
    reading: DataConfig = DataConfig(),  # noqa: B008 - frozen
    *,
    metrics: Annotated[str, tyro.conf.arg(metavar="NAMES")] = "default",
    num: int | None = None,
    psi: float = 1.0,
    first_seed: int = 0,
    utility: bool = False,
    utility_setting: Literal["quick", "full"] = "quick",
    utility_sizes: tuple[int, ...] = (),
    by_class: bool = False,
    over_time: bool = False,
    features: FeatureNetworkName = "effnet_lite0",
    out: Annotated[Path | None, tyro.conf.arg(metavar="DIR")] = None,
    weights: Annotated[Path | None, tyro.conf.arg(metavar="DIR")] = None,
    precision: Precision = "auto",
    device: Device = "auto",
    json: bool = False,
) -> None:
    """Says whether generated images are good, diverse and new, beside what real images score.

    The images are read as the run read them, in the model's size; flags change that.

    Args:
        source: a run folder (its best checkpoint is taken), a checkpoint folder, a public file or a name of
            the zoo
        data: the real images: folder, class folders or zip
        reading: how the images are read
        metrics: default, and published settings, with commas: fid50k_full, kid50k_full, pr50k3_full, is50k,
            ppl2_wend, ppl_zfull, ls...
        num: generated images; unless given one for each training image, from 250 to 2,000, and for published
            settings what they ask for
        psi: truncation of the generated images; 1 measures the full variety; published settings take 1
        first_seed: the generated images are those of this seed and the following ones
        utility: also train classifiers with and without generated images; needs classes
        utility_setting: quick trains them on features, full from scratch on pixels
        utility_sizes: numbers of real images a class to try; unless given all there are
        by_class: also say of each class whether its generated images are what was asked for; of all classes
            equally many are looked at, --num or 1,000 in all
        over_time: also evaluate every checkpoint that the run has kept
        features: network that the default numbers are measured with, for a second opinion; classifiers,
            classes and curves over time keep to effnet_lite0, published settings to their own
        out: folder for evaluation.html and evaluation.json
        weights: folder with published weights of feature networks, such as InceptionV3; what is not there is
            looked for in STYLEGRAFT_FEATURES_DIR, in packages and in the cache folder, or fetched
        precision: number type of the convolutions of generator and features, but for published settings,
            whose features are fp32; auto is bf16 where the processor has units for it
        device: auto, cpu, cuda or cuda:1
        json: print the result as JSON
    """
    from stylegraft import __version__
    from stylegraft.cli.evaluate_output import print_result
    from stylegraft.data import open_image_set
    from stylegraft.evaluation.evaluate import evaluate_model
    from stylegraft.evaluation.published import chosen_metrics, measure_published, require_weights
    from stylegraft.features.registry import feature_network, perceptual_distance
    from stylegraft.files import make_folder
    from stylegraft.metrics.settings import FD_EFFLITE0
    from stylegraft.model import load
    from stylegraft.runtime.precision import pick_device

    source = resolve(source)
    with_default, settings = chosen_metrics(metrics)
    if over_time:
        _require_run(source)
    if weights is not None and not weights.is_dir():
        raise InputError(f"--weights: expected a folder, got {weights}. Name the one that has the files.")
    if out is not None:
        make_folder(out, "--out")
    model = load(source, device=device, precision=precision)
    place = str(pick_device(device))
    config = _reading_of(source, model, reading)
    images = open_image_set(data, config)
    split = images.split()
    require_weights(settings, place, weights=weights)
    # Published settings are measured in float32 in any case; the result says which it was.
    network = feature_network(FD_EFFLITE0.feature_network, place, weights=weights, precision=precision)
    judge = network
    if with_default and features != FD_EFFLITE0.feature_network:
        judge = feature_network(features, place, weights=weights, precision=precision)
    result: dict[str, Any] = {
        "version": __version__,
        "source": str(source),
        "data": str(data),
        "checkpoint_sha256": model.info["sha256"],
        "kimg": model.info.get("kimg"),
        "notes": [],
    }
    # What can still turn out to be impossible comes first.
    if utility:
        with progress("training classifiers", shown=not json) as on_progress:
            result["utility"] = _utility(
                model,
                images,
                split,
                setting=utility_setting,
                images_per_class=utility_sizes or (None,),
                psi=psi,
                mirror=config.mirror,
                device=place,
                network=network,
                progress=on_progress,
                **({} if num is None else {"num_extra": num}),
            )
    if by_class:
        from stylegraft.evaluation.by_class import measure_by_class

        each: dict[str, Any] = {} if num is None else {"num_each": -(-num // max(images.c_dim, 1))}
        with progress("looking at classes", shown=not json) as on_progress:
            result["by_class"] = measure_by_class(
                model,
                images,
                split,
                psi=psi,
                seed=first_seed,
                mirror=config.mirror,
                network=network,
                progress=on_progress,
                **each,
            )
    if over_time:
        with progress("evaluating checkpoints", shown=not json) as on_progress:
            result["over_time"] = _over_time(
                source,
                images,
                split,
                lambda path: load(path, device=device, precision=precision),
                psi=psi,
                mirror=config.mirror,
                network=network,
                progress=on_progress,
                **({} if num is None else {"num": num}),
            )
    if settings:
        with progress("measuring published settings", shown=not json) as on_progress:
            result["published"] = measure_published(
                settings,
                model,
                images,
                num=num,
                seed=first_seed,
                device=place,
                networks=partial(feature_network, weights=weights),
                perceptual=partial(perceptual_distance, weights=weights),
                progress=on_progress,
            )
    if with_default:
        with progress("measuring", shown=not json) as on_progress:
            measured = evaluate_model(
                model,
                images,
                split=split,
                num=num,
                seed=first_seed,
                psi=psi,
                mirror=config.mirror,
                network=judge,
                progress=on_progress,
            )
        measured["notes"] = _provenance_notes(model, images) + measured["notes"]
        measured["notes"] += [] if by_class else _class_notes(model, images)
        result |= measured
    if out is not None:
        _write(out, result, model, images, split)
    if json:
        print_json(result)
    else:
        print_result(result)
        if out is not None:
            print(f"report: {out / _PAGE_NAME}")


def _utility(model: Model, images: ImageSet, split: Split, **options: Any) -> dict[str, Any]:
    from stylegraft.evaluation.utility_run import run_utility, utility_table

    result = run_utility(model, images, split, **options)
    header, rows = utility_table(result)
    return result | {"table": {"header": header, "rows": rows}}


def _over_time(run: Path, images: ImageSet, split: Split, load_model: Any, **options: Any) -> dict[str, Any]:
    from stylegraft.evaluation.over_time import curves_of, evaluate_over_time

    result = evaluate_over_time(run, images, split, load_model, **options)
    return result | {"curves": curves_of(result)}


def _write(out: Path, result: dict[str, Any], model: Model, images: ImageSet, split: Split) -> None:
    """Writes the result as JSON and as a page."""
    import json

    from stylegraft.evaluation.report_data import class_pictures, pictures_of
    from stylegraft.files import write_text
    from stylegraft.report import evaluation_page

    pictures = pictures_of(result, model, images, split.train_indices) if "metrics" in result else {}
    by_class = result.get("by_class")
    of_classes = class_pictures(by_class, model, images, split.train_indices) if by_class else None
    kimg = "" if result["kimg"] is None else f" at {result['kimg']:,.1f} kimg"
    page = evaluation_page(
        result,
        pictures,
        title=f"{Path(result['source']).resolve().name}{kimg}",
        subtitle=f"against {images.path.name}: {len(split.train_indices):,} training images, "
        f"{len(split.holdout_indices):,} held out, {images.height} x {images.width} px",
        class_pictures=of_classes,
    )
    write_text(out / _JSON_NAME, json.dumps(result, indent=2) + "\n")
    write_text(out / _PAGE_NAME, page)


def _provenance_notes(model: Model, images: ImageSet) -> list[str]:
    """Says where the split need not be that of the training."""
    trained_on = model.info.get("data_hash")
    if trained_on == images.content_hash:
        return []
    if trained_on is None:
        return [
            "the checkpoint does not say which images it was trained on: the held-out ones count as unseen "
            "only if training did not see them."
        ]
    return [
        "these are not the images of the run, or they were read in another way: if training saw some of the "
        "held-out ones, distances look better than they are and copies pass unnoticed."
    ]


def _class_notes(model: Model, images: ImageSet) -> list[str]:
    """Says where numbers of all images together hide what becomes of rare classes."""
    if images.class_indices is None or not model.info["c_dim"]:
        return []
    import numpy as np

    counts = np.unique(images.class_indices, return_counts=True)[1]
    if counts.max() < _UNEVEN * counts.min():
        return []
    return [
        f"the classes have {counts.min():,} to {counts.max():,} images: --by-class says whether generated "
        "images of the rare ones are what was asked for."
    ]


def _require_run(source: Path) -> None:
    from stylegraft.checkpoints.run_folder import is_run_folder

    if not is_run_folder(source):
        raise InputError(
            f"--over-time: expected a run folder with its checkpoints, got {source}. Name the folder that "
            "stylegraft train --out wrote."
        )


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
