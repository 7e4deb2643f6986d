"""Paints one bean: skin, light, shadow and camera. All arithmetic is in linear light until the last step."""

from __future__ import annotations

from typing import Any, NamedTuple

import numpy as np
from numpy.typing import NDArray
from scipy.special import ndtri

from stylegraft.data.beans.draws import Draws
from stylegraft.data.beans.kinds import Kind
from stylegraft.data.beans.linear import product
from stylegraft.data.beans.shape import Body, Plane, Solid, evaluate, point_positions, spot

Picture = NDArray[np.floating[Any]]  # [S, S, 3] float32, linear RGB


class Light(NamedTuple):
    """A large lamp beside the camera: its unit direction (x right, y down, z to the viewer)."""

    x: float
    y: float
    z: float

    @classmethod
    def draw(cls, draws: Draws) -> Light:
        """Draws a lamp from the upper half, mostly upper left."""
        azimuth = np.deg2rad(draws.between(185.0, 305.0))
        elevation = np.deg2rad(draws.between(42.0, 64.0))
        return cls(
            float(np.cos(azimuth) * np.cos(elevation)),
            float(np.sin(azimuth) * np.cos(elevation)),
            float(np.sin(elevation)),
        )


def paint_bean(kind: Kind, draws: Draws, size: int, supersample: int) -> NDArray[np.uint8]:
    """Paints a bean of the given kind.

    Args:
        kind: ranges to draw from.
        draws: the bean's own random source.
        size: side in pixels.
        supersample: points per pixel side; more gives smoother edges and costs its square.

    Returns:
        uint8 [size, size, 3], sRGB.
    """
    axis = point_positions(size * supersample)
    body = Body.draw(kind, draws)
    light = Light.draw(draws)
    ground = _ground_colour(draws)
    ripple = draws.noise(axis, body.angle, frequency=7.0) * np.float32(draws.between(0.004, 0.012))
    solid = evaluate(body, axis, ripple)
    skin = _paint_skin(kind, body, solid, axis, draws)
    lit = _shade(skin, solid, light, ground, gloss=draws.between(*kind.gloss))

    coverage = _downsample(solid.coverage, supersample)
    bean = _downsample(lit * solid.coverage[..., None], supersample)
    backdrop = _paint_ground(ground, coverage, body, light, draws)
    picture = bean + backdrop * (1.0 - coverage[..., None])
    return _develop(picture, draws)


def _paint_skin(kind: Kind, body: Body, solid: Solid, axis: NDArray[np.float32], draws: Draws) -> Picture:
    """The colour of the skin, its pattern and the hilum, before any light falls on it."""
    skin = np.empty((*solid.u.shape, 3), np.float32)
    skin[:] = draws.colour(kind.skin)
    cloud = draws.noise(axis, body.angle, frequency=4.0) * np.float32(0.035)
    grain = draws.noise(axis, body.angle, frequency=45.0) * np.float32(0.02)
    skin *= (1.0 + cloud + grain)[..., None]

    if kind.pattern is not None:
        pattern = kind.pattern
        frequency = np.pi * draws.between(*pattern.waves) / body.half_length
        stretch = draws.between(*pattern.stretch)
        # Large blotches with a finer second octave that frays their edges.
        field = 0.88 * draws.noise(axis, body.angle, frequency, stretch)
        field += 0.47 * draws.noise(axis, body.angle, 2.7 * frequency, stretch)
        threshold = -float(ndtri(draws.between(*pattern.coverage)))
        amount = _smoothstep((field - threshold) / draws.between(*pattern.softness) + 0.5)
        _mix(skin, draws.colour(pattern.colours), amount * draws.between(0.85, 1.0))

    if kind.eye is not None:
        radius = body.half_width * draws.between(*kind.eye)
        edge = draws.noise(axis, body.angle, frequency=12.0) * np.float32(0.05)
        patch = spot(body, solid.u, solid.v, 1.25 * radius, radius)
        _mix(skin, draws.colour(kind.eye_colours), _smoothstep((patch + edge - 0.32) / 0.12))

    # The scar is a pale ellipse in a slightly darker rim.
    length = body.half_length * draws.between(0.13, 0.19)
    scar = spot(body, solid.u, solid.v, length, length * draws.between(0.34, 0.5))
    rim = np.exp(-(((scar - 0.3) / 0.16) ** 2))
    skin *= (1.0 - 0.45 * rim)[..., None]
    _mix(skin, draws.colour(kind.hilum), _smoothstep((scar - 0.36) / 0.2) * np.float32(0.92))
    return skin


