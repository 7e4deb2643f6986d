"""The usefulness table on Fashion-MNIST: images of a generator that knows N images a class, for a classifier.

    python docs/results/utility_fashion.py prepare IDX_FOLDER work
    stylegraft train work/real20.zip --out work/run20 ...     (the commands are in utility_fashion.md)
    python docs/results/utility_fashion.py measure IDX_FOLDER work --setting quick
    python docs/results/utility_fashion.py table work

IDX_FOLDER holds the four files of the data set (Debian package dataset-fashion-mnist). Each size has a
generator of its own, trained on exactly the images that the classifiers get, and on nothing else. The test
images are real garments that neither has seen. `measure` leaves out what is measured already.
"""

import argparse
import hashlib
import json
import time
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from fashion_mnist import CLASSES, read_idx

SIZES = (20, 50, 200)


def choose(classes: np.ndarray, size: int) -> np.ndarray:
    """Returns `size` random indices of each class, int64; smaller choices are part of larger ones."""
    random = np.random.RandomState(0)
    orders = [random.permutation(np.flatnonzero(classes == index)) for index in range(len(CLASSES))]
    return np.sort(np.concatenate([order[:size] for order in orders]))


def prepare(idx_folder: Path, work: Path) -> None:
    """Writes the real images of each size as a labelled zip."""
    from stylegraft.data import write_image_set

    pixels, classes = read_idx(idx_folder, "train")
    work.mkdir(parents=True, exist_ok=True)
    for size in SIZES:
        chosen = choose(classes, size)
        write_image_set(work / f"real{size}.zip", pixels[chosen], labels=classes[chosen], class_names=CLASSES)


@dataclass(frozen=True)
class Garments:
    """The largest choice of training images, then the test images; an image set for `run_utility`."""

    array: np.ndarray
    class_indices: np.ndarray
    class_names = CLASSES

    @property
    def names(self) -> list[str]:
        return [f"{index:05}.png" for index in range(len(self.array))]

    @property
    def content_hash(self) -> str:
        return hashlib.sha256(self.array.tobytes()).hexdigest()

    def pixels(self, indices: np.ndarray) -> np.ndarray:
        return self.array[indices]


@dataclass(frozen=True)
class Parts:
    """What the generator learnt from, and the test."""

    train_indices: np.ndarray
    holdout_indices: np.ndarray


def measure(
    idx_folder: Path, work: Path, setting: str, num_seeds: int, num_extra: int, num_test: int, num_steps: int
) -> None:
    """Writes work/SETTING-SIZE.json for each size."""
    import stylegraft
    from stylegraft.evaluation.utility_run import run_utility
    from stylegraft.features.registry import feature_network

    pixels, classes = read_idx(idx_folder, "train")
    test_pixels, test_classes = read_idx(idx_folder, "t10k")
    largest = choose(classes, max(SIZES))
    garments = Garments(
        np.concatenate([pixels[largest], test_pixels[:num_test]]),
        np.concatenate([classes[largest], test_classes[:num_test]]),
    )
    test = np.arange(len(largest), len(garments.array))
    network = feature_network(precision="auto") if setting == "quick" else None
    last_told = 0.0

    def tell(done: int, total: int) -> None:
        nonlocal last_told
        if time.monotonic() - last_told > 20:
            last_told = time.monotonic()
            print(f"{done} of {total}", flush=True)

    for size in SIZES:
        out = work / f"{setting}-{size}.json"
        if out.exists():
            continue
        print(out, flush=True)
        model = stylegraft.load(work / f"run{size}", precision="auto")
        result = run_utility(
            model,
            garments,
            Parts(np.flatnonzero(np.isin(largest, choose(classes, size))), test),
            setting=setting,
            images_per_class=(size,),
            num_seeds=num_seeds,
            num_extra=num_extra,
            num_steps=num_steps,
            network=network,
            progress=tell,
        )
        out.write_text(json.dumps(result | {"kimg": model.info["kimg"]}, indent=1) + "\n")
        print("\n".join(result["sentences"]), flush=True)


def table(work: Path) -> None:
    """Prints what was measured as Markdown."""
    from stylegraft.evaluation.utility_run import utility_table

    for setting in ("quick", "full"):
        results = [
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
            command.add_argument("--num-seeds", type=int, default=3)
            command.add_argument("--num-extra", type=int, default=500)
            command.add_argument("--num-test", type=int, default=1000)
            command.add_argument("--num-steps", type=int, default=500)
    flags = vars(parser.parse_args())
    {"prepare": prepare, "measure": measure, "table": table}[flags.pop("command")](**flags)


if __name__ == "__main__":
    main()
