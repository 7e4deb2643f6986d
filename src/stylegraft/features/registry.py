"""One table of feature networks: how each is built, loaded and asked."""

from __future__ import annotations

import warnings
from collections.abc import Callable
from functools import lru_cache
from pathlib import Path
from typing import Protocol, TypeVar

import torch

from stylegraft.errors import InputError
from stylegraft.features.dinov2 import DinoV2
from stylegraft.features.efficientnet_lite import LITE0, LITE1, LITE2, EfficientNetLite
from stylegraft.features.inception_v3 import InceptionV3, PytorchFidInception
from stylegraft.features.inputs import Images, to_float255
from stylegraft.features.mobilenet_v2 import MobileNetV2
from stylegraft.features.perceptual import PerceptualDistance
from stylegraft.features.torchscript import is_torchscript, read_torchscript
from stylegraft.features.trunk import PublishedModule, Trunk, load_published
from stylegraft.features.vgg16 import VGG16, VGG16Convolutions
from stylegraft.features.weights import FoundWeights, find_weights
from stylegraft.runtime.precision import Precision, compute_dtype

NetworkT = TypeVar("NetworkT", bound=PublishedModule)

_TRUNKS: dict[str, Callable[[], Trunk]] = {
    "effnet_lite0": lambda: EfficientNetLite(LITE0),
    "effnet_lite1": lambda: EfficientNetLite(LITE1),
    "effnet_lite2": lambda: EfficientNetLite(LITE2),
    "mobilenet_v2": MobileNetV2,
    "inception_v3": InceptionV3,
    "inception_v3_pytorch_fid": PytorchFidInception,
    "vgg16": VGG16,
    "dinov2_vits14": lambda: DinoV2(dim=384, depth=12, num_heads=6),
    "dinov2_vitl14": lambda: DinoV2(dim=1024, depth=24, num_heads=16),
}


class FeatureNetwork(Protocol):
    """A frozen network: images in, one vector an image out.

    Attributes:
        name: the name in the registry.
        dim: length of a feature vector.
        sha256: hash of the weights file, so that numbers say what they were measured with.
        is_published: whether that is the hash of a published file; if not, do not call numbers by its name.
        precision: "fp32" or "bf16": of the convolutions. Results and caches have to say it.
    """

    @property
    def name(self) -> str: ...

    @property
    def dim(self) -> int: ...

    @property
    def sha256(self) -> str: ...

    @property
    def is_published(self) -> bool: ...

    @property
    def precision(self) -> str: ...

    def __call__(self, images: Images) -> torch.Tensor:
        """Returns float32 [N, dim] on the CPU for uint8 [N, H, W, C] or float [N, C, H, W] in [-1, 1]."""
        ...


class PublishedNetwork:
    """A network of the registry with its published weights.

    Attributes:
        name, dim, sha256, is_published, precision: see `FeatureNetwork`.
        trunk: the module.
        device: where it computes.
    """

    def __init__(
        self, name: str, trunk: Trunk, weights: FoundWeights, device: torch.device, precision: str
    ) -> None:
        self.name = name
        self.dim = trunk.dim
        self.sha256 = weights.sha256
        self.is_published = weights.is_published
        self.trunk = trunk
        self.device = device
        self.precision = precision

    def __call__(self, images: Images) -> torch.Tensor:
        """Returns the features of a batch of any length.

        Args:
            images: uint8 [N, H, W, C] in 0..255 or float [N, C, H, W] in [-1, 1], any H and W, C 1 or 3;
                a grey image is taken as three equal channels.

        Returns:
            float32 [N, dim] on the CPU.
        """
        return self._in_batches(images, lambda features: features, self.dim)

    def class_logits(self, images: Images, *, with_bias: bool = False) -> torch.Tensor:
        """Returns the logits of the classifier, float32 [N, classes]; without bias for the inception score.

        Raises:
            InputError: this network has no classifier here.
        """
        return self.features_and_logits(images, with_bias=with_bias)[1]

    def features_and_logits(
        self, images: Images, *, with_bias: bool = False
    ) -> tuple[torch.Tensor, torch.Tensor]:
        """Returns features and logits of one pass, both as above.

        Raises:
            InputError: this network has no classifier here.
        """
        trunk = self.trunk
        if not isinstance(trunk, InceptionV3):
            raise InputError(
                f"class scores of {self.name}: expected a network with classes, got none. Use inception_v3."
            )

        def both(features: torch.Tensor) -> torch.Tensor:
            return torch.cat([features, trunk.classify(features, with_bias=with_bias)], dim=1)

        joined = self._in_batches(images, both, self.dim + trunk.num_classes)
        return joined[:, : self.dim], joined[:, self.dim :]

    @torch.inference_mode()
    def _in_batches(
        self, images: Images, finish: Callable[[torch.Tensor], torch.Tensor], width: int
    ) -> torch.Tensor:
        rows = []
        for start in range(0, len(images), self.trunk.batch):
            rgb255 = to_float255(images[start : start + self.trunk.batch], self.device).expand(-1, 3, -1, -1)
            # A caller's autocast must not change what is measured.
            with torch.autocast(self.device.type, enabled=False):
                x = self.trunk.prepare(rgb255).contiguous(memory_format=torch.channels_last)
                rows.append(finish(self.trunk(x)).cpu())
        return torch.cat(rows) if rows else torch.empty(0, width)