def _shade(skin: Picture, solid: Solid, light: Light, ground: NDArray[np.float32], gloss: float) -> Picture:
    """Light that leaves the skin towards the camera: lamp, sky, bounce from the ground, reflections."""
    nx, ny, nz = solid.normal
    facing = nx * np.float32(light.x) + ny * np.float32(light.y) + nz * np.float32(light.z)
    # A lamp of some extent still reaches a little beyond the terminator ("wrap").
    lamp = np.clip((facing + 0.18) / 1.18, 0.0, 1.0)
    sky = 0.20 + 0.16 * nz
    bounce = (1.0 - nz) * np.float32(0.16)
    lit = skin * ((0.92 * lamp + sky)[..., None] + bounce[..., None] * ground)

    # Blinn-Phong: the half vector between lamp and viewer, once for the sheen and once for the lamp's image.
    half_z = np.sqrt(0.5 * (1.0 + light.z))
    half = (nx * light.x + ny * light.y + nz * (light.z + 1.0)) / np.float32(2.0 * half_z)
    half = np.maximum(half, 0.0)
    sheen = half ** np.float32(14.0)
    image = _smoothstep((half - np.float32(0.978 - 0.01 * gloss)) / np.float32(0.016))
    fresnel = (1.0 - nz) ** 4
    lit += (gloss * (0.10 * sheen + 0.42 * image + 0.10 * fresnel))[..., None]
    return lit


def _ground_colour(draws: Draws) -> NDArray[np.float32]:
    """A neutral ground between warm and cool grey: linear RGB [3]."""
    warmth = draws.between(-1.0, 1.0)
    level = draws.between(0.50, 0.66)
    return np.asarray([level * (1 + 0.035 * warmth), level, level * (1 - 0.05 * warmth)], np.float32)


def _paint_ground(
    ground: NDArray[np.float32], coverage: Plane, body: Body, light: Light, draws: Draws
) -> Picture:
    """The ground with a fall-off of light and the bean's shadow: tight where it touches, wide beyond."""
    axis = point_positions(len(coverage))
    gradient = 1.0 + 0.07 * (light.x * axis[None, :] + light.y * axis[:, None])
    reach = body.height / light.z
    depth = draws.between(0.8, 1.0)
    contact = _blur(coverage, axis, 0.035, -0.15 * reach * light.x, -0.15 * reach * light.y)
    near = _blur(coverage, axis, 0.09, -0.55 * reach * light.x, -0.55 * reach * light.y)
    wide = _blur(coverage, axis, 0.24, -1.0 * reach * light.x, -1.0 * reach * light.y)
    shadow = (1 - 0.50 * depth * contact) * (1 - 0.45 * depth * near) * (1 - 0.32 * depth * wide)
    return (gradient * shadow)[..., None] * ground


def _blur(plane: Plane, axis: NDArray[np.float32], sigma: float, shift_x: float, shift_y: float) -> Plane:
    """Gaussian blur and shift at once, as two small matrix products; outside the picture there is nothing."""
    step = float(axis[1] - axis[0])
    sigma = max(sigma, 0.6 * step)  # A narrower kernel would fall between the pixels.
    difference = axis[:, None] - axis[None, :]
    scale = step / (sigma * np.sqrt(2.0 * np.pi))
    rows = np.exp(-0.5 * ((difference - shift_y) / sigma) ** 2) * scale
    columns = np.exp(-0.5 * ((difference - shift_x) / sigma) ** 2) * scale
    return product(product(rows, plane), columns.T)


def _develop(picture: Picture, draws: Draws) -> NDArray[np.uint8]:
    """The camera: exposure, white balance, a soft shoulder for highlights, sRGB."""
    exposure = 2.0 ** draws.between(-0.16, 0.16)
    warmth = draws.between(-0.05, 0.05)
    linear = picture * np.asarray([exposure * (1 + warmth), exposure, exposure * (1 - warmth)], np.float32)
    over = np.maximum(linear - 0.75, 0.0)
    linear = np.minimum(linear, 0.75) + 0.25 * (1.0 - np.exp(-over / 0.25))
    linear = np.clip(linear, 0.0, 1.0)
    srgb = np.where(linear <= 0.0031308, 12.92 * linear, 1.055 * linear ** (1 / 2.4) - 0.055)
    return np.rint(srgb * 255.0).astype(np.uint8)


def _smoothstep(t: Plane) -> Plane:
    """3 t^2 - 2 t^3 on [0, 1], constant beyond."""
    t = np.clip(t, 0.0, 1.0)
    return t * t * (3.0 - 2.0 * t)


def _mix(picture: Picture, colour: NDArray[np.float32], amount: Plane) -> None:
    picture += amount[..., None] * (colour - picture)


def _downsample(plane: NDArray[np.floating[Any]], factor: int) -> NDArray[np.floating[Any]]:
    size = len(plane) // factor
    return plane.reshape(size, factor, size, factor, *plane.shape[2:]).mean(axis=(1, 3))
