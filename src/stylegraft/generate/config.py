"""What may be asked of `stylegraft generate`. No torch."""

from __future__ import annotations

from typing import Literal, Self

from pydantic import Field, model_validator

from stylegraft.config import Config

NoiseMode = Literal["const", "random", "none"]
TruncationCentre = Literal["auto", "class", "global"]

DEFAULT_NUM = 16
MAX_NUM = 1_000_000


class GenerateConfig(Config):
    """Which images, and how they are stored."""

    num: int | None = Field(
        default=None,
        ge=1,
        le=MAX_NUM,
        description=f"images, of seeds 0, 1, 2... ({DEFAULT_NUM} if nothing else says how many)",
    )
    seeds: str | None = Field(default=None, description="these seeds instead, such as 0-15,85")
    psi: float = Field(
        default=0.7,
        ge=0,
        le=2,
        description="truncation: 1 is the full variety, less is safer, 0 the average image",
    )
    truncation_centre: TruncationCentre = Field(
        default="auto",
        description="what psi below 1 moves towards: the average image of its class, or of all (global, as "
        "published); auto is class for networks with classes that stylegraft trained, else global",
    )
    cutoff: int | None = Field(
        default=None, ge=0, description="truncate the first so many layers only; None: as published"
    )
    classes: str | None = Field(
        default=None,
        description="classes by name or index, such as boots,bags; with counts boots=20,bags=5 "
        "(all classes in turn if not given)",
    )
    per_class: int | None = Field(default=None, ge=1, description="images of each class")
    balance: str | None = Field(
        default=None,
        description="an image set: generate of each class as many as it lacks there to the largest class",
    )
    noise_mode: NoiseMode = Field(
        default="const", description="noise inputs: the stored ones, fresh ones or none"
    )
    batch: int | None = Field(
        default=None, ge=1, description="images at a time; None: what is quickest at the images' size"
    )
    format: Literal["folder", "zip"] | None = Field(
        default=None,
        description="how the images are stored; None: a zip if --out ends with .zip, else a folder",
    )

    @model_validator(mode="after")
    def _one_way_to_count(self) -> Self:
        if len(self.counting_flags) > 1:
            raise ValueError(f"{' and '.join(self.counting_flags)} say how many images: expected one of them")
        return self

    @property
    def counting_flags(self) -> list[str]:
        """The flags given that say how many images there are to be."""
        counts = {
            "--num": self.num,
            "--seeds": self.seeds,
            "--per-class": self.per_class,
            "--balance": self.balance,
        }
        return [flag for flag, value in counts.items() if value is not None]

    @property
    def class_flags(self) -> dict[str, str]:
        """The flags given that only make sense for a model with classes, with their values."""
        values = {"--classes": self.classes, "--per-class": self.per_class, "--balance": self.balance}
        if self.truncation_centre == "class":
            values["--truncation-centre"] = "class"
        return {flag: str(value) for flag, value in values.items() if value is not None}
