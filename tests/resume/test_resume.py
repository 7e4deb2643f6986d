"""N steps equal N/2 steps, a fresh process, and N/2 steps: bit by bit, in both number types."""

import json
import os
import shutil
import signal
import subprocess
import sys
import time
from pathlib import Path

import numpy as np
import pytest
from PIL import Image
from safetensors.numpy import load_file

DRIVER = Path(__file__).with_name("drive.py")


@pytest.fixture(scope="module")
def dataset(tmp_path_factory) -> Path:
    folder = tmp_path_factory.mktemp("images")
    random = np.random.default_rng(0)
    for name in ("dark", "light"):
        (folder / name).mkdir()
        for index in range(16):
            low, high = (0, 120) if name == "dark" else (130, 255)
            pixels = random.integers(low, high, [16, 16, 3], dtype=np.uint8)
            Image.fromarray(pixels).save(folder / name / f"{name}{index}.png")
    return folder


def drive(*arguments: object) -> subprocess.CompletedProcess[str]:
    command = [sys.executable, str(DRIVER), *map(str, arguments)]
    done = subprocess.run(command, capture_output=True, text=True, timeout=240)
    assert done.returncode == 0, done.stderr
    return done


def checkpoints(run: Path) -> list[Path]:
    return sorted((run / "checkpoints").glob("kimg-*"))


def assert_equal_state(one: Path, other: Path) -> None:
    for name in ("networks.safetensors", "training.safetensors"):
        first, second = load_file(one / name), load_file(other / name)
        assert first.keys() == second.keys()
        for key, value in first.items():
            assert np.array_equal(value, second[key]), key
    cards = [json.loads((path / "checkpoint.json").read_text()) for path in (one, other)]
    for card in cards:
        for timing in ("train_sec", "eval_sec"):
            card["state"].pop(timing)
        card["state"]["config"].pop("total_kimg")
    assert cards[0]["state"] == cards[1]["state"]


@pytest.mark.parametrize(("precision", "threads"), [("fp32", 1), ("bf16", 2)])
def test_resume_in_a_fresh_process_is_bitwise_exact(dataset, tmp_path, precision, threads):
    # 40 steps pass R1 and log lines (each 16), path length and ADA (each 4); 20 is inside a tick.
    # A run keeps to the number of threads it was started with: another would give other last bits.
    flags = ["--precision", precision, "--threads", threads]
    drive(dataset, tmp_path / "whole", "--kimg", 0.320, *flags)
    drive(dataset, tmp_path / "halves", "--kimg", 0.160, *flags)
    drive(dataset, tmp_path / "halves", "--kimg", 0.320, "--resume")
    assert checkpoints(tmp_path / "whole")[-1].name == "kimg-000000.320"
    # The half-way run measured one distance more, at its end; it must not have moved anything but the record.
    whole, halves = checkpoints(tmp_path / "whole")[-1], checkpoints(tmp_path / "halves")[-1]
    assert_equal_state(whole, halves)


@pytest.mark.parametrize(("precision", "kimg", "lod"), [("fp32", 0.232, 0.5), ("bf16", 0.128, 1.25)])
def test_resume_of_a_growing_run_is_bitwise_exact(dataset, tmp_path, precision, kimg, lod):
    # 8 px until 0.064, fading to 16 px until 0.128, 16 px until 0.192, fading to 32 px until 0.256, in
    # batches of 16, 16 and 8. The runs part in a fade, and where Adam starts anew in the next step.
    flags = ["--growing", "--precision", precision]
    drive(dataset, tmp_path / "whole", "--kimg", 0.320, *flags)
    drive(dataset, tmp_path / "halves", "--kimg", kimg, *flags)
    card = json.loads((checkpoints(tmp_path / "halves")[-1] / "checkpoint.json").read_text())
    assert card["state"]["num_images"] == kimg * 1000
    assert card["state"]["lod"] == lod
    drive(dataset, tmp_path / "halves", "--kimg", 0.320, "--resume")
    assert_equal_state(checkpoints(tmp_path / "whole")[-1], checkpoints(tmp_path / "halves")[-1])


