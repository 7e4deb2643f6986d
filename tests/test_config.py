from __future__ import annotations

import json
from typing import Literal

import pytest
from pydantic import Field, ValidationError, model_validator

from stylegraft.config import SCHEMA_VERSION, Config
from stylegraft.errors import ConfigError


class Inner(Config):
    depth: int = Field(2, ge=1)


class Outer(Config):
    rate: float = Field(0.5, gt=0, le=1)
    mode: Literal["a", "b"] = "a"
    sizes: tuple[int, ...] = (1, 2)
    inner: Inner = Field(default_factory=Inner)
    limit: int | None = None

    @model_validator(mode="after")
    def _sizes_rise(self) -> Outer:
        if list(self.sizes) != sorted(self.sizes):
            raise ValueError("sizes: expected them to rise")
        return self


def test_config_error_lists_all_problems_on_one_line() -> None:
    with pytest.raises(ConfigError) as caught:
        Outer(rate=2, mode="c", colour="red")
    message = str(caught.value)
    assert "\n" not in message
    assert "rate" in message
    assert "2" in message
    assert "mode" in message
    assert "'c'" in message
    assert "colour: is not a known key" in message


def test_config_error_names_the_config_and_field_of_a_nested_problem() -> None:
    with pytest.raises(ConfigError, match=r"Inner.*depth.*got 0"):
        Outer(inner={"depth": 0})


def test_config_error_of_a_whole_object_keeps_its_own_words() -> None:
    with pytest.raises(ConfigError, match="expected them to rise") as caught:
        Outer(sizes=(3, 1))
    assert "Value error" not in str(caught.value)


def test_config_is_frozen_and_hashable() -> None:
    config = Outer()
    with pytest.raises(ValidationError):
        config.rate = 0.1  # pyright: ignore[reportAttributeAccessIssue]
    assert hash(config) == hash(Outer())
    assert config.rate == 0.5


def test_config_default_out_of_range_is_found() -> None:
    class Wrong(Config):
        share: float = Field(2.0, le=1)

    with pytest.raises(ConfigError, match="share"):
        Wrong()


def test_replace_changes_a_copy_and_checks_again() -> None:
    config = Outer(limit=3)
    changed = config.replace(rate=0.25)
    assert (config.rate, changed.rate, changed.limit) == (0.5, 0.25, 3)
    with pytest.raises(ConfigError, match="rate"):
        config.replace(rate=0)
    with pytest.raises(ConfigError, match="speed"):
        config.replace(speed=1)


def test_json_round_trip_is_exact() -> None:
    config = Outer(rate=0.1, mode="b", sizes=(4, 5, 6), inner=Inner(depth=7), limit=9)
    text = config.to_json()
    assert Outer.from_dict(json.loads(text)) == config
    assert json.loads(text)["schema_version"] == SCHEMA_VERSION


@pytest.mark.parametrize("version", [None, 0, SCHEMA_VERSION + 1, "1"])
def test_from_dict_refuses_another_schema(version: object) -> None:
    values = Outer().to_dict() | {"schema_version": version}
    with pytest.raises(ConfigError, match="schema_version"):
        Outer.from_dict(values)


def test_from_dict_leaves_its_argument_alone_and_rejects_unknown_keys() -> None:
    values = Outer().to_dict()
    Outer.from_dict(values)
    assert values == Outer().to_dict()
    with pytest.raises(ConfigError, match="surplus"):
        Outer.from_dict(values | {"surplus": 1})
