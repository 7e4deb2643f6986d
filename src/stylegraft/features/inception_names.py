"""What the TorchScript file of InceptionV3 calls the tensors of the state dict.

`inception-2015-12-05.pt` keeps the names of the TensorFlow graph: layers and blocks are numbered, a branch is
a tower, and its steps are conv, conv_1, ... It has no scales of batch normalisations, nor has that graph.
"""

from __future__ import annotations


def torchscript_name(key: str) -> str | None:
    """Returns the file's name for a tensor called `key` in the state dict; None: there is none, it is all 1.

    Example: `Mixed_6b.branch7x7_2.conv.weight` is `layers.mixed_4.tower.conv_1.weight`.
    """
    if key.startswith("fc."):
        return key.replace("fc.", "output.")
    layer, *branch, step, tensor = key.split(".")
    if (step, tensor) == ("bn", "weight"):
        return None
    path = ["layers", _LAYERS[layer], *(_branches(layer)[name] for name in branch)]
    return ".".join([*path, _TENSORS[tensor]])


def _numbered(word: str, count: int) -> list[str]:
    return [word if index == 0 else f"{word}_{index}" for index in range(count)]


def _tower(branch: str, tower: str, length: int) -> dict[str, str]:
    steps = _numbered("conv", length)
    return {f"{branch}_{index}": f"{tower}.{step}" for index, step in enumerate(steps, start=1)}


_TENSORS = {"weight": "weight", "bias": "beta", "running_mean": "mean", "running_var": "var"}

_STEM = ("Conv2d_1a_3x3", "Conv2d_2a_3x3", "Conv2d_2b_3x3", "Conv2d_3b_1x1", "Conv2d_4a_3x3")
_KINDS = {
    "Mixed_5b": "A",
    "Mixed_5c": "A",
    "Mixed_5d": "A",
    "Mixed_6a": "B",
    "Mixed_6b": "C",
    "Mixed_6c": "C",
    "Mixed_6d": "C",
    "Mixed_6e": "C",
    "Mixed_7a": "D",
    "Mixed_7b": "E",
    "Mixed_7c": "E",
}
_LAYERS = dict(zip(_STEM, _numbered("conv", 5))) | dict(zip(_KINDS, _numbered("mixed", 11)))

_BRANCHES = {
    "A": {"branch1x1": "conv", "branch_pool": "tower_2.conv"}
    | _tower("branch5x5", "tower", 2)
    | _tower("branch3x3dbl", "tower_1", 3),
    "B": {"branch3x3": "conv"} | _tower("branch3x3dbl", "tower", 3),
    "C": {"branch1x1": "conv", "branch_pool": "tower_2.conv"}
    | _tower("branch7x7", "tower", 3)
    | _tower("branch7x7dbl", "tower_1", 5),
    "D": _tower("branch3x3", "tower", 2) | _tower("branch7x7x3", "tower_1", 4),
    "E": {
        "branch1x1": "conv",
        "branch3x3_1": "tower_conv",
        "branch3x3_2a": "tower_mixed_conv",
        "branch3x3_2b": "tower_mixed_conv_1",
        "branch3x3dbl_1": "tower_1_conv",
        "branch3x3dbl_2": "tower_1_conv_1",
        "branch3x3dbl_3a": "tower_1_mixed_conv",
        "branch3x3dbl_3b": "tower_1_mixed_conv_1",
        "branch_pool": "tower_2_conv",
    },
}


def _branches(layer: str) -> dict[str, str]:
    return _BRANCHES[_KINDS[layer]]
