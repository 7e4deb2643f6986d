"""Everything that can be wrong with a study, found before anything trains."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Literal

import torch

from stylegraft import zoo
from stylegraft.checkpoints.opening import open_checkpoint
from stylegraft.data.config import DataConfig
from stylegraft.data.dataset import ImageSet
from stylegraft.data.reader import open_image_set
from stylegraft.data.split import Split
from stylegraft.errors import InputError
from stylegraft.runtime.precision import compute_dtype, pick_device
from stylegraft.training.config import TrainOptions
from stylegraft.training.folder import keep_apart
from stylegraft.training.observers import require_tensorboard
from stylegraft.training.plan import plan_run
from stylegraft.training.presets import preset_data
from stylegraft.training.source import check_source
from stylegraft.transfer.study.config import SCRATCH, StudySettings, split_name
from stylegraft.transfer.study.record import RecordedSettings, SourceFile, Target

_NUM_SHOWN = 3  # problems in the message

ParseTrain = Callable[[Sequence[str]], tuple[TrainOptions, DataConfig]]
"""From the words of `stylegraft train` to what they mean: handed in, for only the command line can tell."""

_NOT_IN_A_FOLDER_NAME = re.compile(r'[\\/:*?"<>|\x00-\x1f]|^\.{0,2}$')


class StudyProblemsError(InputError):
    """What is wrong with a study; the message has the first few, `problems` all as (what, reason)."""

    def __init__(self, problems: Sequence[tuple[str, str]]) -> None:
        said = [reason if reason.startswith(what) else f"{what}: {reason}" for what, reason in problems]
        number = "" if len(said) == 1 else f" {len(said)} problems:"
        more = "" if len(said) <= _NUM_SHOWN else f" ... and {len(said) - _NUM_SHOWN} more"
        super().__init__(f"study:{number} {' '.join(said[:_NUM_SHOWN])}{more}")
        self.problems = list(problems)


@dataclass(frozen=True)
class Named:
    """A source or target: its name in the study, and the path that the user wrote for it."""

    name: str
    path: str


@dataclass(frozen=True)
class CheckedStudy:
    """A study in which every cell can be started.

    Attributes:
        settings: what `study.json` keeps.
        source_paths: checkpoint or file of each source but scratch, by name, absolute.
        target_paths: of each image set by name, absolute.
        device: the flag --device.
        threads: the flag --threads.
    """

    settings: RecordedSettings
    source_paths: dict[str, Path]
    target_paths: dict[str, Path]
    device: str
    threads: int | None


def check_study(settings: StudySettings, out: Path, parse_train: ParseTrain) -> CheckedStudy:
    """Opens every source and every image set, and resolves the settings of every pair, as `train` would.

    Raises:
        StudyProblemsError: names used twice, sources that are unknown or damaged, targets that cannot be
            used, pairs that do not fit; all of them.
        InputError: flags for train that it does not know, or that are wrong whatever is trained.
    """
    options, data = parse_train(["DATA", "--out", "RUN", *settings.train_words()])
    device = pick_device(options.device)
    if options.tensorboard:
        require_tensorboard()
    problems: list[tuple[str, str]] = []
    sources = _named(settings.sources, "--sources", problems)
    targets = _named(settings.targets, "--targets", problems)
    data = preset_data(options, data)
    images: dict[str, tuple[ImageSet, Split]] = {}
    for target in targets:
        with _collecting(problems, target.name):
            keep_apart(Path(target.path), out)
            opened = open_image_set(target.path, data)
            images[target.name] = opened, opened.split()

    precision: Literal["fp32", "bf16"] = "fp32"
    if compute_dtype(options.precision, device) == torch.bfloat16:
        precision = "bf16"
    source_files, source_paths = [], {}
    for source in sources:
        network = None
        if source.name != SCRATCH:
            with _collecting(problems, source.name):
                network = open_checkpoint(zoo.resolve(source.path), with_training=True)
                check_source(network)
                # Of a run, the checkpoint that is its best one now: the same for every cell.
                source_paths[source.name] = Path(network.info["path"]).resolve()
                sha256 = network.info["sha256"]
                source_files.append(SourceFile(name=source.name, path=source.path, sha256=sha256))
            if source.name not in source_paths:
                continue
        for name, (image_set, split) in images.items():
            with _collecting(problems, f"{name} from {source.name}"):
                plan_run(options, image_set, split, data, device.type, precision, network)
    if problems:
        raise StudyProblemsError(problems)
    return CheckedStudy(
        settings=RecordedSettings(
            sources=tuple(source.name for source in sources),
            source_files=tuple(source_files),
            targets=tuple(_describe(target, *images[target.name]) for target in targets),
            seeds=tuple(range(settings.seeds)),
            **settings.model_dump(exclude={"sources", "targets", "seeds"}),
        ),
        source_paths=source_paths,
        target_paths={target.name: Path(target.path).resolve() for target in targets},
        device=options.device,
        threads=options.threads,
    )


def _describe(target: Named, images: ImageSet, split: Split) -> Target:
    return Target(
        name=target.name,
        path=target.path,
        num_images=len(images),
        num_holdout=len(split.holdout_indices),
        data_hash=images.content_hash,
    )


@contextmanager
def _collecting(problems: list[tuple[str, str]], what: str) -> Iterator[None]:
    """Puts an InputError of the block among the problems, unless its reason is there already."""
    try:
        yield
    except InputError as error:
        reason = " ".join(str(error).split())
        if reason not in [reason for _, reason in problems]:
            problems.append((what, reason))


def _named(texts: Sequence[str], flag: str, problems: list[tuple[str, str]]) -> list[Named]:
    """Gives each source or target its name: the one before =, else that of the file, folder or zoo entry."""
    found: dict[str, Named] = {}
    for text in texts:
        name, path = split_name(text)
        if name is None:
            name = _own_name(path)
        if _NOT_IN_A_FOLDER_NAME.search(name):
            problems.append((flag, f"{text}: expected a name that a folder can have, got {name!r}."))
        elif name == SCRATCH and path != SCRATCH:
            reason = f"{text}: {SCRATCH} means networks with random weights. Write OTHER-NAME={path}."
            problems.append((flag, reason))
        elif name.casefold() in found:  # for systems on which Beans and beans are one folder
            other = found[name.casefold()].path
            hint = "Leave one out." if other == path else f"Write OTHER-NAME={path} for the second."
            problems.append((flag, f"{other} and {path} are both called {name}. {hint}"))
        else:
            found[name.casefold()] = Named(name, path)
    return list(found.values())


def _own_name(text: str) -> str:
    path = Path(text)
    if not path.exists():
        return text if text == path.name else path.stem
    path = path.resolve()
    return path.name if path.is_dir() else path.stem
