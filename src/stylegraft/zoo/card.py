"""The card of a source in the zoo: everything that is said about it, checked when it is written and read."""

from __future__ import annotations

from typing import Annotated

from pydantic import Field, StringConstraints

from stylegraft.config import Config

_Line = Annotated[str, StringConstraints(min_length=1, pattern=r"^\S[^\n]*$")]
_Hash = Annotated[str, StringConstraints(pattern=r"^[0-9a-f]{64}$")]


class ZooFacts(Config):
    """What a maintainer states about a source: what was trained on, by which command, under which terms."""

    name: str = Field(pattern=r"^[a-z][a-z0-9-]*$", description="what users type")
    title: _Line = Field(description="the domain in two or three words")
    domain: _Line = Field(description="what the images show")
    packages: tuple[_Line, ...] = Field(min_length=1, description="where the images come from, with versions")
    recipe: _Line = Field(description="the command that makes the image set from the packages")
    command: _Line = Field(description="the command that trained the networks")
    images_licence: _Line = Field(description="terms of the images")
    licence: _Line = Field(description="terms of the weights, in a few words")
    licence_note: _Line | None = Field(default=None, description="what there is to say about these terms")
    attribution: _Line = Field(description="who made the images")


class ZooCard(ZooFacts):
    """The stated facts, and what was measured on the finished run and on the networks as they are shipped."""

    num_images: int = Field(ge=1, description="images in the set, training and held out")
    num_heldout: int = Field(ge=0, description="of these held out, never seen in training")
    data_hash: _Hash = Field(description="content hash of the image set")
    img_size_px: int = Field(ge=4, description="height and width of the images, px")
    kimg: float = Field(ge=0, description="thousands of real images seen")
    train_sec: float = Field(ge=0, description="training time, seconds")
    metric: _Line = Field(description="name of the distance")
    distance: float = Field(ge=0, description="to the held-out images, psi 1")
    distance_low: float | None = Field(description="lower end of its 95 % interval")
    distance_high: float | None = Field(description="upper end of its 95 % interval")
    floor: float | None = Field(description="the same distance of real training images")
    num_fakes: int = Field(ge=2, description="generated images that were measured")
    copier_share: float | None = Field(
        ge=0, le=1, description="generated images suspiciously near to a training image"
    )
    false_alarm_rate: float | None = Field(ge=0, le=1, description="held-out images that are as near")
    copy_verdict: _Line = Field(description="what `stylegraft evaluate` concludes from both")
    grid_psi: float = Field(ge=0, le=1, description="truncation of the pictures in grid.png")
    rounding_levels: float = Field(
        ge=0, lt=1, description="mean change of a picture by half precision, of 255 grey levels"
    )
    sha256: _Hash = Field(description="of the generator, as manifests of generated images name it")
    date: str = Field(pattern=r"^\d{4}-\d{2}-\d{2}$", description="when the entry was made")
    version: _Line = Field(description="release of stylegraft that made it")
