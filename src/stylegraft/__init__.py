"""stylegraft: StyleGAN for small image sets.

The public names are loaded on first use, so that `import stylegraft` costs nothing.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

__version__ = "0.1.0"
__all__ = ["Model", "__version__", "load"]

if TYPE_CHECKING:
    from stylegraft.model import Model, load


def __getattr__(name: str) -> Any:
    if name in ("Model", "load"):
        from stylegraft import model

        return getattr(model, name)
    raise AttributeError(f"module 'stylegraft' has no attribute {name!r}")