@pytest.fixture(scope="module")
def source(dataset, tmp_path_factory) -> Path:
    run = tmp_path_factory.mktemp("source") / "run"
    drive(dataset, run, "--kimg", 0.064)
    return run


@pytest.mark.parametrize("precision", ["fp32", "bf16"])
def test_resume_of_a_grafted_run_is_bitwise_exact(dataset, source, tmp_path, precision):
    flags = ["--precision", precision, "--source", source]
    drive(dataset, tmp_path / "whole", "--kimg", 0.256, *flags)
    drive(dataset, tmp_path / "halves", "--kimg", 0.128, *flags)  # which the whole run measures at, too
    drive(dataset, tmp_path / "halves", "--kimg", 0.256, "--resume")
    whole, halves = checkpoints(tmp_path / "whole")[-1], checkpoints(tmp_path / "halves")[-1]
    assert_equal_state(whole, halves)
    card = json.loads((halves / "checkpoint.json").read_text())
    assert "surgery" in card["state"]["config"]["source"]["facts"]
    assert card["info"]["trained_from"]["surgery"]["networks"]["G"]["changed"]


def test_grafted_run_killed_before_its_first_checkpoint_starts_the_same(dataset, source, tmp_path):
    run = tmp_path / "run"
    drive(dataset, run, "--kimg", 0.064, "--source", source)
    whole = checkpoints(run)[-1].rename(tmp_path / "whole")
    shutil.rmtree(run / "checkpoints")
    done = drive(dataset, run, "--kimg", 0.064, "--resume")
    assert "no checkpoint yet" in done.stderr
    assert_equal_state(whole, checkpoints(run)[-1])


def test_killed_run_goes_on_from_newest_whole_checkpoint(dataset, tmp_path):
    run = tmp_path / "run"
    drive(dataset, run, "--kimg", 0.160)
    newest = checkpoints(run)[-1]
    damaged = newest.with_name("kimg-000000.240")
    damaged.mkdir()
    for path in newest.iterdir():
        (damaged / path.name).write_bytes(path.read_bytes())
    weights = damaged / "training.safetensors"
    weights.write_bytes(weights.read_bytes()[:-100])  # as a full disk or a power cut would leave it
    with (run / "log.jsonl").open("a") as log:
        log.write('{"step": 30, "kimg": 0.24}\n{"step": 31, "ki')

    done = drive(dataset, run, "--kimg", 0.320, "--resume")

    assert "skipped" in done.stderr
    assert "kimg-000000.240" in done.stderr
    assert f"from {newest.name}" in done.stderr
    steps = [json.loads(line)["step"] for line in (run / "log.jsonl").read_text().splitlines()]
    assert steps == sorted(steps)
    assert 30 not in steps
    drive(dataset, tmp_path / "whole", "--kimg", 0.320)
    assert_equal_state(checkpoints(tmp_path / "whole")[-1], checkpoints(run)[-1])


@pytest.mark.skipif(os.name == "nt", reason="signals of POSIX")
@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGINT, signal.SIGKILL])
def test_signalled_run_can_be_resumed(dataset, tmp_path, number):
    run = tmp_path / "run"
    command = [sys.executable, str(DRIVER), str(dataset), str(run), "--kimg", "100"]
    process = subprocess.Popen(command, stderr=subprocess.PIPE, text=True)
    deadline = time.monotonic() + 120
    log = run / "log.jsonl"
    while time.monotonic() < deadline and (not log.exists() or len(log.read_text().splitlines()) < 4):
        time.sleep(0.1)
    process.send_signal(number)
    _, output = process.communicate(timeout=60)
    saved = checkpoints(run)[-1]
    step = json.loads((saved / "checkpoint.json").read_text())["info"]["step"]
    if number == signal.SIGKILL:
        assert process.returncode == -signal.SIGKILL
    else:
        assert process.returncode == 0, output
        assert step > 16  # it saved where it was stopped, not where it last did by schedule
    done = drive(dataset, run, "--kimg", (step + 8) * 8 / 1000, "--resume")
    assert f"from {saved.name}" in done.stderr
    assert json.loads((checkpoints(run)[-1] / "checkpoint.json").read_text())["info"]["step"] == step + 8
