"""Says in a few words what a file holds instead of networks."""

from __future__ import annotations

from stylegraft.checkpoints.foreign.arrays import TensorView
from stylegraft.checkpoints.foreign.inert import Record
from stylegraft.checkpoints.foreign.limits import printable

_SHOWN_KEYS = 8


def describe(root: object) -> str:
    """Returns the words, on one line, for the root object of a pickle."""
    if isinstance(root, dict):
        return _describe_dict(root)
    if isinstance(root, Record):
        return f"an object of class {printable(root.class_name)}"
    if isinstance(root, TensorView):
        return f"a single tensor of shape {list(root.size)}"
    if isinstance(root, list | tuple):
        return f"a {type(root).__name__} of {len(root):,} items"
    return f"a {type(root).__name__}"


def _describe_dict(root: dict[object, object]) -> str:
    keys = ", ".join(printable(key) for key in list(root)[:_SHOWN_KEYS])
    if not root:
        return "an empty dict"
    if {"GAN", "version"} <= root.keys():
        return (
            "a checkpoint of lucidrains' stylegan2-pytorch, a network of its own that StyleGAN2's layers "
            "cannot hold"
        )
    if {"state", "param_groups"} <= root.keys():
        return "the state of an optimiser, without a network"
    if all(isinstance(value, TensorView) for value in root.values()):
        more = ", ..." if len(root) > _SHOWN_KEYS else ""
        return f"the tensors of another network ({len(root):,} of them: {keys}{more})"
    return f"a dict with the keys {keys}"
