"""What bf16 does to learning: gradients and losses beside fp32's, and the distance after equal training.

    python benchmarks/precision_quality.py --work runs              # six runs of 16 kimg, one after the other
    python benchmarks/precision_quality.py --work runs --kimg 0.5 --eval-fakes 100     # a quick look

Trains on bean seeds rendered here (1,200 of 32 px, as `stylegraft quickstart` does) with `--precision fp32`
and `bf16`, three seeds each, by the public command line. Distances are measured with the same feature network
for both, at fixed points, with a fixed number of fakes. What is finished in --work is taken as it is, so that
an interrupted benchmark goes on where it was.

Gradients are compared at one state: the end of the first fp32 run, loaded in both precisions, on the same
images and random numbers. For comparison: how much fp32's own gradient differs between two batches.
Writes `results/<date>-precision_quality.json` beside this file; `render.py` puts it into the documentation.
"""

from __future__ import annotations

import argparse
import json
import statistics
import subprocess
import sys
import tempfile
from collections.abc import Sequence
from contextlib import nullcontext
from pathlib import Path
from typing import Any

import torch
from rich.console import Console
from torch import Tensor

from stylegraft.augment.pipe import AugmentPipe
from stylegraft.bench.markdown import number, table
from stylegraft.bench.results import machine_line, result_header, write_result
from stylegraft.checkpoints.run_folder import CONFIG_NAME, LOG_NAME, has_checkpoints, read_newest_good
from stylegraft.data import open_image_set
from stylegraft.data.beans import write_bean_set
from stylegraft.runtime.precision import has_bf16_units
from stylegraft.runtime.processes import Processes
from stylegraft.training.adam import Adam
from stylegraft.training.config import RunConfig
from stylegraft.training.folder import read_config
from stylegraft.training.state import TrainState, new_state
from stylegraft.training.step import RealBatch, StepContext, train_step

RESULTS = Path(__file__).parent / "results"
PRECISIONS = ("fp32", "bf16")
NUM_BEANS, SIDE_PX = 1200, 32
KIMG, EVAL_FAKES, NUM_DISTANCES = 16.0, 1000, 4
NUM_BATCHES = 8
LOSSES = ("loss_G", "loss_D")
MEANS = (*LOSSES, "loss_PL", "r1_penalty")
# Of G and D in turn: first the losses, then the regularisers.
GRADIENTS = ("loss of G", "loss of D", "path length", "R1")


def train_once(
    beans: Path, work: Path, precision: str, seed: int, kimg: float, eval_fakes: int, console: Console
) -> dict[str, Any]:
    """Trains a run that is not in `work` yet, or the rest of one, and returns its distances and losses.

    Raises:
        SystemExit: the command failed, or the folder holds a run with other settings.
    """
    run = work / f"{precision}-{seed}"
    if not is_finished(run):
        words = [sys.executable, "-m", "stylegraft", "train"]
        if has_checkpoints(run):
            words += ["--resume", str(run)]
        else:
            words += [str(beans), "--out", str(run), "--mirror", "--precision", precision]
            words += ["--seed", str(seed), "--kimg", str(kimg), "--eval-fakes", str(eval_fakes)]
            words += ["--eval-kimg", str(kimg / NUM_DISTANCES)]
        done = subprocess.run(words, capture_output=True, text=True, check=False)
        if done.returncode:
            sys.exit(f"{' '.join(words)} failed: {(done.stderr.strip().splitlines() or ['no message'])[-1]}")
    config = read_config(run)
    found = (config.precision, config.seed, config.total_kimg, config.eval_fakes)
    if found != (precision, seed, kimg, eval_fakes):
        sys.exit(f"{run} holds a run with other settings {found}: name another --work.")
    rows = read_log(run)
    measured = [row for row in rows if "distance" in row and row["step"]]
    values = [row["distance"] for row in measured]
    console.print(f"{run.name}: distance {values[-1]:.2f}, best {min(values):.2f}", highlight=False)
    return {
        "precision": precision,
        "seed": seed,
        "final": values[-1],
        "best": min(values),
        "floor": measured[-1].get("floor"),
        "distances": [[row["kimg"], row["distance"]] for row in measured],
        "train_sec": measured[-1]["train_sec"],
        "losses": [[row["kimg"], *(row[name] for name in LOSSES)] for row in rows if "loss_G" in row],
    }


def is_finished(run: Path) -> bool:
    """Tells whether a run has spent its budget and measured its last distance."""
    if not has_checkpoints(run) or not (run / CONFIG_NAME).exists():
        return False
    budget, rows = read_config(run).total_kimg, read_log(run)
    return bool(rows) and budget is not None and rows[-1]["kimg"] >= budget and "distance" in rows[-1]


