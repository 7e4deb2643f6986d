from __future__ import annotations

import inspect
import re

import pytest

from stylegraft import errors


def _classes() -> list[type[Exception]]:
    return [
        cls for _, cls in inspect.getmembers(errors, inspect.isclass) if cls.__module__ == errors.__name__
    ]


def test_errors_all_are_in_the_tree_drawn_at_the_top() -> None:
    drawn = re.findall(r"^\s*[│├└─ ]*(\w+Error)\s.*?(?:-> exit (\d))?$", errors.__doc__ or "", re.MULTILINE)
    assert {name for name, _ in drawn} == {cls.__name__ for cls in _classes()}
    for name, code in drawn:
        if code:
            assert getattr(errors, name).exit_code == int(code), name


def test_errors_all_are_what_the_command_line_catches() -> None:
    assert len(_classes()) > 5
    assert all(issubclass(cls, errors.StylegraftError) for cls in _classes())


@pytest.mark.parametrize(
    ("kind", "parent"),
    [
        (errors.ConfigError, errors.InputError),
        (errors.DataError, errors.InputError),
        (errors.UnsafeFileError, errors.CheckpointError),
        (errors.CheckpointError, errors.InputError),
        (errors.DivergenceError, errors.RunError),
    ],
)
def test_errors_descend_as_drawn(kind: type[Exception], parent: type[Exception]) -> None:
    assert issubclass(kind, parent)


def test_run_errors_are_not_the_users_mistakes() -> None:
    assert not issubclass(errors.RunError, errors.InputError)
