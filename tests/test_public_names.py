from __future__ import annotations

import importlib
import subprocess
import sys

import pytest

import stylegraft

PUBLIC = {
    "stylegraft": {"Model", "__version__", "load"},
    "stylegraft.generate": {
        "GenerateConfig",
        "GeneratedSet",
        "PlannedImage",
        "Sampler",
        "generate_set",
        "parse_seeds",
        "plan_images",
    },
    "stylegraft.data": {
        "BadImagesError",
        "ClassGroupSampler",
        "DataConfig",
        "ImageSet",
        "Split",
        "TrainSampler",
        "images_to_tensor",
        "open_image_set",
        "split_holdout",
        "write_image_set",
    },
    "stylegraft.report": {
        "Finding",
        "Number",
        "Written",
        "evaluation_page",
        "findings",
        "numbers",
        "write_report",
    },
    "stylegraft.zoo": {"Entry", "ZooCard", "entries", "entry", "names", "resolve"},
}


@pytest.mark.parametrize("module", PUBLIC)
def test_public_names_are_exactly_these(module: str) -> None:
    package = importlib.import_module(module)
    assert set(package.__all__) == PUBLIC[module]
    for name in package.__all__:
        assert getattr(package, name) is not None


def test_unknown_name_is_an_attribute_error() -> None:
    with pytest.raises(AttributeError, match="sample_many"):
        stylegraft.sample_many  # noqa: B018 # pyright: ignore


@pytest.mark.parametrize(
    "module",
    [
        "stylegraft",
        "stylegraft.config",
        "stylegraft.errors",
        "stylegraft.files",
        "stylegraft.networks.config",
        "stylegraft.networks.families",
        "stylegraft.networks.stylegan1",
        "stylegraft.augment.config",
        "stylegraft.data.config",
        "stylegraft.training.config",
        "stylegraft.generate",
        "stylegraft.report",
        "stylegraft.zoo",
    ],
)
def test_module_is_imported_without_torch(module: str) -> None:
    code = f"import sys, {module}; sys.exit('torch' in sys.modules)"
    assert subprocess.run([sys.executable, "-c", code], timeout=60).returncode == 0