def read_log(run: Path) -> list[dict[str, Any]]:
    """Returns the rows of a run's log."""
    text = (run / LOG_NAME).read_text(encoding="utf-8")
    return [json.loads(line) for line in text.splitlines()]


def compare_losses(runs: Sequence[dict[str, Any]]) -> dict[str, dict[str, float]]:
    """Returns for each loss its mean over the runs' second halves, by precision, and the spread of seeds.

    "seeds" is the range of fp32's own means: what another seed changes.
    """
    compared = {}
    for place, name in enumerate(LOSSES, start=1):
        means: dict[str, list[float]] = {precision: [] for precision in PRECISIONS}
        for run in runs:
            late = run["losses"][len(run["losses"]) // 2 :]
            means[run["precision"]].append(statistics.fmean(row[place] for row in late))
        compared[name] = {precision: statistics.fmean(values) for precision, values in means.items()}
        compared[name]["seeds"] = max(means["fp32"]) - min(means["fp32"])
    return compared


def load_state(run: Path, precision: str) -> tuple[TrainState, StepContext]:
    """Returns the end of a run in a precision, and what its steps need."""
    config: RunConfig = read_config(run).replace(precision=precision)
    state = new_state(config, torch.device("cpu"))
    checkpoint, _, _ = read_newest_good(run)
    state.load_checkpoint(checkpoint)
    images = open_image_set(config.data_path, config.data)
    train = images.split().train_indices

    def reals(position: int, samples: Sequence[int]) -> RealBatch:
        indices = train[[(position + sample) % len(train) for sample in samples]]
        return images.batch(indices), images.label_batch(indices)

    pipe = None if config.augment is None else AugmentPipe(config.augment)
    labels = None if images.labels is None else torch.from_numpy(images.labels[train])
    return state, StepContext(Processes(0, 1, torch.device("cpu")), pipe, reals, labels)


def gradients_at(run: Path, precision: str) -> tuple[list[dict[str, Tensor]], dict[str, float]]:
    """Returns the flat gradients of some steps, all taken at one state, and the means of their losses.

    The optimisers only note gradients, so that nothing moves. Each step has all phases: the first call of an
    optimiser has the gradient of the losses, the second that of its regulariser.
    """
    state, context = load_state(run, precision)
    found: dict[str, Tensor] = {}
    for optimizer, names in ((state.optimizer_G, GRADIENTS[::2]), (state.optimizer_D, GRADIENTS[1::2])):

        def note(optimizer: Any = optimizer, names: Sequence[str] = names) -> None:
            name = names[0] if names[0] not in found else names[1]
            found[name] = flat_gradient(optimizer)

        optimizer.step = note  # pyright: ignore[reportAttributeAccessIssue]
    gradients = []
    state.meters.take_means()
    for batch in range(1, NUM_BATCHES + 1):
        state.step = batch * state.config.pl_interval * state.config.r1_interval
        train_step(state, context)
        gradients.append(dict(found))
        found.clear()
    return gradients, state.meters.take_means()


def flat_gradient(optimizer: Adam) -> Tensor:
    """Returns the gradients of an optimiser's parameters as one vector in float64."""
    parameters = [parameter for group in optimizer.param_groups for parameter in group["params"]]
    gradients = [parameter.grad.flatten() for parameter in parameters if parameter.grad is not None]
    return torch.cat(gradients).double()


def compare_gradients(run: Path) -> dict[str, Any]:
    """Returns cosine and relative error of bf16's gradients, and the same between batches in fp32."""
    exact, exact_means = gradients_at(run, "fp32")
    rounded, rounded_means = gradients_at(run, "bf16")
    others = [*exact[1:], exact[0]]
    compared = {
        name: {
            "bf16": closeness([found[name] for found in rounded], [found[name] for found in exact]),
            "other_batch": closeness([found[name] for found in others], [found[name] for found in exact]),
        }
        for name in GRADIENTS
        if name in exact[0]  # The preset may go without a regulariser.
    }
    values = {
        name: {"fp32": exact_means[name], "bf16": rounded_means[name]}
        for name in MEANS
        if name in exact_means
    }
    return {"num_batches": NUM_BATCHES, "gradients": compared, "values": values}


def closeness(some: Sequence[Tensor], exact: Sequence[Tensor]) -> dict[str, float]:
    """Returns the medians of cosine and relative error of vectors against exact ones."""
    pairs = list(zip(some, exact))
    return {
        "cosine": statistics.median(float(a @ b / (a.norm() * b.norm())) for a, b in pairs),
        "relative_error": statistics.median(float((a - b).norm() / b.norm()) for a, b in pairs),
    }


def summarise(runs: Sequence[dict[str, Any]]) -> dict[str, Any]:
    """Returns medians of the distances by precision, and whether bf16's final one is not worse.

    bf16 counts as not worse where its median is above fp32's by no more than fp32's seeds differ.
    """
    medians = {
        precision: {
            kind: statistics.median(run[kind] for run in runs if run["precision"] == precision)
            for kind in ("final", "best", "train_sec")
        }
        for precision in PRECISIONS
    }
    finals = [run["final"] for run in runs if run["precision"] == "fp32"]
    spread = max(finals) - min(finals)
    held = medians["bf16"]["final"] <= medians["fp32"]["final"] + spread
    return {"medians": medians, "fp32_seed_spread": spread, "held": held}


def tables(result: dict[str, Any]) -> dict[str, str]:
    """Returns the documentation's generated parts by name, as Markdown."""
    columns = [(kind, precision) for kind in ("final", "best") for precision in PRECISIONS]
    runs = {(run["seed"], run["precision"]): run for run in result["runs"]}
    cells = [
        [f"seed {seed}", *(number(runs[seed, precision][kind]) for kind, precision in columns)]
        for seed in result["seeds"]
    ]
    cells.append(["**median**", *(number(result["medians"][precision][kind]) for kind, precision in columns)])
    header = ["FD-EffLite0", *(f"{kind}, {precision}" for kind, precision in columns)]
    gradient_cells = [
        [name]
        + [
            f"{row[which][kind]:.4f}"
            for which in ("bf16", "other_batch")
            for kind in ("cosine", "relative_error")
        ]
        for name, row in result["one_state"]["gradients"].items()
    ]
    gradient_header = [
        "gradient of",
        "cosine, bf16 to fp32",
        "relative error",
        "cosine, another batch",
        "relative difference",
    ]
    losses = "; ".join(
        f"{name} {row['fp32']:.3f} in fp32 and {row['bf16']:.3f} in bf16, where fp32's seeds differ by "
        f"{row['seeds']:.3f}"
        for name, row in result["losses"].items()
    )
    return {
        "precision-quality": f"{machine_line(result)}\n\n"
        f"{result['num_beans']:,} beans of {result['side_px']} px, {result['kimg']:g} kimg, "
        f"{result['eval_fakes']:,} fakes a distance.\n\n"
        f"{table(header, cells)}\n\nMean losses of the second half: {losses}.\n\n"
        f"{table(gradient_header, gradient_cells)}"
    }


def main() -> None:
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--kimg", type=float, default=KIMG, help="length of a run, kimg")
    parser.add_argument("--seeds", type=int, nargs="+", default=[0, 1, 2])
    parser.add_argument("--eval-fakes", type=int, default=EVAL_FAKES, help="generated images a distance")
    parser.add_argument("--work", type=Path, help="folder for beans and runs, kept; else a temporary one")
    parser.add_argument("--out", type=Path, default=RESULTS, help="folder or file of the JSON")
    given = parser.parse_args()
    if not has_bf16_units(torch.device("cpu")):
        parser.error("expected a processor with bf16 units; here bf16 would take some hundred times as long")

    console = Console()
    with tempfile.TemporaryDirectory() if given.work is None else nullcontext(given.work) as work:
        beans = Path(work) / "beans"
        if not beans.exists():
            console.print("rendering beans")
            write_bean_set(beans, NUM_BEANS, SIDE_PX, seed=0)
        # Precisions take turns, so that a machine that slows down slows both.
        runs = [
            train_once(beans, Path(work), precision, seed, given.kimg, given.eval_fakes, console)
            for seed in given.seeds
            for precision in PRECISIONS
        ]
        console.print("comparing gradients")
        one_state = compare_gradients(Path(work) / f"fp32-{given.seeds[0]}")
    result = result_header("precision_quality") | {
        "kimg": given.kimg,
        "seeds": given.seeds,
        "eval_fakes": given.eval_fakes,
        "num_beans": NUM_BEANS,
        "side_px": SIDE_PX,
        "runs": runs,
        **summarise(runs),
        "losses": compare_losses(runs),
        "one_state": one_state,
    }
    path = write_result(given.out, result)
    print(tables(result)["precision-quality"])
    medians = result["medians"]
    console.print(
        f"{'held  ' if result['held'] else 'MISSED'} median of the final distances: "
        f"{medians['bf16']['final']:.2f} in bf16, {medians['fp32']['final']:.2f} in fp32, seeds differ by "
        f"{result['fp32_seed_spread']:.2f}"
    )
    console.print(f"written: {path}")
    sys.exit(not result["held"])


if __name__ == "__main__":
    main()
