"""The networks in an official TensorFlow pickle: their variables, settings and source text, as checked data.

A file holds `dnnlib.tflib.network.Network` objects. The original rebuilds one by executing the source text it
carries; here the text is read for its licence only. What a network is follows from its variables.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import TypeVar

import numpy as np

from stylegraft.checkpoints.foreign.arrays import NUMPY_GLOBALS, NumpyArray
from stylegraft.checkpoints.foreign.inert import PYTHON_GLOBALS, Allowed, Record, Standin, table
from stylegraft.checkpoints.foreign.licence import licence_of_source
from stylegraft.checkpoints.foreign.limits import Reading, printable
from stylegraft.checkpoints.foreign.plain import plain
from stylegraft.config import Config
from stylegraft.errors import CheckpointError, ConfigError

_MAX_COMPONENTS = 8
_VERSIONS = (2, 3, 4, 5)

_C = TypeVar("_C", bound=Config)


def _network(reading: Reading, args: tuple[object, ...]) -> object:
    if args:
        raise reading.unsafe("a TensorFlow network made from arguments")
    return Record("Network")


def _settings(reading: Reading, args: tuple[object, ...]) -> object:
    if args:
        raise reading.unsafe("settings made from arguments")
    return {}


_EXACT: Allowed = {**PYTHON_GLOBALS, **NUMPY_GLOBALS}
_BY_ENDING: Allowed = table(("tflib.network", "Network", _network), ("dnnlib.util", "EasyDict", _settings))


class _TensorflowGlobals(Mapping[tuple[str, str], Standin]):
    """The allow-list of these files. Forks keep the official code in packages of other names.

    So the last parts of the module decide. Nothing is looked up in any case: the name chooses a stand-in.
    """

    def __getitem__(self, key: tuple[str, str]) -> Standin:
        if key in _EXACT:
            return _EXACT[key]
        module, name = key
        return _BY_ENDING[".".join(module.split(".")[-2:]), name]

    def __iter__(self) -> Iterator[tuple[str, str]]:
        return iter({**_EXACT, **_BY_ENDING})

    def __len__(self) -> int:
        return len(_EXACT) + len(_BY_ENDING)


TENSORFLOW_GLOBALS: Allowed = _TensorflowGlobals()


class TensorflowNetwork:
    """One network of a file with its components.

    Attributes:
        name: what the file calls it, such as G, D or Gs.
        functions: names of the functions that built it and its components.
        variables: arrays by name; those of a component begin with its name and a slash.
        settings: the arguments it was built with; those of a component go before the whole network's.
        unknown_settings: names among them that nobody knows, for people.
    """

    def __init__(self, record: object, reading: Reading) -> None:
        self.name = "a network"
        self._reading = reading
        self.variables: dict[str, np.ndarray] = {}
        self.settings: dict[str, object] = {}
        self.unknown_settings: list[str] = []
        self.functions: list[str] = []
        state = self._state_of(record)
        self.name = printable(state.get("name"))
        self._source = state.get("build_module_src")
        self._take(state, "")
        components = state.get("components", {})
        if not isinstance(components, dict) or len(components) > _MAX_COMPONENTS:
            raise self.unknown_layout("components that are none")
        for name, component in components.items():
            inner = self._state_of(component)
            if inner.get("components"):
                raise self.unknown_layout("components within components")
            self._take(inner, f"{name}/")

    @property
    def is_discriminator(self) -> bool:
        """Whether it takes images in."""
        return any(name.startswith("FromRGB_lod") or "/FromRGB/" in name for name in self.variables)

    def licence(self) -> str | None:
        """Returns the comment on top of the source text in one line, if it speaks of a licence."""
        return licence_of_source(self._source) if isinstance(self._source, str) else None

    def axes(self, variable: str, num_axes: int) -> tuple[int, ...]:
        """Returns the shape of a variable that must have so many axes.

        Raises:
            CheckpointError: there is no such variable, or it has another number of axes.
        """
        if variable not in self.variables:
            raise self.unknown_layout(f"no variable {variable}")
        shape = self.variables[variable].shape
        if len(shape) != num_axes:
            raise self.unknown_layout(f"the variable {variable} of shape {list(shape)}")
        return shape

    def outputs(self, layer: str) -> int:
        """Returns the outputs of a convolution or dense layer: the last axis of its weight, as all here."""
        return self._weight(layer)[-1]

    def inputs(self, layer: str) -> int:
        """Returns the inputs of a convolution or dense layer."""
        return self._weight(layer)[-2]

    def make(self, kind: type[_C], **values: object) -> _C:
        """Returns a config of the values.

        Raises:
            CheckpointError: there is no such network.
        """
        try:
            return kind(**values)
        except ConfigError as error:
            raise self.unknown_layout(f"values that make no network: {error}") from None

    def unknown_layout(self, got: str) -> CheckpointError:
        """Returns the error for a network that is not built as expected."""
        return CheckpointError(
            f"cannot read {self._reading.source}: expected StyleGAN or StyleGAN2 networks of the official "
            f"TensorFlow code, got {self.name} with {got}. Networks of changed code are not supported; "
            "convert the file with the code that wrote it."
        )

    def _weight(self, layer: str) -> tuple[int, ...]:
        weight = self.variables.get(f"{layer}/weight")
        return self.axes(f"{layer}/weight", 2 if weight is not None and weight.ndim == 2 else 4)

    def _state_of(self, record: object) -> dict[str, object]:
        self._reading.spend_module()
        if not isinstance(record, Record) or record.state is None:
            raise self._reading.refused(f"{self.name} that is none")
        version = record.state.get("version")
        if version not in _VERSIONS:
            raise self.unknown_layout(f"the format version {printable(version)}")
        return record.state

    def _take(self, state: dict[str, object], prefix: str) -> None:
        """Adds the variables and settings of the network itself or of a component."""
        settings, variables = state.get("static_kwargs", {}), state.get("variables", [])
        if not isinstance(settings, dict) or not isinstance(variables, list):
            raise self.unknown_layout("no settings or no variables")
        for name, value in settings.items():
            self.settings[str(name)] = plain(value, self._reading)
        for row in variables:
            self._reading.spend_value()
            name, value = row if isinstance(row, tuple) and len(row) == 2 else (None, None)
            if not isinstance(name, str):
                raise self.unknown_layout("a variable without a name")
            array = value.array if isinstance(value, NumpyArray) else value
            if isinstance(array, int | float):  # numpy scalars arrive as numbers
                array = np.array(array, np.float64)
            if not isinstance(array, np.ndarray) or array.dtype.kind not in "fiu":
                raise self.unknown_layout(f"the variable {printable(name)} that is no array of numbers")
            if prefix + name in self.variables:
                raise self.unknown_layout(f"two variables {printable(prefix + name)}")
            self.variables[prefix + name] = array
        function = state.get("build_func_name")
        self.functions.append(printable(function))
