"""How fast the features of a distance are, and what the distance costs beside them.

    python benchmarks/feature_distance.py                        # some minutes, on beans rendered here
    python benchmarks/feature_distance.py --num 200              # a quick look
    python benchmarks/feature_distance.py --reals DATA --fakes GENERATED

EfficientNet-Lite0 is run on the same images in two ways: plainly (fp32, NCHW, one torch operation after the
other, normalisation as a layer) and as `stylegraft` does where it measures distances (`precision="auto"`).
Both start from uint8 images, include the resize to 224 px and take 8 images at a time. The ways take turns on
a fifth of the images each; medians over the parts count, the distances are of all images. Then the whole
distance is measured as the library does it, with the time inside of the feature network taken apart.
Writes `results/<date>-feature_distance.json` beside this file; `render.py` puts it into the documentation.
"""

from __future__ import annotations

import argparse
import statistics
import sys
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import torch
import torch.nn.functional as F
from PIL import Image, ImageFilter
from rich.console import Console
from torch import Tensor

from stylegraft.bench.machine import measure_machine
from stylegraft.bench.markdown import number, table
from stylegraft.bench.results import machine_line, result_header, write_result
from stylegraft.data import DataConfig, open_image_set
from stylegraft.data.beans import render_beans
from stylegraft.evaluation.statistics import BATCH, measure_samples
from stylegraft.features.efficientnet_lite import LITE0, BlockPlan, EfficientNetLite, plan_blocks
from stylegraft.features.inputs import Images
from stylegraft.features.registry import FeatureNetwork, feature_network, read_tensors
from stylegraft.features.weights import find_weights
from stylegraft.metrics.feature_stats import FeatureStats
from stylegraft.metrics.frechet import stats_distance
from stylegraft.metrics.settings import FD_EFFLITE0

RESULTS = Path(__file__).parent / "results"
NUM, SIDE_PX, ROUNDS = 10_000, 64, 5
LEAST_TIMES, MOST_CHANGE, MOST_OVERHEAD = 2.5, 0.005, 1.25
_FAKE_BLUR_PX, _REPEAT_NOISE = 0.6, 4.0  # the noise in grey levels


