"""What a reader of one format hands over."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

from stylegraft.checkpoints.foreign.report import LoadReport
from stylegraft.networks.families import DiscriminatorConfig, GeneratorConfig

if TYPE_CHECKING:
    import torch


@dataclass(frozen=True)
class ForeignContents:
    """The networks of a file in our layout.

    Attributes:
        family: of networks, such as "stylegan2".
        generator_config: config of G and G_ema.
        discriminator_config: config of D; None without D.
        tensors: for each of "G", "D" and "G_ema" that the file has, float32 tensors under our names, ready
            for `load_state_dict`.
        extras: settings kept beside the networks, as plain data. "augment" holds those of the augmentation
            with its strength "p", or None.
        report: what became of each tensor.
        info: JSON-ready facts for people, such as the licence the file names; shown by `inspect`.
    """

    family: str
    generator_config: GeneratorConfig
    discriminator_config: DiscriminatorConfig | None
    tensors: dict[str, dict[str, torch.Tensor]]
    extras: dict[str, Any]
    report: LoadReport
    info: dict[str, Any] = field(default_factory=dict)


@dataclass(frozen=True)
class ForeignCheckpoint(ForeignContents):
    """The networks of a file, and which file that was.

    Attributes:
        format: name of the format, a key of `formats.DESCRIPTIONS`.
        sha256: of the file's bytes, 64 hex digits.
    """

    format: str = field(kw_only=True)
    sha256: str = field(kw_only=True)
