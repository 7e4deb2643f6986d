"""The solid of a bean: an implicit outline with a bend and a hilum, inflated to a height field."""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from stylegraft.data.beans.draws import Draws
from stylegraft.data.beans.kinds import Kind

Plane = NDArray[np.floating[Any]]  # [S, S] float32, one value per point of the supersampled picture

# The outline F = 1 is found on F clipped here; beyond it only "outside" matters.
_MAX_F = np.float32(4.0)


@dataclass(frozen=True)
class Body:
    """The drawn shape of one bean; lengths are in half picture widths.

    The bean's own frame has u along its length and v across, the hilum at negative v.
    """

    centre: tuple[float, float]
    angle: float
    half_length: float
    half_width: float
    bend: float
    taper: float
    boxiness: float
    height: float
    hilum_u: float
    hilum_v: float
    dent: float

    @classmethod
    def draw(cls, kind: Kind, draws: Draws) -> Body:
        """Draws a body of this kind, placed so that it stays inside the picture."""
        half_length = draws.between(*kind.length)
        half_width = half_length * draws.between(*kind.aspect)
        bend = draws.between(*kind.bend)
        # The bean lies rolled about its long axis: at roll 0 the hilum is on the outline, beyond it faces us.
        roll = draws.between(0.35, 0.95)
        reach = 0.5 * (0.96 - half_length)
        return cls(
            centre=(draws.between(-reach, reach), draws.between(-reach, reach)),
            angle=draws.between(0.0, 2.0 * math.pi),
            half_length=half_length,
            half_width=half_width,
            bend=bend,
            taper=draws.between(*kind.taper),
            boxiness=draws.between(*kind.boxiness),
            height=half_width * draws.between(*kind.fullness),
            hilum_u=half_length * draws.between(-0.08, 0.08),
            hilum_v=half_width * (0.45 * bend - math.cos(roll)),
            dent=draws.between(0.05, 0.12) + 0.15 * bend,
        )


@dataclass(frozen=True)
class Solid:
    """A body evaluated on the points of a picture.

    Attributes:
        u: coordinate along the bean.
        v: coordinate across the bean.
        coverage: 1 inside, 0 outside, with a ramp one point wide at the outline.
        normal: unit normals (x right, y down, z to the viewer), valid where coverage > 0.
    """

    u: Plane
    v: Plane
    coverage: Plane
    normal: tuple[Plane, Plane, Plane]


def point_positions(num: int) -> NDArray[np.float32]:
    """Centres of `num` points that divide the picture's side, in half picture widths: float32 [num]."""
    return ((np.arange(num, dtype=np.float32) + 0.5) * (2.0 / num) - 1.0).astype(np.float32)


def evaluate(body: Body, axis: NDArray[np.float32], ripple: Plane) -> Solid:
    """Evaluates the outline and the normals of `body`.

    Args:
        body: the bean.
        axis: point positions along one side, float32 [S].
        ripple: small unevenness of the skin, added to the height, float32 [S, S].
    """
    step = float(axis[1] - axis[0])
    x, y = axis[None, :] - body.centre[0], axis[:, None] - body.centre[1]
    cos, sin = np.float32(np.cos(body.angle)), np.float32(np.sin(body.angle))
    u, v = cos * x + sin * y, cos * y - sin * x

    along = u / np.float32(body.half_length)
    # The spine is a parabola whose ends point to the hilum; its middle third stays centred.
    spine = body.half_width * body.bend * (0.45 - along * along)
    across = (v - spine) / (body.half_width * (1.0 + body.taper * np.clip(along, -1.5, 1.5)))
    along, across = along * along, across * across
    # X + Y = 1 is an ellipse; the product blends it towards X = 1, Y = 1. The maximum removes the mirror
    # branch that the product makes beyond the corners.
    f = np.maximum(along + across - body.boxiness * along * across, np.maximum(along, across))
    f += body.dent * spot(body, u, v, 0.42 * body.half_length, 0.55 * body.half_width)
    np.minimum(f, _MAX_F, out=f)

    slope_y, slope_x = np.gradient(f, step)
    steepness = np.sqrt(slope_x * slope_x + slope_y * slope_y) + 1e-6
    coverage = np.clip(0.5 + (1.0 - f) / (steepness * step), 0.0, 1.0)

    # height^2 = (1 - F)(1 + F / 2): a dome a little flatter than an ellipsoid. Its normal, scaled by the
    # height to stay finite at the outline, is (-d(height^2)/2, height).
    inside = np.minimum(f, 1.0)
    height = np.sqrt((1.0 - inside) * (1.0 + 0.5 * inside))
    slope = body.height * (0.25 + 0.5 * inside)
    ripple_y, ripple_x = np.gradient(ripple, step)
    nx = slope * slope_x - ripple_x * height
    ny = slope * slope_y - ripple_y * height
    scale = 1.0 / np.sqrt(nx * nx + ny * ny + height * height + 1e-9)
    return Solid(u, v, coverage, (nx * scale, ny * scale, height * scale))


def spot(body: Body, u: Plane, v: Plane, radius_u: float, radius_v: float) -> Plane:
    """A Gaussian bump of height 1 at the hilum with the given radii, float32 [S, S]."""
    du = (u - np.float32(body.hilum_u)) / np.float32(radius_u)
    dv = (v - np.float32(body.hilum_v)) / np.float32(radius_v)
    return np.exp(-(du * du + dv * dv))
