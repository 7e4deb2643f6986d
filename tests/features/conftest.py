"""Formula weights for the networks whose published files no package brings, and files of them."""

import warnings
from pathlib import Path

import numpy as np
import pytest
import torch
from formula_weights import formula_tensors

from stylegraft.features.inception_v3 import InceptionV3
from stylegraft.features.vgg16 import VGG16Convolutions

REFERENCE = Path(__file__).parents[1] / "reference"


@pytest.fixture(scope="session")
def read_reference():
    def read(name):
        with np.load(REFERENCE / name) as arrays:
            return dict(arrays)

    return read


@pytest.fixture(scope="session")
def inception_tensors():
    with torch.device("meta"):
        return formula_tensors(InceptionV3())


@pytest.fixture(scope="session")
def vgg_tensors():
    with torch.device("meta"):
        return formula_tensors(VGG16Convolutions())


@pytest.fixture(scope="session")
def relative_error():
    def error(actual, expected):
        return np.abs(np.asarray(actual) - expected).max() / np.abs(expected).max()

    return error


class _Box(torch.nn.Module):
    def forward(self, x: torch.Tensor) -> torch.Tensor:
        return x


@pytest.fixture(scope="session")
def save_torchscript():
    """Writes tensors as a TorchScript archive whose tree of modules has their names."""

    def save(path, tensors):
        root = _Box()
        for name, tensor in tensors.items():
            *modules, leaf = name.split(".")
            box = root
            for module in modules:
                if not hasattr(box, module):
                    box.add_module(module, _Box())
                box = getattr(box, module)
            box.register_buffer(leaf, tensor)
        with warnings.catch_warnings():
            warnings.simplefilter("ignore", DeprecationWarning)
            torch.jit.script(root).save(str(path))
        return path

    return save
