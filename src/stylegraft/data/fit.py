"""One size for all images: which one, and how an image of another shape is brought to it."""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping
from pathlib import Path

from PIL import Image

from stylegraft.data.config import DataConfig, Fit
from stylegraft.errors import DataError


def choose_size(path: Path, sizes: Mapping[str, tuple[int, int]], config: DataConfig) -> tuple[int, int]:
    """Returns the (height, width) in px of the whole set.

    Args:
        path: where the set lies, for messages.
        sizes: (height, width) of each image by name.
        config: `size` and `fit` are used.

    Raises:
        DataError: the images differ in size, or in shape from the size asked for, and no fit is named.
    """
    target = config.target_size
    if target is None:
        counts = Counter(sizes.values())
        if len(counts) == 1:
            return next(iter(counts))
        needed = "--size" if config.fit else "--size and --fit crop, pad or stretch"
        raise DataError(
            f"images in {path} have {len(counts)} different sizes (height x width): {_describe(sizes)}; "
            f"expected one size. Name one with {needed}, for example "
            f"--size {_suggested_side(sizes)} --fit {config.fit or 'crop'}."
        )
    if config.fit is None:
        other = {name: size for name, size in sizes.items() if size[0] * target[1] != size[1] * target[0]}
        if other:
            raise DataError(
                f"{len(other)} of {len(sizes)} images in {path} have another shape than "
                f"--size {target[0]}x{target[1]} (height x width): {_describe(other)}. "
                "Say how to fit them with --fit crop, pad or stretch."
            )
    return target


def fit_image(
    image: Image.Image, size: tuple[int, int], fit: Fit | None, background: tuple[int, int, int]
) -> Image.Image:
    """Brings an image to a size; an image that has it already is returned untouched.

    Args:
        image: mode "L" or "RGB".
        size: (height, width), px.
        fit: "crop" cuts the middle to the new shape, "pad" puts the whole image on the background, "stretch"
            (and None, for images of the right shape) resizes height and width each by its own factor.
        background: red, green, blue, 0 to 255.

    Returns:
        The image, resampled with an antialiased Lanczos filter where it shrinks, else with a bicubic one.
    """
    height, width = size
    if fit == "crop":
        return _resize(image, height, width, _middle(image, height, width))
    if fit == "pad" and (image.height, image.width) != size:
        scale = min(height / image.height, width / image.width)
        inner_height = min(height, max(1, round(image.height * scale)))
        inner_width = min(width, max(1, round(image.width * scale)))
        canvas = Image.new("RGB", (width, height), background).convert(image.mode)
        corner = (width - inner_width) // 2, (height - inner_height) // 2
        canvas.paste(_resize(image, inner_height, inner_width), corner)
        return canvas
    return _resize(image, height, width)


def _middle(image: Image.Image, height: int, width: int) -> tuple[int, int, int, int]:
    """The largest centred box of shape height:width, in whole pixels so that a mere cut blurs nothing."""
    box_width = min(image.width, max(1, round(image.height * width / height)))
    box_height = min(image.height, max(1, round(image.width * height / width)))
    left, top = (image.width - box_width) // 2, (image.height - box_height) // 2
    return left, top, left + box_width, top + box_height


def _resize(
    image: Image.Image, height: int, width: int, box: tuple[int, int, int, int] | None = None
) -> Image.Image:
    """Resizes the image, or the part of it within the box (left, top, right, bottom)."""
    left, top, right, bottom = box or (0, 0, image.width, image.height)
    if (right - left, bottom - top) == (width, height):
        return image.crop((left, top, right, bottom)) if box else image
    shrinks = height < bottom - top or width < right - left
    kernel = Image.Resampling.LANCZOS if shrinks else Image.Resampling.BICUBIC
    return image.resize((width, height), kernel, (left, top, right, bottom))


def _describe(sizes: Mapping[str, tuple[int, int]]) -> str:
    """Returns the three most common sizes, how often each occurs and an example of each."""
    shown = []
    counts = Counter(sizes.values())
    for size, count in sorted(counts.items(), key=lambda item: (-item[1], item[0]))[:3]:
        example = next(name for name, other in sizes.items() if other == size)
        shown.append(f"{size[0]}x{size[1]} ({count}, such as {example})")
    return ", ".join(shown) + (", ..." if len(counts) > 3 else "")


def _suggested_side(sizes: Mapping[str, tuple[int, int]]) -> int:
    """The largest power of two, at most 64 (what a CPU trains well), that few images are smaller than."""
    shorter = sorted(min(size) for size in sizes.values())
    typical = shorter[len(shorter) // 10]
    return max(8, min(64, 1 << (typical.bit_length() - 1)))
