"""The shape of what a pickle holds: no cycles, bounded depth."""

from __future__ import annotations

from collections.abc import Iterable

from stylegraft.checkpoints.foreign.inert import Record
from stylegraft.checkpoints.foreign.limits import Reading


def check_graph(root: object, reading: Reading) -> None:
    """Checks that an object contains no cycle and does not nest too deep, without recursing itself.

    After this check, code that walks the object may recurse. It says nothing about repetition: a container
    may occur in many places, so whoever expands it into a tree needs a budget.

    Raises:
        CheckpointError: there is a cycle, or the nesting is beyond the limit.
    """
    limit = reading.limits.nesting
    finished_height: dict[int, int] = {}
    path = [_Visit(root)]
    on_path = {id(root)}
    while path:
        visit = path[-1]
        if visit.todo:
            child = visit.todo.pop()
            if id(child) in on_path:
                raise reading.refused("an object that contains itself")
            if id(child) in finished_height:
                visit.height = max(visit.height, finished_height[id(child)] + 1)
            else:
                path.append(_Visit(child))
                on_path.add(id(child))
            if len(path) + visit.height > limit:
                raise reading.refused(f"objects nested deeper than {limit}")
        else:
            path.pop()
            on_path.discard(id(visit.node))
            finished_height[id(visit.node)] = visit.height
            if path:
                path[-1].height = max(path[-1].height, visit.height + 1)


class _Visit:
    """A container on the path from the root, what is in it and still to be seen, and its height so far."""

    __slots__ = ("height", "node", "todo")

    def __init__(self, node: object) -> None:
        children: Iterable[object] = ()
        if isinstance(node, dict):
            children = node.values()
        elif isinstance(node, list | tuple):
            children = node
        elif isinstance(node, Record):
            children = (node.state,)
        self.node = node
        self.height = 0
        self.todo = [child for child in children if isinstance(child, dict | list | tuple | Record)]
