"""What `config.json` of a hub folder holds. No torch."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, Literal, Self

from pydantic import Field, model_validator

from stylegraft.config import Config
from stylegraft.networks.families import (
    DiscriminatorConfig,
    DiscriminatorField,
    GeneratorConfig,
    GeneratorField,
)

_MAX_TEXT_CHARS = 20_000
_MAX_NAME_CHARS = 500


class SourceFile(Config):
    """The file that the weights were first read from."""

    format: str = Field(max_length=_MAX_NAME_CHARS, description="name of its format")
    file: str = Field(max_length=_MAX_NAME_CHARS, description="its name, without folders")
    sha256: str = Field(max_length=64, description="hash of its bytes, or of the tensors of our own formats")


class HubConfig(Config):
    """The networks of a hub folder and what is known about them."""

    library_name: Literal["stylegraft"] = "stylegraft"
    generator: GeneratorField = Field(description="config of the generator in model.safetensors")
    discriminator: DiscriminatorField | None = Field(
        default=None, description="config of discriminator.safetensors; None without"
    )
    class_names: list[str] | None = Field(default=None, description="names of the classes")
    licence: str | None = Field(
        default=None, max_length=_MAX_TEXT_CHARS, description="terms of the weights; None: not known"
    )
    data_note: str | None = Field(
        default=None, max_length=_MAX_TEXT_CHARS, description="what it was trained on; None: not known"
    )
    source: SourceFile | None = Field(default=None, description="where the weights came from")
    kimg: float | None = Field(default=None, ge=0, description="thousands of images shown in training")
    distance: float | None = Field(default=None, description="FD-EffLite0 to held-out images")

    @model_validator(mode="after")
    def _names_fit_the_classes(self) -> Self:
        num_classes = self.generator.mapping.c_dim
        if self.class_names is not None and len(self.class_names) != num_classes:
            raise ValueError(f"class_names: expected {num_classes} names, got {len(self.class_names)}")
        return self


def hub_config(
    generator: GeneratorConfig, discriminator: DiscriminatorConfig | None, facts: Mapping[str, Any]
) -> HubConfig:
    """Returns the config of networks and what is known about them; other facts are left out.

    Args:
        generator: config of G.
        discriminator: config of D, or None.
        facts: see `provenance.carried_facts`.

    Raises:
        ConfigError: facts of another type or length than the config allows.
    """
    return HubConfig(
        generator=generator,
        discriminator=discriminator,
        class_names=facts.get("class_names"),
        licence=facts.get("licence"),
        data_note=facts.get("data_note"),
        source=facts.get("source"),
        kimg=facts.get("kimg"),
        distance=facts.get("distance"),
    )