class PlainLite0:
    """EfficientNet-Lite0 as it is written down: every layer an operation, in fp32 and NCHW."""

    def __init__(self) -> None:
        self._tensors = read_tensors(find_weights(FD_EFFLITE0.feature_network).path)
        self._plan = plan_blocks(LITE0)

    @torch.inference_mode()
    def __call__(self, images: np.ndarray) -> Tensor:
        """Maps uint8 [N, H, W, 3] to features [N, 1280], as many at a time as the library does."""
        starts = range(0, len(images), EfficientNetLite.batch)
        return torch.cat([self._features(images[start : start + EfficientNetLite.batch]) for start in starts])

    def _features(self, images: np.ndarray) -> Tensor:
        x = (torch.from_numpy(images).permute(0, 3, 1, 2).float() - 127) / 128
        x = F.interpolate(x.contiguous(), (LITE0.image_px, LITE0.image_px), mode="bicubic", antialias=True)
        x = F.relu6(self._layer(x, "_conv_stem", "_bn0", stride=2))
        for index, block in enumerate(self._plan):
            x = self._block(x, f"_blocks.{index}.", block)
        return F.relu6(self._layer(x, "_conv_head", "_bn1")).mean(dim=(2, 3))

    def _block(self, x: Tensor, name: str, block: BlockPlan) -> Tensor:
        y = x
        if block.expand != 1:
            y = F.relu6(self._layer(y, f"{name}_expand_conv", f"{name}_bn0"))
        y = F.relu6(self._layer(y, f"{name}_depthwise_conv", f"{name}_bn1", block.stride, y.shape[1]))
        y = self._layer(y, f"{name}_project_conv", f"{name}_bn2")
        return x + y if block.stride == 1 and block.in_channels == block.out_channels else y

    def _layer(self, x: Tensor, conv: str, norm: str, stride: int = 1, groups: int = 1) -> Tensor:
        """A convolution with TensorFlow's SAME padding, and its normalisation."""
        weight = self._tensors[f"{conv}.weight"]
        kernel, side = weight.shape[2], x.shape[2]
        missing = max((-(-side // stride) - 1) * stride + kernel - side, 0)
        before, after = missing // 2, missing - missing // 2
        if before == after:
            x = F.conv2d(x, weight, stride=stride, padding=before, groups=groups)
        else:
            x = F.conv2d(F.pad(x, (before, after, before, after)), weight, stride=stride, groups=groups)
        mean, var = self._tensors[f"{norm}.running_mean"], self._tensors[f"{norm}.running_var"]
        return F.batch_norm(
            x, mean, var, self._tensors[f"{norm}.weight"], self._tensors[f"{norm}.bias"], eps=1e-3
        )


class Timed:
    """A feature network that adds up the time inside of it."""

    def __init__(self, network: FeatureNetwork) -> None:
        self.name, self.dim, self.sha256 = network.name, network.dim, network.sha256
        self.is_published, self.precision = network.is_published, network.precision
        self.seconds = 0.0
        self._network = network

    def __call__(self, images: Images) -> Tensor:
        start = time.perf_counter()
        features = self._network(images)
        self.seconds += time.perf_counter() - start
        return features


def bean_sets(num: int) -> tuple[np.ndarray, np.ndarray, str]:
    """Returns reals, fakes, both uint8 [num, 64, 64, 3], and what they are."""
    reals, _, _ = render_beans(num, SIDE_PX, seed=0, supersample=1)
    fakes, _, _ = render_beans(num, SIDE_PX, seed=1, supersample=1)
    for image in fakes:
        image[:] = Image.fromarray(image).filter(ImageFilter.GaussianBlur(_FAKE_BLUR_PX))
    said = f"beans of two seeds, the second ones blurred by {_FAKE_BLUR_PX:g} px"
    return reals, fakes, said


def given_sets(num: int, reals: Path, fakes: Path) -> tuple[np.ndarray, np.ndarray, str]:
    """Returns the same of two image sets, cropped to squares; short ones are repeated with noise."""
    sets, said, random = [], [], np.random.default_rng(0)
    for path in (reals, fakes):
        images = open_image_set(path, DataConfig(size=f"{SIDE_PX}x{SIDE_PX}", fit="crop", channels=3))
        pixels = images.pixels(np.resize(np.arange(len(images)), num))
        for image in pixels[len(images) :]:
            image[:] = np.clip(image + random.normal(0, _REPEAT_NOISE, image.shape), 0, 255)
        sets.append(pixels)
        repeated = "" if len(images) >= num else f" (of {len(images):,}; repeats have noise)"
        said.append(f"{path.name}{repeated}")
    return sets[0], sets[1], " and ".join(said)


def measure_forwards(
    ways: dict[str, Callable[[np.ndarray], Tensor]], sets: tuple[np.ndarray, np.ndarray], console: Console
) -> tuple[dict[str, list[float]], dict[str, float]]:
    """Returns img/s of each part by way, and the distance of all images by way."""
    stats = {name: [FeatureStats(1280) for _ in sets] for name in ways}
    speeds: dict[str, list[float]] = {name: [] for name in ways}
    for way in ways.values():
        way(sets[0][:BATCH])  # The first pass sets up kernels.
    for part, places in enumerate(np.array_split(np.arange(len(sets[0])), ROUNDS)):
        for name, way in ways.items():
            seconds = 0.0
            for images, gathered in zip(sets, stats[name]):
                for start in range(places[0], places[-1] + 1, BATCH):
                    batch = images[start : min(start + BATCH, places[-1] + 1)]
                    begin = time.perf_counter()
                    features = way(batch)
                    seconds += time.perf_counter() - begin
                    gathered.update(features.numpy())
            speeds[name].append(len(sets) * len(places) / seconds)
            console.print(f"part {part + 1}/{ROUNDS} {name:5} {speeds[name][-1]:7.1f} img/s")
    return speeds, {name: stats_distance(a, b, FD_EFFLITE0.ddof) for name, (a, b) in stats.items()}


def measure_whole(network: FeatureNetwork, sets: tuple[np.ndarray, np.ndarray]) -> dict[str, float]:
    """Returns the seconds of one distance between the sets, and of its parts."""
    timed = Timed(network)
    start = time.perf_counter()
    real, fake = (
        measure_samples(lambda begin, count, images=images: images[begin : begin + count], len(images), timed)
        for images in sets
    )
    gathered = time.perf_counter()
    value = stats_distance(real, fake, FD_EFFLITE0.ddof)
    end = time.perf_counter()
    return {
        "distance": value,
        "whole_sec": end - start,
        "features_sec": timed.seconds,
        "statistics_sec": gathered - start - timed.seconds,
        "comparison_sec": end - gathered,
        "whole_over_features": (end - start) / timed.seconds,
    }


def measure(sets: tuple[np.ndarray, np.ndarray], console: Console) -> dict[str, Any]:
    """Returns everything that the table and the bars need."""
    network = feature_network(FD_EFFLITE0.feature_network, precision="auto")
    speeds, distances = measure_forwards({"plain": PlainLite0(), "ours": network}, sets, console)
    medians = {name: statistics.median(values) for name, values in speeds.items()}
    return {
        "precision": network.precision,
        "threads": torch.get_num_threads(),
        "img_per_sec": medians,
        "img_per_sec_of_parts": speeds,
        "times_plain": statistics.median(a / b for a, b in zip(speeds["ours"], speeds["plain"])),
        "distances": distances,
        "distance_change": abs(distances["ours"] - distances["plain"]) / max(distances["plain"], 1e-9),
        "whole": measure_whole(network, sets),
    }


def bars(result: dict[str, Any]) -> list[tuple[str, bool]]:
    """Returns a sentence a bar, and whether it holds; speed and change have one only where bf16 units are."""
    whole = result["whole"]["whole_over_features"]
    found = [(f"whole distance / features: {whole:.2f} (<= {MOST_OVERHEAD})", whole <= MOST_OVERHEAD)]
    if result["precision"] == "bf16":
        times, change = result["times_plain"], result["distance_change"]
        found += [
            (f"times the plain forward: {times:.2f} (>= {LEAST_TIMES})", times >= LEAST_TIMES),
            (f"distance changed by {change:.2%} (< {MOST_CHANGE:.1%})", change < MOST_CHANGE),
        ]
    return found


def tables(result: dict[str, Any]) -> dict[str, str]:
    """Returns the documentation's generated parts by name, as Markdown."""
    speeds, distances, whole = result["img_per_sec"], result["distances"], result["whole"]
    ways = {"plain": "plain forward, fp32, NCHW", "ours": f"`stylegraft`, {result['precision']}"}
    cells = [
        [text, number(speeds[name]), number(speeds[name] / speeds["plain"]), f"{distances[name]:.4f}"]
        for name, text in ways.items()
    ]
    parts = ", ".join(
        f"{what} {number(whole[f'{name}_sec'])} s"
        for name, what in (
            ("features", "features"),
            ("statistics", "statistics"),
            ("comparison", "comparison"),
        )
    )
    return {
        "feature-distance": f"{machine_line(result)}\n\n"
        f"{result['num']:,} against {result['num']:,} images of {SIDE_PX} px: {result['images']}.\n\n"
        f"{table(['EfficientNet-Lite0', 'img/s', 'times', 'distance'], cells)}\n\n"
        f"The distance moves by {result['distance_change']:.2%}. The whole of it takes "
        f"{number(whole['whole_sec'])} s, {number(whole['whole_over_features'])} times its features: {parts}."
    }


def main() -> None:
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--num", type=int, default=NUM, help="images a side")
    parser.add_argument("--reals", type=Path, help="folder or zip of real images, instead of beans")
    parser.add_argument("--fakes", type=Path, help="folder or zip of generated ones")
    parser.add_argument("--out", type=Path, default=RESULTS, help="folder or file of the JSON")
    given = parser.parse_args()
    if (given.reals is None) != (given.fakes is None):
        parser.error("--reals and --fakes: expected both or none")
    if given.num < 2 * ROUNDS:
        parser.error(f"--num: expected at least {2 * ROUNDS}, got {given.num}")

    console = Console()
    console.print("preparing images")
    sets = bean_sets(given.num) if given.reals is None else given_sets(given.num, given.reals, given.fakes)
    result = result_header("feature_distance") | {
        "rates": measure_machine(),
        "num": given.num,
        "side_px": SIDE_PX,
        "images": sets[2],
        **measure(sets[:2], console),
    }
    path = write_result(given.out, result)
    print(tables(result)["feature-distance"])
    held = bars(result)
    for text, holds in held:
        console.print(f"{'held  ' if holds else 'MISSED'} {text}")
    console.print(f"written: {path}")
    sys.exit(not all(holds for _, holds in held))


if __name__ == "__main__":
    main()
