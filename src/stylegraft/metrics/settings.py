"""Named settings of metrics: a name fixes everything that would change the number.

`fid50k_full` and its like mean exactly what they mean in NVIDIA's StyleGAN2-ADA and StyleGAN3 code, so that
their numbers can be put beside published ones. All of them sample with psi 1 and random noise, give fakes the
labels of randomly chosen training images, round them to 8 bits, and never mirror the real images.
Ours (FD_EFFLITE0) have names of their own.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any, Literal

from stylegraft.errors import InputError
from stylegraft.metrics.pairwise import NumberType


@dataclass(frozen=True)
class FrechetSetting:
    """What a Frechet distance is measured with.

    Args:
        name: how the number is called wherever it is shown or stored.
        feature_network: a name of `stylegraft.features.feature_network`.
        ddof: covariances are divided by N - ddof.
    """

    name: str
    feature_network: str
    ddof: int


# None is called "FID": that is a setting too, of 50,000 fakes and all real images (`fid50k_full`).
DISTANCE_NAMES: dict[str, str] = {
    "effnet_lite0": "FD-EffLite0",
    "effnet_lite1": "FD-EffLite1",
    "effnet_lite2": "FD-EffLite2",
    "mobilenet_v2": "FD-MobileNetV2",
    "inception_v3": "FD-Inception",
    "inception_v3_pytorch_fid": "FD-InceptionPT",
    "vgg16": "FD-VGG16",
    "dinov2_vits14": "FD-DINOv2-S",
    "dinov2_vitl14": "FD-DINOv2-L",
}


def small_set_distance(feature_network: str) -> FrechetSetting:
    """Returns the distance of the default setting with features of this network, known here or not."""
    name = DISTANCE_NAMES.get(feature_network, f"FD-{feature_network}")
    return FrechetSetting(name=name, feature_network=feature_network, ddof=1)


FD_EFFLITE0 = small_set_distance("effnet_lite0")


@dataclass(frozen=True, kw_only=True)
class SampledSetting:
    """What published metrics of samples have in common.

    Attributes:
        name: in tables and files.
        feature_network: a name of `stylegraft.features.feature_network`.
        num_fakes: generated images.
        max_real: real images, the first ones by file name where there are more; None: all; 0: none needed.
        mirror: real images are joined by their mirror images.
        psi: truncation; 1 is none.
        noise_mode: of the synthesis network.
        labels: where labels of fakes come from, for conditional networks.
    """

    name: str
    feature_network: str = "inception_v3"
    num_fakes: int = 50_000
    max_real: int | None = None
    mirror: bool = False
    psi: float = 1.0
    noise_mode: Literal["random"] = "random"
    labels: Literal["as_real"] = "as_real"


@dataclass(frozen=True, kw_only=True)
class FidSetting(SampledSetting):
    """Frechet inception distance; covariances are divided by N - ddof, which is N in NVIDIA's code."""

    ddof: int = 0


@dataclass(frozen=True, kw_only=True)
class KidSetting(SampledSetting):
    """Kernel inception distance: the mean over subsets; see `kid.subset_kid`."""

    num_subsets: int = 100
    max_subset: int = 1000


@dataclass(frozen=True, kw_only=True)
class PrecisionRecallSetting(SampledSetting):
    """Precision and recall of VGG16 features; see `precision_recall.precision_recall`."""

    feature_network: str = "vgg16"
    k: int = 3
    number_type: NumberType = "half"


@dataclass(frozen=True, kw_only=True)
class InceptionScoreSetting(SampledSetting):
    """Inception score: softmax of logits without their bias; see `inception_score.inception_score`."""

    max_real: int | None = 0
    num_splits: int = 10
    logits_with_bias: bool = False


@dataclass(frozen=True, kw_only=True)
class PathLengthSetting:
    """Perceptual path length; see `path_length.path_length`.

    Attributes:
        name: in tables and files.
        space: interpolate in z (on the sphere) or in w (on a line).
        sampling: anywhere on the path ("full") or at its start ("end").
        crop: measure the middle of the picture only, where the face is in an aligned portrait.
        epsilon: length of the step.
        num_samples: paths.
        perceptual_network: whose distance; `stylegraft.features.perceptual_distance`.
        labels: where labels of paths come from, for conditional networks.
        noise: stored noise, drawn anew for each batch and the same at both ends of a step.
    """

    name: str
    space: Literal["z", "w"]
    sampling: Literal["full", "end"]
    crop: bool
    epsilon: float = 1e-4
    num_samples: int = 50_000
    perceptual_network: str = "lpips_vgg16"
    labels: Literal["as_real"] = "as_real"
    noise: Literal["redrawn_each_batch"] = "redrawn_each_batch"


@dataclass(frozen=True, kw_only=True)
class SeparabilitySetting:
    """Linear separability; see `separability.linear_separability`.

    The published numbers use 40 classifiers of face attributes (CelebA). With classifiers of your own the
    number is comparable to others measured with the same ones only.

    Attributes:
        name: in tables and files.
        num_fakes: generated images, psi 1.
        keep: share of them that an attribute's hyperplane sees, the most confident ones.
        spaces: in which latents are separated, one number each.
    """

    name: str
    num_fakes: int = 200_000
    keep: float = 0.5
    psi: float = 1.0
    spaces: tuple[Literal["z", "w"], ...] = ("z", "w")


Setting = (
    FidSetting
    | KidSetting
    | PrecisionRecallSetting
    | InceptionScoreSetting
    | PathLengthSetting
    | SeparabilitySetting
)

_ROWS: tuple[Setting, ...] = (
    FidSetting(name="fid50k_full"),
    KidSetting(name="kid50k_full", max_real=1_000_000),
    PrecisionRecallSetting(name="pr50k3_full", max_real=200_000),
    InceptionScoreSetting(name="is50k"),
    PathLengthSetting(name="ppl2_wend", space="w", sampling="end", crop=False),
    SeparabilitySetting(name="ls"),
    # Names of earlier papers. They bound the real side, and cut path lengths to the face.
    FidSetting(name="fid50k", max_real=50_000),
    KidSetting(name="kid50k", max_real=50_000),
    PrecisionRecallSetting(name="pr50k3", max_real=50_000),
    PathLengthSetting(name="ppl_zfull", space="z", sampling="full", crop=True),
    PathLengthSetting(name="ppl_wfull", space="w", sampling="full", crop=True),
    PathLengthSetting(name="ppl_zend", space="z", sampling="end", crop=True),
    PathLengthSetting(name="ppl_wend", space="w", sampling="end", crop=True),
)

SETTINGS: dict[str, Setting] = {row.name: row for row in _ROWS}
"""Published metrics by name."""


def named_setting(name: str) -> Setting:
    """Returns a published setting.

    Raises:
        InputError: a name that is not known.
    """
    if name not in SETTINGS:
        raise InputError(f"metric: expected one of {', '.join(SETTINGS)}, got {name!r}.")
    return SETTINGS[name]


def describe(setting: Setting) -> dict[str, Any]:
    """Returns a setting as JSON-ready values, for results to carry."""
    return {key: list(value) if isinstance(value, tuple) else value for key, value in vars(setting).items()}
