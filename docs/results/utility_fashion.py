"""The usefulness table on Fashion-MNIST: images of generators that know N images a class, for a classifier.

    python docs/results/utility_fashion.py prepare IDX_FOLDER work
    stylegraft train work/real20-0.zip --out work/run20-0 ...     (the commands are in utility_fashion.md)
    python docs/results/utility_fashion.py measure IDX_FOLDER work --setting quick
    python docs/results/utility_fashion.py table work

IDX_FOLDER holds the four files of the data set (Debian package dataset-fashion-mnist). A repetition has a
draw of real images of its own, and a generator of its own, trained on exactly the images that its classifiers
get. The test images are real garments that none of them has seen. `measure` leaves out what is measured
already.
"""

from __future__ import annotations

import argparse
import json
from pathlib import Path
from typing import Any

import numpy as np
from fashion_mnist import CLASSES, read_idx

SIZES = (20, 50, 200)
NUM_DRAWS = 3


def choose(classes: np.ndarray, size: int, draw: int) -> np.ndarray:
    """Returns `size` random indices of each class, int64; smaller choices are part of larger ones."""
    random = np.random.RandomState(draw)
    orders = [random.permutation(np.flatnonzero(classes == index)) for index in range(len(CLASSES))]
    return np.sort(np.concatenate([order[:size] for order in orders]))


def prepare(idx_folder: Path, work: Path) -> None:
    """Writes the real images of each size and draw as a labelled zip."""
    from stylegraft.data import write_image_set

    pixels, classes = read_idx(idx_folder, "train")
    work.mkdir(parents=True, exist_ok=True)
    for size in SIZES:
        for draw in range(NUM_DRAWS):
            chosen = choose(classes, size, draw)
            out = work / f"real{size}-{draw}.zip"
            write_image_set(out, pixels[chosen], labels=classes[chosen], class_names=CLASSES)


def measure(
    idx_folder: Path, work: Path, setting: str, num_extra: int, num_test: int, num_steps: int
) -> None:
    """Writes work/SETTING-SIZE.json for each size."""
    import stylegraft
    from stylegraft.evaluation.small_classifier import SmallClassifier, classical_augmentation
    from stylegraft.evaluation.utility import Draw, Examples, linear_classifier, measure_utility
    from stylegraft.features.registry import feature_network

    pixels, classes = read_idx(idx_folder, "train")
    test_pixels, test_classes = read_idx(idx_folder, "t10k")
    network = feature_network(precision="auto") if setting == "quick" else None

    def seen(images: np.ndarray) -> np.ndarray:
        """What the classifier of this setting sees of images [n, H, W, C]."""
        if network is None:
            return images
        parts = np.array_split(images, -(-len(images) // 64))
        return np.concatenate([network(part).numpy() for part in parts])

    test = Examples(seen(test_pixels[:num_test]), test_classes[:num_test])
    for size in SIZES:
        out = work / f"{setting}-{size}.json"
        if out.exists():
            continue
        kimg = []

        def examples(number: int, size: int = size, kimg: list[float] = kimg) -> Draw:
            print(f"{setting}, {size} a class, draw {number}", flush=True)
            model = stylegraft.load(work / f"run{size}-{number}", precision="auto")
            kimg.append(model.info["kimg"])
            chosen = choose(classes, size, number)
            copies = max(1, round(num_extra / len(chosen)))
            asked = np.tile(classes[chosen], copies)
            labels = np.eye(len(CLASSES), dtype=np.float32)[asked]
            fakes = model.sample(range(len(asked)), 1.0, labels=labels)
            augmented = classical_augmentation(pixels[chosen], copies, seed=number)
            return Draw(
                real=Examples(seen(pixels[chosen]), classes[chosen]),
                augmented=np.stack([seen(copy) for copy in augmented]),
                synthetic=Examples(seen(fakes), asked),
            )

        result = measure_utility(
            linear_classifier if setting == "quick" else SmallClassifier(num_steps),
            examples,
            test=test,
            class_names=CLASSES,
            num_seeds=NUM_DRAWS,
        ).to_dict()
        for row in result["rows"]:
            row["images_per_class"] = size
        what = f"{size} real images a class"
        sentences = [text.replace("all real images", what) for text in result["sentences"]]
        result |= {"sentences": sentences, "kimg": kimg}
        out.write_text(json.dumps(result, indent=1) + "\n")
        print("\n".join(sentences), flush=True)


def table(work: Path) -> None:
    """Prints what was measured as Markdown."""
    from stylegraft.evaluation.utility_run import utility_table

    for setting in ("quick", "full"):
        results: list[dict[str, Any]] = [
            json.loads(path.read_text())
            for size in SIZES
            if (path := work / f"{setting}-{size}.json").exists()
        ]
        for index, result in enumerate(results):
            header, rows = utility_table(result)
            lines = [header, ["---"] * len(header), *rows] if index == 0 else rows
            if index == 0:
                print(f"\n{setting}\n")
            print("\n".join(f"| {' | '.join(cells)} |" for cells in lines))
        print("\n" + "\n".join(f"- {sentence}" for result in results for sentence in result["sentences"]))
        for result in results:
            rows = {row["arm"]: row for row in result["rows"]}
            change = sorted(rows["real_synthetic"]["change_per_class"].items(), key=lambda item: item[1])
            shown = ", ".join(f"{name} {100 * value:+.0f}" for name, value in (*change[:2], *change[-2:]))
            print(f"- {result['rows'][0]['images_per_class']} a class, by class: {shown}")


def main() -> None:
    """Reads the command line."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    commands = parser.add_subparsers(dest="command", required=True)
    for name in ("prepare", "measure", "table"):
        command = commands.add_parser(name)
        if name != "table":
            command.add_argument("idx_folder", type=Path)
        command.add_argument("work", type=Path)
        if name == "measure":
            command.add_argument("--setting", choices=("quick", "full"), default="quick")
            command.add_argument("--num-extra", type=int, default=500)
            command.add_argument("--num-test", type=int, default=1000)
            command.add_argument("--num-steps", type=int, default=200)
    flags = vars(parser.parse_args())
    {"prepare": prepare, "measure": measure, "table": table}[flags.pop("command")](**flags)


if __name__ == "__main__":
    main()
