"""The families of networks: which configs belong to a family's name. No torch here; `making` has the classes.

Configs carry their family's name, so that a saved card says which classes read it.
"""

from __future__ import annotations

from typing import Annotated, Any

from pydantic import Field

from stylegraft.errors import ConfigError
from stylegraft.networks import config as stylegan2
from stylegraft.networks.stylegan1 import config as stylegan1

GeneratorConfig = stylegan1.GeneratorConfig | stylegan2.GeneratorConfig
DiscriminatorConfig = stylegan1.DiscriminatorConfig | stylegan2.DiscriminatorConfig
# The same for the fields of a config: pydantic picks the class by the family's name.
GeneratorField = Annotated[GeneratorConfig, Field(discriminator="family")]
DiscriminatorField = Annotated[DiscriminatorConfig, Field(discriminator="family")]

_CONFIGS = {
    "stylegan1": (stylegan1.GeneratorConfig, stylegan1.DiscriminatorConfig),
    "stylegan2": (stylegan2.GeneratorConfig, stylegan2.DiscriminatorConfig),
}


def generator_config_from_dict(values: dict[str, Any]) -> GeneratorConfig:
    """Rebuilds a generator's config of any family from its `to_dict`.

    Raises:
        ConfigError: the family is unknown, or the config is not valid.
    """
    return _configs_of(values)[0].from_dict(values)


def discriminator_config_from_dict(values: dict[str, Any]) -> DiscriminatorConfig:
    """Rebuilds a discriminator's config of any family from its `to_dict`.

    Raises:
        ConfigError: the family is unknown, or the config is not valid.
    """
    return _configs_of(values)[1].from_dict(values)


def _configs_of(
    values: dict[str, Any],
) -> tuple[
    type[stylegan1.GeneratorConfig | stylegan2.GeneratorConfig],
    type[stylegan1.DiscriminatorConfig | stylegan2.DiscriminatorConfig],
]:
    family = values.get("family")
    if not isinstance(family, str) or family not in _CONFIGS:
        raise ConfigError(f"family: expected one of {', '.join(_CONFIGS)}, got {family!r}.")
    return _CONFIGS[family]
