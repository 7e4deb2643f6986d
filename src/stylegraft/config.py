"""Base of every config object: frozen, strict about keys, all problems in one error, JSON round trip.

No torch here: config modules are imported by `stylegraft --help`.
"""

from __future__ import annotations

import json
from typing import Any, Self

from pydantic import BaseModel, ConfigDict, ValidationError

from stylegraft.errors import ConfigError

SCHEMA_VERSION = 1


class Config(BaseModel):
    """A frozen set of named values with range checks.

    Subclasses declare fields with `pydantic.Field(default, ge=..., description="help text with its unit")`.
    Construction with bad values raises `ConfigError`, which lists every problem at once.
    """

    model_config = ConfigDict(frozen=True, extra="forbid", validate_default=True)

    def __init__(self, **values: Any) -> None:
        try:
            super().__init__(**values)
        except ValidationError as error:
            raise ConfigError(_one_line(type(self).__name__, error)) from None

    def replace(self, **changes: Any) -> Self:
        """Returns a copy with some fields changed, checked again."""
        return type(self)(**{name: getattr(self, name) for name in type(self).model_fields} | changes)

    def to_dict(self) -> dict[str, Any]:
        """Returns JSON-ready values plus the `schema_version` they were written with."""
        return {"schema_version": SCHEMA_VERSION, **self.model_dump(mode="json")}

    def to_json(self) -> str:
        """Returns `to_dict` as indented JSON text."""
        return json.dumps(self.to_dict(), indent=2) + "\n"

    @classmethod
    def from_dict(cls, values: dict[str, Any]) -> Self:
        """Rebuilds a config from `to_dict`.

        Raises:
            ConfigError: unknown keys, values out of range, or a schema version other than ours.
        """
        values = dict(values)
        version = values.pop("schema_version", None)
        if version != SCHEMA_VERSION:
            raise ConfigError(
                f"{cls.__name__}: expected schema_version {SCHEMA_VERSION}, got {version!r}. "
                "Read it with the release of stylegraft that wrote it."
            )
        return cls(**values)


def _one_line(name: str, error: ValidationError) -> str:
    problems = []
    for item in error.errors(include_url=False):
        where = ".".join(str(part) for part in item["loc"])
        message = item["msg"].removeprefix("Value error, ")
        if item["type"] == "extra_forbidden":
            message = "is not a known key"
        # A rule over several fields has no place of its own; its message names them.
        problems.append(f"{where}: {message} (got {item.get('input')!r})" if where else message)
    return f"{name} is not valid: " + "; ".join(problems)
