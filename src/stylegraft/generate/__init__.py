"""Sets of generated images: which seeds and classes, pictures in a folder or zip, manifest, contact sheet.

No torch here: the model is handed in and only has to be able to `sample` (see `Sampler`). The public names
are loaded on first use, because the command line needs the config alone for its help.
"""

from __future__ import annotations

from importlib import import_module
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from stylegraft.generate.config import GenerateConfig
    from stylegraft.generate.plan import PlannedImage, plan_images
    from stylegraft.generate.run import GeneratedSet, Sampler, generate_set
    from stylegraft.generate.seeds import parse_seeds

__all__ = [
    "GenerateConfig",
    "GeneratedSet",
    "PlannedImage",
    "Sampler",
    "generate_set",
    "parse_seeds",
    "plan_images",
]

_MODULES = {
    "GenerateConfig": "config",
    "GeneratedSet": "run",
    "PlannedImage": "plan",
    "Sampler": "run",
    "generate_set": "run",
    "parse_seeds": "seeds",
    "plan_images": "plan",
}


def __getattr__(name: str) -> Any:
    if name not in _MODULES:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    return getattr(import_module(f"{__name__}.{_MODULES[name]}"), name)
