"""Fashion-MNIST as an image set, and a judge of conditional samples: does a classifier see the asked class?

    python docs/results/fashion_mnist.py prepare IDX_FOLDER fashion.zip --num 10000
    python docs/results/fashion_mnist.py judge IDX_FOLDER RUN --num 2000

IDX_FOLDER holds the four files of the data set (Debian package dataset-fashion-mnist).
The judge is a small convolutional network trained on all 60,000 real training garments; its own accuracy on
the 10,000 real test garments is printed beside the agreement, which it bounds.
"""

import argparse
import gzip
import json
from pathlib import Path

import numpy as np
import torch
from torch import nn
from torch.nn import functional

CLASSES = (
    "T-shirt",
    "trouser",
    "pullover",
    "dress",
    "coat",
    "sandal",
    "shirt",
    "sneaker",
    "bag",
    "ankle boot",
)


def read_idx(folder: Path, part: str) -> tuple[np.ndarray, np.ndarray]:
    """Returns images uint8 [N, 32, 32, 1] (28 px, padded by 2) and classes int64 [N] of "train" or "t10k"."""
    images = gzip.decompress((folder / f"{part}-images-idx3-ubyte.gz").read_bytes())
    labels = gzip.decompress((folder / f"{part}-labels-idx1-ubyte.gz").read_bytes())
    pixels = np.frombuffer(images, np.uint8, offset=16).reshape(-1, 28, 28, 1)
    pixels = np.pad(pixels, ((0, 0), (2, 2), (2, 2), (0, 0)))
    return pixels, np.frombuffer(labels, np.uint8, offset=8).astype(np.int64)


def prepare(folder: Path, out: Path, num: int) -> None:
    """Writes the first `num` training garments as a labelled zip."""
    from stylegraft.data import write_image_set

    pixels, classes = read_idx(folder, "train")
    write_image_set(out, pixels[:num], labels=classes[:num], class_names=CLASSES)


def train_judge(folder: Path) -> tuple[nn.Module, float]:
    """Returns a classifier of garments and its accuracy on the real test images."""
    torch.manual_seed(0)
    net = nn.Sequential(
        *(nn.Conv2d(1, 32, 3, padding=1), nn.BatchNorm2d(32), nn.ReLU(), nn.MaxPool2d(2)),
        *(nn.Conv2d(32, 64, 3, padding=1), nn.BatchNorm2d(64), nn.ReLU(), nn.MaxPool2d(2)),
        *(nn.Conv2d(64, 128, 3, padding=1), nn.BatchNorm2d(128), nn.ReLU(), nn.AdaptiveAvgPool2d(4)),
        *(nn.Flatten(), nn.Dropout(0.3), nn.Linear(2048, 10)),
    ).to(memory_format=torch.channels_last)
    pixels, classes = read_idx(folder, "train")
    images, targets = to_tensor(pixels), torch.from_numpy(classes)
    num_epochs, batch = 4, 128
    steps = num_epochs * (len(images) // batch)
    optimizer = torch.optim.AdamW(net.parameters(), 2e-3)
    schedule = torch.optim.lr_scheduler.OneCycleLR(optimizer, 2e-3, total_steps=steps)
    for _ in range(num_epochs):
        for rows in torch.randperm(len(images)).split(batch)[: steps // num_epochs]:
            loss = functional.cross_entropy(net(images[rows]), targets[rows])
            optimizer.zero_grad()
            loss.backward()
            optimizer.step()
            schedule.step()
    pixels, classes = read_idx(folder, "t10k")
    return net.eval(), float((predict(net.eval(), pixels) == classes).mean())


def to_tensor(pixels: np.ndarray) -> torch.Tensor:
    """uint8 [N, H, W, 1] to float [N, 1, H, W] in [-1, 1]."""
    return torch.from_numpy(pixels).permute(0, 3, 1, 2).float() / 127.5 - 1


@torch.no_grad()
def predict(net: nn.Module, pixels: np.ndarray) -> np.ndarray:
    """Returns the classes that the judge sees, int64 [N]."""
    return torch.cat([net(part).argmax(1) for part in to_tensor(pixels).split(500)]).numpy()


def judge(folder: Path, run: Path, num: int) -> None:
    """Prints the share of samples at psi 1 in which the judge sees the asked class."""
    import stylegraft

    net, accuracy = train_judge(folder)
    model = stylegraft.load(run)
    asked = np.arange(num) % len(CLASSES)
    pixels = model.sample(range(num), psi=1.0, labels=np.eye(len(CLASSES), dtype=np.float32)[asked])
    agrees = predict(net, pixels) == asked
    by_class = {name: float(agrees[asked == index].mean()) for index, name in enumerate(CLASSES)}
    result = {
        "judge_accuracy_on_real_test_images": accuracy,
        "agreement": float(agrees.mean()),
        "num_samples": num,
        "agreement_by_class": by_class,
        "checkpoint": model.info["path"],
        "kimg": model.info["kimg"],
    }
    print(json.dumps(result, indent=2))


def main() -> None:
    """Reads the command line."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    commands = parser.add_subparsers(dest="command", required=True)
    first = commands.add_parser("prepare")
    first.add_argument("idx_folder", type=Path)
    first.add_argument("out", type=Path)
    first.add_argument("--num", type=int, default=10_000)
    second = commands.add_parser("judge")
    second.add_argument("idx_folder", type=Path)
    second.add_argument("run", type=Path)
    second.add_argument("--num", type=int, default=2000)
    flags = parser.parse_args()
    if flags.command == "prepare":
        prepare(flags.idx_folder, flags.out, flags.num)
    else:
        judge(flags.idx_folder, flags.run, flags.num)


if __name__ == "__main__":
    main()
