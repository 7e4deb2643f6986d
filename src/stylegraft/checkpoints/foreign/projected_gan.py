"""What projected-gan's files name beyond the official code's: live objects of torch and timm.

Its discriminator looks at the features of pretrained networks, and is pickled as a torch module of many
classes. Ours has no such counterpart, so it is stepped over: each of these names stands for the same inert
object, which takes whatever the file gives it and is never looked into. The generators are read as usual.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping

from stylegraft.checkpoints.foreign.inert import Allowed, Record, Standin
from stylegraft.checkpoints.foreign.limits import Reading

_PACKAGES = ("pg_modules.", "timm.", "torch.nn.")
_DISCRIMINATOR = "ProjectedDiscriminator"
_FASTGAN = "fastgan"


class _Unread(Record):
    """An object of no use here. Its state may have any form; only a dict is kept."""

    def set_state(self, reading: Reading, state: object) -> None:
        self.state = state if isinstance(state, dict) else {}


class WithProjectedGan(Mapping[tuple[str, str], Standin]):
    """An allow-list and the classes of projected-gan. Nothing is looked up: the name chooses a stand-in."""

    def __init__(self, allowed: Allowed) -> None:
        self._allowed = allowed

    def __getitem__(self, key: tuple[str, str]) -> Standin:
        if key in self._allowed:
            return self._allowed[key]
        module, name = key
        if not f"{module}.".startswith(_PACKAGES):
            raise KeyError(key)
        return Standin(f"{module}.{name}", lambda reading, args: _Unread(name))

    def __iter__(self) -> Iterator[tuple[str, str]]:
        return iter(self._allowed)

    def __len__(self) -> int:
        return len(self._allowed)


def is_projected(network: object) -> bool:
    """Whether a network is projected-gan's discriminator."""
    return isinstance(network, Record) and network.class_name == _DISCRIMINATOR


def is_fastgan(network: object) -> bool:
    """Whether a network is projected-gan's other generator, which shares no layer with StyleGAN2."""
    modules = network.state.get("_modules") if isinstance(network, Record) and network.state else None
    synthesis = modules.get("synthesis") if isinstance(modules, dict) else None
    return isinstance(synthesis, Record) and synthesis.class_name.lower().startswith(_FASTGAN)