def feature_network_names() -> tuple[str, ...]:
    """Returns the names that `feature_network` knows."""
    return tuple(_TRUNKS)


@lru_cache(maxsize=4)
def feature_network(
    name: str = "effnet_lite0",
    device: str = "cpu",
    *,
    weights: str | Path | None = None,
    precision: Precision = "fp32",
) -> PublishedNetwork:
    """Returns a feature network with its pretrained weights; loaded once a process.

    Args:
        name: one of `feature_network_names`.
        device: where to compute.
        weights: a file by hand, or a folder to look into first; None: see `weights.find_weights` for the
            places that are searched.
        precision: of the convolutions. "fp32" is what published numbers are measured with; "auto" takes
            bfloat16 where the device has units for it.

    Raises:
        InputError: an unknown name, or weights that are not there or not the expected file.
    """
    build = _TRUNKS.get(name)
    if build is None:
        raise InputError(f"feature network: expected one of {', '.join(_TRUNKS)}, got {name!r}.")
    found = find_weights(name, weights)
    place = torch.device(device)
    trunk = _load(build, found.path)
    in_bf16 = compute_dtype(precision, place) == torch.bfloat16 and trunk.has_bf16
    if precision == "bf16" and not in_bf16:
        raise InputError(f"precision of {name}: expected fp32 or auto, got bf16. Use one of those.")
    if in_bf16:
        trunk.use_bf16()
    trunk.to(place)
    trunk.to(memory_format=torch.channels_last)  # pyright: ignore[reportCallIssue]
    return PublishedNetwork(name, trunk, found, place, "bf16" if in_bf16 else "fp32")


@lru_cache(maxsize=2)
def perceptual_distance(device: str = "cpu", *, weights: str | Path | None = None) -> PerceptualDistance:
    """Returns LPIPS with VGG16, loaded once a process; its channel weights come with this package.

    Args:
        device: where to compute.
        weights: a file of VGG16 by hand, or a folder to look into first; None: see `weights.find_weights`
            for the places that are searched.

    Raises:
        InputError: weights that are not there or not the expected file.
    """
    found = find_weights(PerceptualDistance.name, weights)
    trunk = _load(VGG16Convolutions, found.path)
    distance = PerceptualDistance(trunk, sha256=found.sha256, is_published=found.is_published)
    return distance.to(device)


def read_tensors(path: Path) -> dict[str, torch.Tensor]:
    """Reads a weights file without running anything of it.

    Args:
        path: a TorchScript archive, or a state dict as `torch.save` writes it.

    Raises:
        InputError: it is neither, or damaged.
    """
    if is_torchscript(path):
        return read_torchscript(path)
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")  # Guesses about files that torch then refuses anyway.
            tensors = torch.load(path, map_location="cpu", weights_only=True)
    except Exception as error:  # What is no state dict raises nearly anything.
        reason = str(error).split("\n")[0].split(". ")[0]
        raise InputError(
            f"weights {path}: expected a state dict, got a file that cannot be read safely ({reason}). "
            "Fetch the published file anew."
        ) from error
    if not isinstance(tensors, dict) or not all(
        isinstance(value, torch.Tensor) for value in tensors.values()
    ):
        raise InputError(
            f"weights {path}: expected a state dict, got a {type(tensors).__name__} of other things. "
            "Use the published file."
        )
    return tensors


def _load(build: Callable[[], NetworkT], path: Path) -> NetworkT:
    with torch.device("meta"):
        network = build()
    load_published(network, read_tensors(path), path)
    return network
