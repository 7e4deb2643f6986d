"""From the variables of a TensorFlow network to the tensors of ours: tables of names and changes of layout.

A table says which variable becomes which tensor. Which rows apply follows from our own network of the
inferred config: each of its tensors must get a variable of the right shape, and no variable may be left over.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Collection, Iterable
from dataclasses import dataclass

import numpy as np
import torch
from torch import nn

from stylegraft.checkpoints.foreign.limits import Reading, printable
from stylegraft.checkpoints.foreign.nvidia_tensorflow_network import TensorflowNetwork
from stylegraft.checkpoints.foreign.report import LoadReport

MAX_DENSE = 64
_SCOPE = re.compile(r"(?:synthesis/)?([0-9]{1,5})x([0-9]{1,5})/")
_MAX_BLOCKS = 16


@dataclass(frozen=True)
class Change:
    """A change of layout. `num_axes` is what the variable must have, None for any."""

    num_axes: int | None
    apply: Callable[[np.ndarray], np.ndarray]


SAME = Change(None, lambda a: a)
DENSE = Change(2, lambda a: a.T)  # [in, out] -> [out, in]
CONV = Change(4, lambda a: a.transpose(3, 2, 0, 1))  # [kh, kw, in, out] -> [out, in, kh, kw]
# The generator's upsampling convolutions are transposed ones there, which read their kernels backwards.
CONV_REVERSED = Change(4, lambda a: a[::-1, ::-1].transpose(3, 2, 0, 1))
PLUS_ONE = Change(1, lambda a: a + np.float32(1))  # the code adds 1 to these; our biases start at 1
FIRST = Change(4, lambda a: a[0])  # [1, C, h, w] -> [C, h, w]
PLANE = Change(4, lambda a: a[0, 0])  # [1, 1, h, w] -> [h, w]


@dataclass(frozen=True)
class Row:
    """One variable and our tensor. Both names may hold fields of a block, see `expand`."""

    theirs: str
    ours: str
    change: Change = SAME


def block_scopes(network: TensorflowNetwork) -> list[tuple[int, int]]:
    """Returns (height, width) of the blocks by which variables are named, smallest first.

    Raises:
        CheckpointError: there are none, or they do not double.
    """
    sizes = sorted(
        {
            (int(match[1]), int(match[2]))
            for match in map(_SCOPE.match, network.variables)
            if match is not None
        }
    )
    if not 1 <= len(sizes) <= _MAX_BLOCKS:
        raise network.unknown_layout(f"{len(sizes)} blocks")
    height, width = sizes[0]
    if sizes != [(height << index, width << index) for index in range(len(sizes))]:
        raise network.unknown_layout(
            f"blocks of {', '.join(f'{h}x{w}' for h, w in sizes)} px that do not double"
        )
    return sizes


def num_dense(network: TensorflowNetwork, prefix: str) -> int:
    """Returns how many dense layers of names like `prefix`0 there are.

    Raises:
        CheckpointError: there are absurdly many.
    """
    count = 0
    while f"{prefix}{count}/weight" in network.variables:
        count += 1
        if count > MAX_DENSE:
            raise network.unknown_layout(f"more than {MAX_DENSE} layers {prefix}")
    return count


def dense_rows(prefix: str, count: int) -> list[Row]:
    """Returns the rows of the dense layers of a mapping network."""
    return [row for i in range(count) for row in layer_rows(f"{prefix}{i}", f"mapping.fc{i}", DENSE)]


def layer_rows(theirs: str, ours: str, change: Change) -> list[Row]:
    """Returns the rows of a layer with weight and bias."""
    return [Row(f"{theirs}/weight", f"{ours}.weight", change), Row(f"{theirs}/bias", f"{ours}.bias")]


def expand(rows: Iterable[Row], scopes: list[tuple[int, int]], names: Iterable[str]) -> list[Row]:
    """Returns the rows for each block, filled in.

    Args:
        rows: templates; their fields are {scope} (8x8), {block} (b8), {lod} (halvings below the largest
            block), and with the block's index i {even} (2 i), {odd} (2 i + 1) and {before} (2 i - 1).
        scopes: of the blocks, smallest first.
        names: of our blocks, smallest first.
    """
    filled = []
    for index, ((height, width), block) in enumerate(zip(scopes, names, strict=True)):
        fields = {
            "scope": f"{height}x{width}",
            "block": block,
            "lod": len(scopes) - 1 - index,
            "even": 2 * index,
            "odd": 2 * index + 1,
            "before": 2 * index - 1,
        }
        filled += [Row(row.theirs.format(**fields), row.ours.format(**fields), row.change) for row in rows]
    return filled


def convert(
    network: TensorflowNetwork,
    ours: nn.Module,
    name: str,
    rows: list[Row],
    ignored: Collection[str],
    report: LoadReport,
    reading: Reading,
) -> dict[str, torch.Tensor]:
    """Returns the tensors of our network from the variables.

    Args:
        network: whose variables.
        ours: our network of the same config, on the device "meta".
        name: of the network here, for the report: "G", "D" or "G_ema".
        rows: the table; of two rows for one tensor the first whose variable is there counts.
        ignored: variables without use here. In the report they are left over, or verified if they are 0.
        report: gets a line for each tensor.
        reading: is charged for what is copied.

    Raises:
        CheckpointError: a variable is missing, left over, or of another shape.
    """
    expected = {key: tuple(tensor.shape) for key, tensor in ours.state_dict().items()}
    chosen: dict[str, Row] = {}
    for row in rows:
        if row.ours in expected and row.ours not in chosen and row.theirs in network.variables:
            chosen[row.ours] = row
    missing = [key for key in expected if key not in chosen]
    if missing:
        theirs = [row.theirs for row in rows if row.ours == missing[0]]
        raise network.unknown_layout(
            f"no variable {theirs[0] if theirs else missing[0]} ({len(missing)} such variables)"
        )
    used = {row.theirs for row in chosen.values()}
    unused = [variable for variable in network.variables if variable not in used]
    left_over = [variable for variable in unused if variable not in ignored]
    if left_over:
        raise network.unknown_layout(
            f"the variable {printable(left_over[0])}, for which there is no use here "
            f"({len(left_over)} such variables)"
        )
    for variable in unused:
        is_zero = not network.variables[variable].any()
        (report.verified if is_zero else report.left_over).append(f"{name}.{variable}")
    tensors = {}
    for key, shape in expected.items():
        row = chosen[key]
        array = network.variables[row.theirs]
        changed = array
        if row.change.num_axes in (None, array.ndim) and array.size:
            with np.errstate(invalid="ignore"):  # a damaged value may be no number
                changed = row.change.apply(array)
        if changed.shape != shape:
            raise network.unknown_layout(
                f"the variable {printable(row.theirs)} of shape {list(array.shape)} where one for "
                f"{list(shape)} belongs"
            )
        reading.spend_elements(changed.size)
        with np.errstate(over="ignore", invalid="ignore"):  # a damaged value may be beyond float32
            tensors[key] = torch.from_numpy(np.array(changed, dtype=np.float32, order="C", copy=True))
        (report.copied if row.change is SAME else report.reshaped).append(f"{name}.{key}")
    return tensors
