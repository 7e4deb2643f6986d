"""`manifest.json`: what a generated set is made of, so that any image can be made again."""

from __future__ import annotations

import json
from collections import Counter
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from stylegraft import __version__
from stylegraft.generate.config import GenerateConfig
from stylegraft.generate.plan import PlannedImage

MANIFEST_NAME = "manifest.json"
SCHEMA_VERSION = 1
KIND = "stylegraft.generated"


def make_manifest(
    config: GenerateConfig, model_info: Mapping[str, Any], images: Sequence[PlannedImage]
) -> str:
    """Returns the text of a manifest.

    It holds no time and no path, so that the same request gives the same bytes.

    Args:
        config: the request.
        model_info: `Model.info`; `sha256` names the checkpoint.
        images: the images, in order.
    """
    checkpoint = model_info["sha256"]
    settings = config.to_dict()
    if config.balance is not None:
        settings["balance"] = Path(config.balance).name
    return _dump(
        {
            "schema_version": SCHEMA_VERSION,
            "kind": KIND,
            "stylegraft": __version__,
            "checkpoint": {"sha256": checkpoint, "family": model_info.get("family")},
            "settings": settings,
            "num_images": len(images),
            "num_by_class": dict(
                Counter(image.class_name for image in images if image.class_name is not None)
            ),
            "images": [
                {
                    "file": image.file,
                    "seed": image.seed,
                    "psi": config.psi,
                    "class": image.class_index,
                    "class_name": image.class_name,
                    "checkpoint": checkpoint,
                }
                for image in images
            ],
        }
    )


def is_manifest(text: str) -> bool:
    """Tells whether a text is a manifest written here."""
    try:
        value = json.loads(text)
    except ValueError:
        return False
    return isinstance(value, dict) and value.get("kind") == KIND


def _dump(value: dict[str, Any]) -> str:
    """Indented JSON with one image a line, which keeps large manifests readable."""
    images = ",\n".join("    " + json.dumps(image) for image in value["images"])
    head = json.dumps({**value, "images": []}, indent=2)
    return head.removesuffix("[]\n}") + "[\n" + images + "\n  ]\n}\n"
