"""Two gloo processes and one, at the same global batch, train the same network."""

import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest
from PIL import Image
from safetensors.numpy import load_file

DRIVER = Path(__file__).parents[1] / "resume" / "drive.py"


def write_images(folder: Path) -> Path:
    random = np.random.default_rng(0)
    for name, low, high in (("dark", 0, 120), ("light", 130, 255)):
        (folder / name).mkdir(parents=True)
        for index in range(16):
            pixels = random.integers(low, high, [16, 16, 3], dtype=np.uint8)
            Image.fromarray(pixels).save(folder / name / f"{name}{index}.png")
    return folder


@pytest.mark.parametrize("kind", ["plain", "growing", "grafted"])
def test_two_processes_agree_with_one_after_many_steps(tmp_path, kind):
    data = write_images(tmp_path / "data")
    flags = ["--kimg", "0.4", "--micro-batch", "4", *(["--growing"] if kind == "growing" else [])]
    if kind == "grafted":
        source = [sys.executable, str(DRIVER), str(data), str(tmp_path / "source"), "--kimg", "0.064"]
        subprocess.run(source, check=True, capture_output=True, timeout=240)
        flags += ["--source", str(tmp_path / "source")]
    alone = [sys.executable, str(DRIVER), str(data), str(tmp_path / "one"), *flags]
    torchrun = [sys.executable, "-m", "torch.distributed.run", "--standalone", "--nproc-per-node", "2"]
    together = [*torchrun, str(DRIVER), str(data), str(tmp_path / "two"), *flags]
    for command in (alone, together):
        done = subprocess.run(command, capture_output=True, text=True, timeout=240)
        assert done.returncode == 0, done.stderr

    def weights(run: str, kimg: str) -> np.ndarray:
        folder = tmp_path / run / "checkpoints" / f"kimg-000000.{kimg}"
        tensors = load_file(folder / "networks.safetensors") | load_file(folder / "training.safetensors")
        return np.concatenate([tensors[key].ravel() for key in sorted(tensors) if key[:2] in ("G.", "D.")])

    start, one, two = weights("one", "000"), weights("one", "400"), weights("two", "400")
    assert np.array_equal(start, weights("two", "000"))
    # Two micro-batches add up in the same order in one process and in two, so not even rounding differs.
    assert not np.array_equal(start, one)
    assert np.array_equal(one, two)
