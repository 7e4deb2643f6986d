"""Deliberately imbalanced sets, and a judge of whether generated classes are as asked.

    python docs/results/imbalance.py prepare beans beans.zip
    python docs/results/imbalance.py prepare IDX_FOLDER garments.zip
    python docs/results/imbalance.py judge beans SET...
    python docs/results/imbalance.py judge IDX_FOLDER SET...

IDX_FOLDER holds the four files of Fashion-MNIST (Debian package dataset-fashion-mnist); beans are rendered.
SETs are folders or zips that `stylegraft generate` wrote, or the zip of `prepare`. The judge is a small
convolutional network that learns all classes there are (ten kinds of garments, six of beans) from real
images, none of them in the set, and sees pixels: it shares nothing with `stylegraft evaluate`, and what looks
like none of the set's classes is told too.
"""

from __future__ import annotations

import argparse
from collections import Counter
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from fashion_mnist import CLASSES, read_idx

from stylegraft.data import open_image_set, write_image_set
from stylegraft.data.beans import CLASS_NAMES, render_beans
from stylegraft.data.beans.sets import render_bean
from stylegraft.evaluation.small_classifier import SmallClassifier

BEANS = "beans"
NUM_STEPS = 500
NUM_GARMENTS_FOR_JUDGE, NUM_TEST_GARMENTS = 20_000, 2000
NUM_BEANS_FOR_JUDGE, NUM_TEST_BEANS = 3000, 600
GARMENT_COUNTS = {"T-shirt": 600, "trouser": 300, "bag": 100, "ankle boot": 50, "dress": 20}
BEAN_COUNTS = {"pinto": 600, "kidney": 300, "navy": 100, "cranberry": 50, "black_eyed": 20}


@dataclass(frozen=True)
class Reals:
    """Real images that the judge learns from, and others that it is tested with.

    Attributes:
        names: of all the classes there are.
        train: uint8 [N, H, W, C].
        train_classes: int [N], indices into `names`.
        test: uint8 [T, H, W, C].
        test_classes: int [T].
    """

    names: tuple[str, ...]
    train: np.ndarray
    train_classes: np.ndarray
    test: np.ndarray
    test_classes: np.ndarray


def reals_of(what: str) -> Reals:
    """Returns beans of other seeds than those of the set; or garments that are not in it."""
    if what == BEANS:
        train, train_classes, names = render_beans(NUM_BEANS_FOR_JUDGE, seed=1)
        test, test_classes, _ = render_beans(NUM_TEST_BEANS, seed=2)
        return Reals(names, train, train_classes, test, test_classes)
    train, train_classes = (part[-NUM_GARMENTS_FOR_JUDGE:] for part in read_idx(Path(what), "train"))
    test, test_classes = (part[:NUM_TEST_GARMENTS] for part in read_idx(Path(what), "t10k"))
    return Reals(CLASSES, train, train_classes, test, test_classes)


def counts_of(what: str) -> dict[str, int]:
    """Returns how many images of each class the imbalanced set has."""
    return BEAN_COUNTS if what == BEANS else GARMENT_COUNTS


def prepare(what: str, out: Path) -> None:
    """Writes the first images of each class, as many as the counts say, as a labelled zip."""
    counts = counts_of(what)
    if what == BEANS:
        firsts = [CLASS_NAMES.index(name) for name in counts]  # the kinds take turns
        pixels = [
            render_bean(first + len(CLASS_NAMES) * index)[0]
            for first, count in zip(firsts, counts.values())
            for index in range(count)
        ]
    else:
        garments, classes = read_idx(Path(what), "train")
        chosen = [np.flatnonzero(classes == CLASSES.index(name))[:count] for name, count in counts.items()]
        pixels = garments[np.concatenate(chosen)]
    labels = np.repeat(np.arange(len(counts)), list(counts.values()))
    write_image_set(out, pixels, labels=labels, class_names=list(counts))


def judge(what: str, sets: list[Path]) -> None:
    """Prints a table for each set: per class, how many images there are and what the judge sees in them."""
    reals = reals_of(what)
    names, truth, num_test = np.array(reals.names), reals.test_classes, len(reals.test)
    opened = [open_image_set(path) for path in sets]
    shown = np.concatenate([reals.test, *(images.array for images in opened)])
    told = SmallClassifier(NUM_STEPS)(reals.train, reals.train_classes, shown, num_classes=len(names), seed=0)
    is_right = told[:num_test] == truth
    print(f"the judge names {is_right.mean():.1%} of {num_test:,} real test images rightly:")
    print(", ".join(f"{name} {is_right[names[truth] == name].mean():.1%}" for name in counts_of(what)))
    first = num_test
    for path, images in zip(sets, opened):
        assert images.class_names is not None
        assert images.class_indices is not None
        seen = names[told[first : first + len(images)]]
        first += len(images)
        print(f"\n{path}")
        print("| class | images | seen as asked | else seen as |\n|---|---|---|---|")
        for index, name in enumerate(images.class_names):
            of_class = seen[images.class_indices == index]
            others = Counter(of_class[of_class != name].tolist()).most_common(3)
            words = ", ".join(f"{other} {count}" for other, count in others)
            share = f"{(of_class == name).mean():.1%}" if len(of_class) else ""
            print(f"| {name} | {len(of_class):,} | {share} | {words} |")


def main() -> None:
    """Reads the command line."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    commands = parser.add_subparsers(dest="command", required=True)
    first = commands.add_parser("prepare")
    first.add_argument("what", metavar="beans|IDX_FOLDER")
    first.add_argument("out", type=Path)
    second = commands.add_parser("judge")
    second.add_argument("what", metavar="beans|IDX_FOLDER")
    second.add_argument("sets", type=Path, nargs="+")
    flags = parser.parse_args()
    if flags.command == "prepare":
        prepare(flags.what, flags.out)
    else:
        judge(flags.what, flags.sets)


if __name__ == "__main__":
    main()
