"""`stylegraft sources`: which trained network to start from, for the images at hand."""

from __future__ import annotations

import shlex
import shutil
import sys
import textwrap
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import tyro

from stylegraft.cli.arguments import words_of
from stylegraft.cli.auto_source import probe_words
from stylegraft.cli.output import column_lines, print_json, progress
from stylegraft.cli.shared import Device, Precision
from stylegraft.data.config import DataConfig
from stylegraft.errors import InputError

if TYPE_CHECKING:
    from stylegraft.transfer.ranking.record import RankedSource, Ranking

_LEFT = {1, 10}  # columns of words; numbers end at the right
_LEGEND = (
    "score      how promising a start, 0 to 100, from --num samples; 95 %: how much it depends on these",
    "closeness  are its samples like your images? 0 to 1; reach: does it come near all of them?",
    "variety    does it vary as much as they do? (D: mean distance of two; E: directions they vary in)",
    "KD         kernel distance of samples and images, lower is better",
)
_LEGEND_OF_PROBES = "probe      FD-EffLite0 to held-out images after a short training, lower is better"


def sources(
    data: Annotated[Path | None, tyro.conf.Positional, tyro.conf.arg(metavar="DATA")] = None,
    /,
    reading: DataConfig = DataConfig(),  # noqa: B008 - frozen
    *,
    others: Annotated[tuple[str, ...], tyro.conf.arg(name="with", metavar="FILE...")] = (),
    minutes: float = 4.0,
    kimg: float | None = None,
    num: int = 400,
    seed: int = 0,
    out: Annotated[Path | None, tyro.conf.arg(metavar="DIR")] = None,
    sheet: Annotated[Path | None, tyro.conf.arg(metavar="FILE")] = None,
    check: Annotated[Path | None, tyro.conf.arg(metavar="STUDY")] = None,
    precision: Precision = "auto",
    device: Device = "auto",
    json: bool = False,
) -> None:
    """Ranks trained networks as starting points for your images: the zoo's, and any others you name.

    stylegraft sources photos

    stylegraft sources photos --minutes 0                  by a quick look alone, without training

    stylegraft sources photos --with old-run ffhq.pkl --out ranking

    stylegraft sources --check study                       holds the ranking against the results of a study

    A quick score says how near the samples of a source are to your images, how much of them they reach and
    whether they vary enough. Then the most promising sources, and random weights, train for a short while;
    the better half goes on for twice as long, and so on. Interrupted or killed, the same command goes on, if
    it names a folder with --out.

    Args:
        data: folder, class folders or zip of images
        reading: how the images are read
        others: more sources: runs, checkpoints or public files; NAME=PATH gives one a name of its own
        minutes: time for the short trainings; 0: none
        kimg: length of the first ones in thousand images, for all sources, whatever time that takes
        num: samples of each source for the quick score and for each distance
        seed: chooses samples, and trains
        out: folder for sources.json and the short trainings; unless given they are thrown away
        sheet: also write a PNG with your images beside samples of each source
        check: folder of a study: ranks its sources for its targets, and prints how well the orders agree
        precision: number type of the convolutions; auto is bf16 where the processor has units for it
        device: auto, cpu, cuda or cuda:1
        json: print the result as JSON
    """
    if (data is None) == (check is None):
        raise InputError("sources: expected DATA, a folder or zip of images, or --check STUDY.")
    options: dict[str, Any] = {
        "minutes": minutes,
        "first_kimg": kimg,
        "num": num,
        "seed": seed,
        "precision": precision,
        "device": device,
        "on_note": _note,
    }
    if check is not None:
        if others or sheet or reading != DataConfig():
            raise InputError(
                "--check: the study says which sources and images. Leave --with and the like out."
            )
        _check(check, out, json, options)
        return
    assert data is not None

    from stylegraft.transfer.ranking.candidates import find_candidates
    from stylegraft.transfer.ranking.rank import rank_sources

    candidates = find_candidates(others)
    words = [*words_of(reading), *([] if precision == "auto" else ["--precision", precision])]
    with progress("looking at samples", shown=not json) as on_progress:
        ranking = rank_sources(
            data, candidates, reading, out=out, words=words, progress=on_progress, **options
        )
    if sheet is not None:
        from stylegraft.data.reader import open_image_set
        from stylegraft.transfer.ranking.sheet import draw_sheet

        images = open_image_set(data, reading)
        draw_sheet(sheet, ranking, candidates, images, device=device, precision=precision)
    if json:
        print_json(ranking.to_dict())
        return
    print_ranking(ranking)
    source = "" if ranking.best.quick is None else f" --from {ranking.best.path}"
    print(f"\nnext: stylegraft train {shlex.join([str(data), *words])}{source} --out run")


