"""When to stop before the budget is spent: nothing gets better any more, or training images are copied."""

from __future__ import annotations

from stylegraft.training.evaluator import CopierShare
from stylegraft.training.state import TrainState


def reason_to_stop(state: TrainState, copier_share: CopierShare | None) -> str | None:
    """Returns why a run should stop at this distance, in words, or None.

    It depends on the state and this look only, so that a resumed run stops where an uninterrupted one would.

    Args:
        state: right after a distance was measured.
        copier_share: the look at the same fakes, or None.
    """
    patience_kimg = state.config.early_stop_kimg
    if patience_kimg is None or state.best is None:
        return None
    if copier_share is not None and copier_share.outside_band:
        return f"the generator begins to copy: {copier_share.sentence}"
    # Distances of networks that still grow say little about those that follow.
    growing = state.config.growing
    grown_kimg = 0.0 if growing is None else growing.grown_nimg / 1000
    if state.kimg - max(state.best["kimg"], grown_kimg) >= patience_kimg:
        best = f"{state.best['value']:.2f} at {state.best['kimg']:.1f} kimg"
        return f"the held-out distance has not improved for {patience_kimg:g} kimg (best {best})"
    return None
