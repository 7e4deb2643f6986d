"""The default setting, for small sets: each number with its interval, and with what real images score.

**Against what.** Distances are measured to the held-out images, because a generator that replays its training
images is at distance zero of those, and to the training images, whose number makes them steadier. Precision,
recall, density and coverage need many real images to know where real images lie, so they are measured against
the training images. They cannot tell a copier from a good generator; `memorisation` is for that.

**What real images score.** For distances training images stand in for the fakes, as many as there are fakes.
For the other four the training images are parted in two halves, and one half stands in for the fakes of the
other: these measures depend on the ratio of the counts much more than on the counts.

**Variants.** Crops or recolourings of one picture are each other's nearest neighbours, and would shrink the
neighbourhoods of precision and its like to nothing. So these four see one image of each source, and as many
fakes. Distances see all images; their intervals keep the variants of a picture together.

**Mirror.** If training mirrors, the generator shows either side. The Frechet distance takes each real image
from both sides. Where neighbours or pairs of images are compared, a twin beside each image would disturb, so
each is taken from one side, chosen by a fixed coin toss.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any, Literal

import numpy as np

from stylegraft.evaluation.statistics import choose
from stylegraft.metrics.density_coverage import density_coverage
from stylegraft.metrics.feature_stats import FeatureStats
from stylegraft.metrics.frechet import frechet_interval, stats_distance
from stylegraft.metrics.intervals import MIN_UNITS, Interval
from stylegraft.metrics.kid import kid, kid_interval
from stylegraft.metrics.neighbour_intervals import neighbour_intervals
from stylegraft.metrics.precision_recall import precision_recall
from stylegraft.metrics.settings import FrechetSetting

MIN_FOR_NEIGHBOURS = 24
"""Fewer leave no five neighbours in a half-sample, and halves that say nothing."""

_NUM_HALVES = 50
_AS_FAKES = "{num} training images in place of the generated ones"
_HALVES = "two halves of the training images, one in place of the generated ones"

Better = Literal["lower", "higher"]


@dataclass(frozen=True, eq=False)
class RealSide:
    """Features of some real images from both sides.

    Attributes:
        as_is: float32 [n, dim].
        mirrored: of their mirror images, float32 [n, dim]; None where nothing needs them.
        groups: source of each image, [n].
    """

    as_is: np.ndarray
    mirrored: np.ndarray | None
    groups: np.ndarray

    def __len__(self) -> int:
        return len(self.as_is)

    def part(self, rows: np.ndarray) -> RealSide:
        """Returns some of the images."""
        mirrored = None if self.mirrored is None else self.mirrored[rows]
        return RealSide(self.as_is[rows], mirrored, self.groups[rows])

    def one_per_source(self) -> RealSide:
        """Returns one image of each source, by a fixed draw."""
        order = np.random.RandomState(0).permutation(len(self))
        return self.part(np.sort(order[np.unique(self.groups[order], return_index=True)[1]]))

    def both(self, mirror: bool) -> tuple[np.ndarray, np.ndarray]:
        """Returns features and groups, with those of the mirror images if `mirror`."""
        if not mirror or self.mirrored is None:
            return self.as_is, self.groups
        return np.concatenate([self.as_is, self.mirrored]), np.tile(self.groups, 2)

    def one(self, mirror: bool) -> np.ndarray:
        """Returns features of each image from one side, by a fixed coin toss if `mirror`."""
        if not mirror or self.mirrored is None:
            return self.as_is
        tossed = np.random.RandomState(0).rand(len(self)) < 0.5
        return np.where(tossed[:, None], self.mirrored, self.as_is)


def measure_distances(
    fake: np.ndarray, train: RealSide, holdout: RealSide, *, setting: FrechetSetting, mirror: bool
) -> dict[str, dict[str, Any]]:
    """Returns the rows fd_heldout, kd_heldout (unless nothing is held out), fd_train and kd_train.

    Args:
        fake: features [n, dim].
        train: training images; at least 2.
        holdout: held-out images; none or at least 2.
        setting: of the Frechet distance; the kernel distance is named after it.
        mirror: training mirrors its images.
    """
    stand_ins = train.part(choose(np.arange(len(train)), len(fake))).one(mirror)
    rows = _distances_to("heldout", holdout, fake, stand_ins, setting, mirror) if len(holdout) else {}
    return rows | _distances_to("train", train, fake, None, setting, mirror)


def measure_neighbours(fake: np.ndarray, train: RealSide, *, mirror: bool) -> dict[str, dict[str, Any]]:
    """Returns the rows precision, recall, density and coverage; none with fewer than 24 fakes or sources.

    Args:
        fake: features [n, dim].
        train: training images.
        mirror: training mirrors its images.
    """
    real = train.one_per_source().one(mirror)
    num = min(len(real), len(fake))
    if num < MIN_FOR_NEIGHBOURS:
        return {}
    first, second = np.array_split(np.random.RandomState(0).permutation(len(real)), 2)
    levels = vars(precision_recall(real[first], real[second])) | vars(
        density_coverage(real[first], real[second])
    )
    counts = {"num_real": len(real), "num_fake": num, "against": "train"}
    return {
        name: _row(name, "higher", interval, {"value": levels[name], "how": _HALVES}, **counts)
        for name, interval in neighbour_intervals(real, fake[:num]).items()
    }


def interval_of(row: dict[str, Any]) -> Interval | None:
    """Returns the interval of a row, or None if there were too few images for one."""
    if row["low"] is None:
        return None
    return Interval(**{name: row[name] for name in Interval.__dataclass_fields__})


def _row(
    name: str, better: Better, interval: Interval, real_level: dict[str, Any] | None, **counts: Any
) -> dict[str, Any]:
    return {"name": name, "better": better, **interval_values(interval), "real_level": real_level, **counts}


def interval_values(interval: Interval) -> dict[str, Any]:
    """Returns the numbers of an interval ready for JSON; None stands for what is not known."""
    return {name: value if np.isfinite(value) else None for name, value in interval.to_dict().items()}


def _distances_to(
    side: Literal["heldout", "train"],
    real: RealSide,
    fake: np.ndarray,
    stand_ins: np.ndarray | None,
    setting: FrechetSetting,
    mirror: bool,
) -> dict[str, dict[str, Any]]:
    features, groups = real.both(mirror)
    once = real.one(mirror)
    if min(len(np.unique(groups)), len(fake)) >= MIN_UNITS:
        fd = frechet_interval(features, fake, ddof=setting.ddof, real_groups=groups, num=_NUM_HALVES)
        kd = kid_interval(once, fake, real_groups=real.groups)
    else:
        fd, kd = _bare(_frechet(features, fake, setting)), _bare(kid(once, fake))
    fd_real = kd_real = None
    if stand_ins is not None:
        how = _AS_FAKES.format(num=f"{len(stand_ins):,}")
        fd_real = {"value": _frechet(features, stand_ins, setting), "how": how}
        kd_real = {"value": kid(once, stand_ins), "how": how}
    counts = {"num_real": len(real), "num_fake": len(fake), "against": side}
    kernel = setting.name.replace("FD", "KD", 1)
    words = {"heldout": "held-out images", "train": "training images"}[side]
    return {
        f"fd_{side}": _row(f"{setting.name} to {words}", "lower", fd, fd_real, **counts),
        f"kd_{side}": _row(f"{kernel} to {words}", "lower", kd, kd_real, **counts),
    }


def _bare(value: float) -> Interval:
    """Returns a value of so few images that there is no interval."""
    unknown = float("nan")
    return Interval(value, unknown, unknown, level=0.95, standard_error=unknown, reach=unknown)


def _frechet(real: np.ndarray, fake: np.ndarray, setting: FrechetSetting) -> float:
    stats = FeatureStats.from_features(real), FeatureStats.from_features(fake)
    return stats_distance(*stats, setting.ddof)