def print_ranking(ranking: Ranking) -> None:
    """Prints the order of the sources, a sentence on each, and how sure it is."""
    from stylegraft.transfer.ranking.reasons import variability_in_words

    data = ranking.data
    height, width, _ = data["size"]
    print(
        f"{data['path']}: {data['num_train']} images to train on, {data['num_heldout']} held out, "
        f"{height}x{width}; their variability is {variability_in_words(**data['variability'])}"
    )
    print()
    header = ("", "source", "score", "95 %", "closeness", "reach", "variety", "KD", "probe", "95 %", "")
    if ranking.probes is None:
        header = (*header[:8], "", "", "")
    rows = [header, *(_cells(place, source) for place, source in enumerate(ranking.sources, start=1))]
    print("\n".join(column_lines(rows, _LEFT)))
    print()
    print("\n".join(_LEGEND if ranking.probes is None else (*_LEGEND, _LEGEND_OF_PROBES)))
    print()
    for source in ranking.sources:
        _print_text(f"{source.name}: {source.why}")
    print()
    for line in (*ranking.sureness, *ranking.notes):
        _print_text(line)


def _cells(place: int, source: RankedSource) -> tuple[str, ...]:
    quick, probe = source.quick, source.probe
    parts: tuple[str, ...] = ("-",) * 6
    if quick is not None:
        score = quick["score"]
        shares = (f"{quick[name]:.2f}" for name in ("closeness", "reach", "variety"))
        parts = (f"{score['value']:.1f}", _interval(score), *shares, f"{quick['kd']:.3f}")
    probed = ("", "")
    if probe is not None:
        distance = probe["distance"]
        probed = (f"{distance['value']:.1f} at {probe['kimg']:g} kimg", _interval(distance))
    remark = "not usable" if source.error else "as good as the first" if source.is_tied else ""
    return (str(place), source.name, *parts, *probed, remark)


def _interval(values: dict[str, float]) -> str:
    return f"{values['low']:.1f}-{values['high']:.1f}"


def _check(study: Path, out: Path | None, json: bool, options: dict[str, Any]) -> None:
    from dataclasses import asdict

    from stylegraft.cli.study import parse_train
    from stylegraft.transfer.ranking.agreement import agreement_table, compare
    from stylegraft.transfer.ranking.check import rank_as_study
    from stylegraft.transfer.study.config import StudySettings
    from stylegraft.transfer.study.record import read_record
    from stylegraft.transfer.study.summary import source_orders

    record = read_record(study)
    if record is None:
        raise InputError(f"--check {study}: expected the folder of a study, with study.json, got none.")
    settings = record.settings
    flags = StudySettings(
        **settings.model_dump(include={"kimg", "minutes", "size", "fit", "mirror", "labels", "train_flags"}),
        sources=settings.sources,
        targets=tuple(target.path for target in settings.targets),
    )
    training, reading = parse_train(["DATA", "--out", "RUN", *flags.train_words()])
    words = probe_words(training, reading)
    rankings = rank_as_study(record, reading, words=words, out=out, **options)
    predictors = compare(source_orders(record), rankings)
    if not predictors:
        raise InputError(
            f"--check {study}: expected a target with finished cells of at least three sources, got none. "
            "Finish the study first."
        )
    if json:
        print_json(
            {
                "agreement": [asdict(predictor) for predictor in predictors],
                "rankings": {target: ranking.to_dict() for target, ranking in rankings.items()},
            }
        )
    else:
        print(agreement_table(predictors))


def _note(text: str) -> None:
    print(text, file=sys.stderr)


def _print_text(text: str) -> None:
    """Prints a paragraph, folded on a terminal only."""
    columns = shutil.get_terminal_size().columns if sys.stdout.isatty() else sys.maxsize
    print(textwrap.fill(text, columns, subsequent_indent="  "))
