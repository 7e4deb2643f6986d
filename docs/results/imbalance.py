"""A deliberately imbalanced set of garments, and a judge of whether generated classes are as asked.

    python docs/results/imbalance.py prepare IDX_FOLDER garments.zip
    python docs/results/imbalance.py judge IDX_FOLDER SET...

IDX_FOLDER holds the four files of Fashion-MNIST (Debian package dataset-fashion-mnist). SETs are folders or
zips that `stylegraft generate` wrote, or the zip of `prepare`. The judge is a small convolutional network
that learns all ten classes from 20,000 real garments, none of them in the set, and sees pixels: it shares
nothing with `stylegraft evaluate`, and what looks like a garment of none of the set's classes is told too.
"""

from __future__ import annotations

import argparse
from collections import Counter
from pathlib import Path

import numpy as np
from fashion_mnist import CLASSES, read_idx

NUM_FOR_JUDGE, NUM_TEST, NUM_STEPS = 20_000, 2000, 500
COUNTS = {"T-shirt": 600, "trouser": 300, "bag": 100, "ankle boot": 50, "dress": 20}


def prepare(idx_folder: Path, out: Path) -> None:
    """Writes the first garments of each class, as many as `COUNTS` says, as a labelled zip."""
    from stylegraft.data import write_image_set

    pixels, classes = read_idx(idx_folder, "train")
    chosen = [np.flatnonzero(classes == CLASSES.index(name))[:count] for name, count in COUNTS.items()]
    labels = np.repeat(np.arange(len(COUNTS)), list(COUNTS.values()))
    write_image_set(out, pixels[np.concatenate(chosen)], labels=labels, class_names=list(COUNTS))


def judge(idx_folder: Path, sets: list[Path]) -> None:
    """Prints a table for each set: per class, how many images there are and what the judge sees in them."""
    from stylegraft.data import open_image_set
    from stylegraft.evaluation.small_classifier import SmallClassifier

    opened = [open_image_set(path) for path in sets]
    train, classes = (part[-NUM_FOR_JUDGE:] for part in read_idx(idx_folder, "train"))
    test, truth = (part[:NUM_TEST] for part in read_idx(idx_folder, "t10k"))
    shown = np.concatenate([test, *(images.array for images in opened)])
    told = SmallClassifier(NUM_STEPS)(train, classes, shown, num_classes=len(CLASSES), seed=0)
    print(
        f"the judge names {(told[:NUM_TEST] == truth).mean():.1%} of {NUM_TEST:,} real test garments rightly:"
    )
    recall = [(told[:NUM_TEST] == truth)[truth == CLASSES.index(name)].mean() for name in COUNTS]
    print(", ".join(f"{name} {share:.1%}" for name, share in zip(COUNTS, recall)))
    first = NUM_TEST
    for path, images in zip(sets, opened):
        assert images.class_names is not None
        assert images.class_indices is not None
        seen = np.array(CLASSES)[told[first : first + len(images)]]
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
    first.add_argument("idx_folder", type=Path)
    first.add_argument("out", type=Path)
    second = commands.add_parser("judge")
    second.add_argument("idx_folder", type=Path)
    second.add_argument("sets", type=Path, nargs="+")
    flags = parser.parse_args()
    if flags.command == "prepare":
        prepare(flags.idx_folder, flags.out)
    else:
        judge(flags.idx_folder, flags.sets)


if __name__ == "__main__":
    main()
