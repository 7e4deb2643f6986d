"""The training loop: steps, log lines, pictures, distances, checkpoints, and a clean way out of it."""

from __future__ import annotations

import math
import signal
import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Protocol

from stylegraft.checkpoints.native import write_checkpoint
from stylegraft.checkpoints.run_folder import (
    checkpoint_path,
    read_newest_good,
    remove_newer_than,
    remove_outdated,
)
from stylegraft.errors import DivergenceError, RunError
from stylegraft.runtime.threads import ThreadPolicy
from stylegraft.training.config import RunConfig
from stylegraft.training.early_stopping import reason_to_stop
from stylegraft.training.evaluator import CopyWatch, Evaluator, SampleFakes
from stylegraft.training.observers import Observer
from stylegraft.training.pace import Pace
from stylegraft.training.state import TrainState
from stylegraft.training.step import StepContext, train_step


class Painter(Protocol):
    """Draws the sample grid and the curve of a run."""

    def samples(self, state: TrainState) -> None:
        """Writes the pictures of a moment."""
        ...

    def curve(self) -> None:
        """Redraws the curve from the log."""
        ...


@dataclass
class Loop:
    """Everything around the step. `run` goes from the state's position to the budget's end.

    Attributes:
        state: where the run is.
        context: what a step uses.
        folder: the run folder.
        evaluator: the distance, or None.
        sample_fakes: makes the evaluator's pictures from a state.
        painter: draws; None in processes that are not the first.
        observers: watch.
        info: facts that go into each checkpoint's card (class names, version, source...).
        copy_watch: looks for copies at each distance, if the run may stop early; or None.
        threads: adapts the number of threads to what else runs on the machine; None: it stays.
    """

    state: TrainState
    context: StepContext
    folder: Path
    evaluator: Evaluator | None
    sample_fakes: Callable[[TrainState], SampleFakes]
    painter: Painter | None
    observers: Sequence[Observer]
    info: dict[str, Any]
    copy_watch: CopyWatch | None = None
    threads: ThreadPolicy | None = None

    def run(self) -> str:
        """Trains; returns how it ended: "done", "interrupted" or "stopped early".

        Raises:
            DivergenceError: gradients are not finite; the last good checkpoint stays.
        """
        state, config = self.state, self.state.config
        session_start, train_sec_before = time.monotonic(), state.train_sec
        tick_start, tick_step, tick_nimg = session_start, state.step, state.num_images
        last_save, saved_step = session_start, state.step  # the loop begins at a checkpoint, or writes one
        pace = Pace()
        if state.step == 0:
            self._measure_and_draw()
            self._save()
        if state.stopped is not None:
            self._tell_why_it_stopped()
            return "stopped early"

        with interruptions() as interrupted:
            while True:
                state.train_sec = train_sec_before + time.monotonic() - session_start
                done = self._done_share()
                stop = self.context.processes.any(done >= 1 or bool(interrupted))
                at_tick = state.step % config.tick_steps == 0 and state.step > tick_step

                # Log line, at fixed steps.
                if at_tick:
                    now = time.monotonic()
                    images = state.num_images - tick_nimg
                    self._record(
                        img_per_sec=images / max(now - tick_start, 1e-9),
                        **state.meters.take_means(),
                        **({} if self.threads is None else {"threads": self.threads.threads}),
                    )
                    tick_start, tick_step, tick_nimg = now, state.step, state.num_images

                # Distance and pictures, at fixed ticks and at the end.
                is_finished = stop and not interrupted
                due = (
                    at_tick
                    and config.eval_ticks
                    and (state.step // config.tick_steps) % config.eval_ticks == 0
                    and self.context.processes.any(self._has_time_for_a_distance())
                )
                measures = (due or is_finished) and state.measured_step != state.step
                if measures:
                    reason = self._measure_and_draw()
                    state.stopped = None if is_finished else reason
                    stop = self.context.processes.any(stop or state.stopped is not None)
                elif state.ends_a_phase and self.painter is not None:
                    self.painter.samples(state)

                # Checkpoint, with each distance and every few minutes.
                overdue = self.context.processes.any(time.monotonic() - last_save > config.save_minutes * 60)
                # (Not once more where the run stands at one: the distance in its card would be lost.)
                if measures or ((stop or (at_tick and overdue)) and state.step != saved_step):
                    state.train_sec = train_sec_before + time.monotonic() - session_start
                    self._save()
                    last_save = tick_start = time.monotonic()
                    saved_step = state.step

                if stop and state.stopped is not None:
                    self._tell_why_it_stopped()
                    return "stopped early"
                if stop:
                    return "done" if is_finished else "interrupted"
                try:
                    train_step(state, self.context)
                except DivergenceError as error:
                    self._roll_back_or_raise(error)
                    tick_start, tick_step, tick_nimg = time.monotonic(), state.step, state.num_images
                    saved_step = state.step
                if self.threads is not None:
                    self.threads.after_step(is_plain=not _has_lazy_regulariser(config, state.step - 1))
                self._tell_progress(done, pace.seconds_left(done))

    def _done_share(self) -> float:
        """The finished share of the budget; with two budgets, of the one that ends first."""
        config, state = self.state.config, self.state
        if state.step == 0:  # minutes that the first distance has spent still buy a step
            return 0.0
        shares = [0.0]
        if config.total_kimg is not None:
            shares.append(state.num_images / (config.total_kimg * 1000))
        if config.total_minutes is not None:
            shares.append(state.train_sec / (config.total_minutes * 60))
        return max(shares)

    def _has_time_for_a_distance(self) -> bool:
        """Whether distances keep to their share of the time, with a quarter of it as slack.

        Their schedule comes from a forecast, which can be far off where the machine was busy for a moment.
        Only the first process measures, so only its clock counts.
        """
        share = self.state.config.eval_share
        on_time = share is None or self.state.eval_sec <= 1.25 * share * self.state.train_sec
        return self.context.processes.is_first and on_time

    def _measure_and_draw(self) -> str | None:
        """Measures the distance, draws the pictures; returns a reason to stop early, if there is one."""
        state, config = self.state, self.state.config
        state.measured_step = state.step
        if not self.context.processes.is_first:
            return None
        reason = None
        if self.evaluator is not None and config.eval_fakes:
            start = time.monotonic()
            sample_fakes = self.sample_fakes(state)
            distance = self.evaluator(sample_fakes, config.eval_fakes)
            value, floor = distance.value, distance.floor
            copier_share = self.copy_watch(sample_fakes, config.eval_fakes) if self.copy_watch else None
            if state.step > 0:
                state.eval_sec += time.monotonic() - start
            if not math.isfinite(value):
                raise DivergenceError(f"training diverged: the distance is {value} at step {state.step}")
            # Noise can score better than early training; untrained networks are never "the best".
            if state.step > 0 or config.source is not None:
                if state.best is None or value < state.best["value"]:
                    state.best = {"step": state.step, "kimg": state.kimg, "value": value}
                self.info["distance"] = value
            scalars = {"distance": value, "eval_sec": time.monotonic() - start}
            if floor is not None:
                scalars["floor"] = floor.value
            if copier_share is not None:
                scalars["copier_share"] = copier_share.share
            self._record(**scalars)
            reason = reason_to_stop(state, copier_share)
        if self.painter is not None:
            self.painter.samples(state)
            self.painter.curve()
        return reason

    def _save(self) -> None:
        state = self.state
        if self.context.processes.is_first:
            info = self.info | {"step": state.step, "kimg": state.kimg, "train_sec": state.train_sec}
            self.info.pop("distance", None)  # a distance belongs to the step it was measured at
            try:
                write_checkpoint(checkpoint_path(self.folder, state.num_images), state.to_checkpoint(info))
            except RunError as error:
                raise RunError(f"{error} Then go on: stylegraft train --resume {self.folder}") from error
            best_step = None if state.best is None else int(state.best["step"])
            remove_outdated(self.folder, state.config.num_checkpoints, best_step)
        if self.threads is not None:
            self.threads.restart()  # what was saved, or measured before, was no step

    def _record(self, **scalars: float) -> None:
        state = self.state
        record = {
            "step": state.step,
            "kimg": state.kimg,
            "train_sec": round(state.train_sec, 3),
            "augment_p": state.ada.p,
            **_size_in_use(state),
            **{name: float(value) for name, value in scalars.items()},
        }
        for observer in self.observers:
            observer.on_record(record)

    def _note(self, text: str) -> None:
        for observer in self.observers:
            observer.on_note(text)

    def _tell_why_it_stopped(self) -> None:
        self._note(f"stopped at {self.state.kimg:.1f} kimg (--early-stop): {self.state.stopped}")
        self._note(
            f"to go on all the same: stylegraft train --resume {self.folder} with a new --kimg or --minutes"
        )

    def _tell_progress(self, done: float, seconds_left: float | None) -> None:
        for observer in self.observers:
            observer.on_progress(min(done, 1.0), self.state.kimg, seconds_left)

    def _roll_back_or_raise(self, error: DivergenceError) -> None:
        """Answers a divergence as asked: back to the last good checkpoint at half the rate, once; or stop."""
        checkpoint, path, _ = read_newest_good(self.folder)
        wants_rollback = self.state.config.on_divergence == "rollback"
        if not wants_rollback or self.state.rolled_back:
            again = " again after a rollback" if self.state.rolled_back else ""
            raise DivergenceError(
                f"{error}{again}. The last good checkpoint is {path}. "
                "Start a new run with a lower --lr, a higher --gamma, --precision fp32 or "
                "--on-divergence rollback."
            ) from error
        train_sec = self.state.train_sec
        self.state.load_checkpoint(checkpoint)
        self.state.train_sec = train_sec
        self.state.rolled_back = True
        self.state.scale_lr(0.5)
        if self.context.processes.is_first:
            remove_newer_than(self.folder, self.state.step)
        for observer in self.observers:
            observer.on_rewind(self.state.step)
        self._note(f"{error}: back to {path.name}, once, at half the learning rate")


def _has_lazy_regulariser(config: RunConfig, step: int) -> bool:
    """Whether a step takes longer than most: a regulariser comes with it that does not come with each."""
    intervals = [config.r1_interval if config.r1_gamma else 1, config.pl_interval if config.pl_weight else 1]
    return any(interval > 1 and step % interval == 0 for interval in intervals)


def _size_in_use(state: TrainState) -> dict[str, float]:
    """How far a growing run has grown, for its log: lod, and the shorter side of its images in px."""
    if state.config.growing is None or state.lod is None:
        return {}
    generator = state.config.generator
    side_px = min(generator.img_height, generator.img_width) >> math.floor(state.lod)
    return {"lod": state.lod, "side_px": float(side_px)}


@contextmanager
def interruptions() -> Iterator[list[int]]:
    """Turns SIGINT and SIGTERM into an entry of the list; a second one acts at once, as usual."""
    received: list[int] = []
    previous = {}

    def remember(number: int, frame: object) -> None:
        received.append(number)
        signal.signal(number, previous[number])

    for number in (signal.SIGINT, signal.SIGTERM):
        previous[number] = signal.signal(number, remember)
    try:
        yield received
    finally:
        for number, handler in previous.items():
            signal.signal(number, handler)
