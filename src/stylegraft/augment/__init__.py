"""Adaptive discriminator augmentation: the pipe of transforms, and the controller of their probability."""

from typing import TYPE_CHECKING, Any

from stylegraft.augment.config import AdaConfig, AugmentConfig, augment_preset
from stylegraft.augment.controller import AdaController, Adjustment

if TYPE_CHECKING:
    from stylegraft.augment.draws import Draws
    from stylegraft.augment.pipe import AugmentPipe

__all__ = [
    "AdaConfig",
    "AdaController",
    "Adjustment",
    "AugmentConfig",
    "AugmentPipe",
    "Draws",
    "augment_preset",
]


def __getattr__(name: str) -> Any:
    """Imports what needs torch when it is first asked for."""
    if name == "AugmentPipe":
        from stylegraft.augment.pipe import AugmentPipe

        return AugmentPipe
    if name == "Draws":
        from stylegraft.augment.draws import Draws

        return Draws
    raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
