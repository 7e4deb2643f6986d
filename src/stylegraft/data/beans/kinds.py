"""The kinds of beans: one table of ranges, from which every bean draws its own values."""

from __future__ import annotations

from dataclasses import dataclass

Range = tuple[float, float]
Colour = tuple[int, int, int]  # sRGB, 0..255


@dataclass(frozen=True)
class Pattern:
    """Blotches on the skin: where smooth noise exceeds a threshold, the skin takes another colour.

    Attributes:
        coverage: share of the skin that is covered, 0..1.
        waves: waves of the noise along the bean, end to end, so that patterns grow with the bean.
        stretch: how many times longer blotches are along the bean than across it.
        softness: width of the transition in standard deviations of the noise; small is crisp.
        colours: the two ends of the range of colours.
    """

    coverage: Range
    waves: Range
    stretch: Range
    softness: Range
    colours: tuple[Colour, Colour]


@dataclass(frozen=True)
class Kind:
    """Ranges of one kind of bean. Lengths are in half picture widths.

    Attributes:
        name: the class name.
        length: half of the bean's long axis.
        aspect: width / length.
        bend: how far the ends curve towards the hilum, as a share of the half width.
        taper: how much wider one end is than the other, as a share of the half width.
        boxiness: 0 is an ellipse, 1 a rectangle, below 0 towards a lozenge.
        fullness: height of the solid / its half width.
        skin: the two ends of the range of skin colours.
        gloss: strength of the reflections, 0..1.
        hilum: the two ends of the range of colours of the scar.
        pattern: blotches, None for a plain skin.
        eye: radius of the dark patch around the hilum / half width, None for no patch.
        eye_colours: the two ends of the range of colours of the patch.
    """

    name: str
    length: Range
    aspect: Range
    bend: Range
    taper: Range
    boxiness: Range
    fullness: Range
    skin: tuple[Colour, Colour]
    gloss: Range
    hilum: tuple[Colour, Colour]
    pattern: Pattern | None = None
    eye: Range | None = None
    eye_colours: tuple[Colour, Colour] = ((18, 14, 18), (40, 30, 32))


KINDS: tuple[Kind, ...] = (
    Kind(
        name="black",
        length=(0.56, 0.68),
        aspect=(0.58, 0.68),
        bend=(0.10, 0.28),
        taper=(-0.08, 0.08),
        boxiness=(0.05, 0.35),
        fullness=(0.80, 1.0),
        skin=((20, 17, 22), (44, 36, 40)),
        gloss=(0.7, 1.0),
        hilum=((205, 196, 180), (238, 232, 220)),
    ),
    Kind(
        name="black_eyed",
        length=(0.56, 0.70),
        aspect=(0.64, 0.76),
        bend=(0.15, 0.35),
        taper=(-0.12, 0.12),
        boxiness=(0.10, 0.45),
        fullness=(0.75, 0.95),
        skin=((226, 206, 168), (243, 231, 205)),
        gloss=(0.15, 0.4),
        hilum=((222, 208, 180), (244, 236, 218)),
        eye=(0.46, 0.72),
    ),
    Kind(
        name="cranberry",
        length=(0.64, 0.77),
        aspect=(0.58, 0.70),
        bend=(0.05, 0.22),
        taper=(-0.10, 0.10),
        boxiness=(0.0, 0.30),
        fullness=(0.80, 1.0),
        skin=((226, 192, 160), (238, 218, 190)),
        gloss=(0.3, 0.6),
        hilum=((226, 208, 184), (246, 236, 220)),
        pattern=Pattern(
            coverage=(0.22, 0.48),
            waves=(1.6, 2.6),
            stretch=(2.2, 3.6),
            softness=(0.15, 0.4),
            colours=((112, 18, 34), (160, 46, 50)),
        ),
    ),
    Kind(
        name="kidney",
        length=(0.66, 0.80),
        aspect=(0.48, 0.58),
        bend=(0.30, 0.62),
        taper=(-0.12, 0.12),
        boxiness=(0.10, 0.45),
        fullness=(0.75, 0.95),
        skin=((84, 16, 22), (136, 34, 34)),
        gloss=(0.5, 0.9),
        hilum=((216, 190, 170), (240, 224, 206)),
    ),
    Kind(
        name="navy",
        length=(0.48, 0.59),
        aspect=(0.74, 0.88),
        bend=(0.0, 0.12),
        taper=(-0.10, 0.10),
        boxiness=(0.0, 0.25),
        fullness=(0.85, 1.05),
        skin=((236, 226, 204), (250, 246, 234)),
        gloss=(0.3, 0.6),
        hilum=((206, 182, 146), (228, 212, 184)),
    ),
    Kind(
        name="pinto",
        length=(0.62, 0.76),
        aspect=(0.60, 0.70),
        bend=(0.05, 0.22),
        taper=(-0.10, 0.10),
        boxiness=(0.05, 0.35),
        fullness=(0.65, 0.85),
        skin=((206, 170, 130), (226, 198, 164)),
        gloss=(0.2, 0.5),
        hilum=((228, 212, 188), (246, 238, 222)),
        pattern=Pattern(
            coverage=(0.18, 0.48),
            waves=(2.2, 4.4),
            stretch=(0.9, 1.5),
            softness=(0.25, 0.6),
            colours=((88, 56, 38), (138, 92, 62)),
        ),
    ),
)
