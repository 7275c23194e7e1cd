"""Seeded scenes in which one shape decides the class: images, labels and ground-truth masks.

A scene is a coloured background, a handful of distractors and one shape of a class on top of them, under
a texture and pixel noise that cover everything alike. Colour, place, angle and area do not depend on the
class, so nothing but the outline of the one shape tells the classes apart. Needs NumPy and Pillow only.
"""

from __future__ import annotations

from collections.abc import Iterable

import numpy as np
from PIL import Image, ImageDraw

SIZE = 64
SUPERSAMPLING = 4
MEAN_RADII = (8.0, 13.0)  # of the disc that has the shape's area, in pixels
CONTRAST = 0.45  # least distance in RGB between the shape and whatever it is drawn on

Seed = int | tuple[int, ...] | np.random.Generator


def _arc(start: float, stop: float, radius: float = 1.0, centre: float = 0.0) -> np.ndarray:
    turn = np.linspace(start, stop, 48) * 2 * np.pi
    return np.stack([centre + radius * np.cos(turn), radius * np.sin(turn)], axis=1)


def _regular(*radii: float) -> np.ndarray:
    turn = np.arange(len(radii)) / len(radii) * 2 * np.pi
    return np.stack([np.cos(turn), np.sin(turn)], axis=1) * np.array(radii)[:, None]


def _heart() -> np.ndarray:
    t = np.linspace(0, 2 * np.pi, 64, endpoint=False)
    x = 16 * np.sin(t) ** 3
    y = 13 * np.cos(t) - 5 * np.cos(2 * t) - 2 * np.cos(3 * t) - np.cos(4 * t)
    return np.stack([x, -y], axis=1)


def _unit_area(points: Iterable) -> np.ndarray:
    """Centre an outline on its bounding circle's box and give it the area of the unit disc."""
    points = np.asarray(points, dtype=float)
    points = points - (points.min(0) + points.max(0)) / 2
    x, y = points.T
    area = abs(np.dot(x, np.roll(y, 1)) - np.dot(y, np.roll(x, 1))) / 2
    return points * np.sqrt(np.pi / area)


_CROSS = [(1, 3), (1, 1), (3, 1)]  # a quarter of it

# One closed polygon each. The ring is one too: its inner circle runs backward, joined to the outer by a seam.
SHAPES = {
    "circle": _arc(0, 1),
    "square": _regular(1, 1, 1, 1),
    "triangle": _regular(1, 1, 1),
    "star": _regular(*[1, 0.45] * 5),
    "cross": [(x * i, y * j) for i, j in [(1, 1), (1, -1), (-1, -1), (-1, 1)] for x, y in _CROSS[:: i * j]],
    "ring": np.concatenate([_arc(0, 1), _arc(1, 0, radius=0.6)]),
    "crescent": np.concatenate([_arc(0.14, 0.86), _arc(0.785, 0.215, radius=0.79, centre=0.5)]),
    "heart": _heart(),
}
SHAPES = {name: _unit_area(points) for name, points in SHAPES.items()}
CLASSES = tuple(SHAPES)

DISTRACTORS = {
    "bar": [(-4, -1), (4, -1), (4, 1), (-4, 1)],
    "corner": [(0, 0), (5, 0), (5, 1.6), (1.6, 1.6), (1.6, 4), (0, 4)],
    "bolt": [(0, 0), (4, 0), (4, 3), (8, 3), (8, 4.5), (2.5, 4.5), (2.5, 1.5), (0, 1.5)],
    "arc": np.concatenate([_arc(0, 0.4), _arc(0.4, 0, radius=0.72)]),
    "wedge": [(0, 0), (7, 0), (4.5, 2), (2.5, 2)],
}
DISTRACTORS = {name: _unit_area(points) for name, points in DISTRACTORS.items()}

# One margin for all classes: with its own margin each, a class could be told by where it cannot be.
_REACH = max(np.hypot(*points.T).max() for points in SHAPES.values())


def _blob(rng: np.random.Generator) -> np.ndarray:
    turn = np.linspace(0, 2 * np.pi, 40, endpoint=False)
    waves = np.arange(2, 6)[:, None]
    radius = 1 + (rng.normal(0, 0.2, (4, 1)) * np.cos(waves * turn + rng.uniform(0, 2 * np.pi, (4, 1)))).sum(
        0
    )
    return _unit_area(np.stack([np.cos(turn), np.sin(turn)], axis=1) * radius.clip(0.3)[:, None])


def _pose(points: np.ndarray, angle: float, radius: float, centre: np.ndarray) -> list[tuple[float, float]]:
    cos, sin = np.cos(angle), np.sin(angle)
    placed = points @ np.array([[cos, sin], [-sin, cos]]) * radius + centre
    return [tuple(point) for point in (placed * SUPERSAMPLING).tolist()]


def _colour(rng: np.random.Generator, others: list[np.ndarray]) -> np.ndarray:
    while True:
        colour = rng.uniform(0, 1, 3)
        if all(np.linalg.norm(colour - other) > CONTRAST for other in others):
            return colour


def _byte(colour: np.ndarray) -> tuple[int, ...]:
    return tuple((colour * 255).astype(int).tolist())


def render(
    seed: Seed, label: int | None = None, *, erase: bool = False
) -> tuple[np.ndarray, int, np.ndarray]:
    """Render one scene.

    Parameters
    ----------
    seed : int, tuple of int, or numpy.random.Generator
        What decides the scene. ``(dataset, index)`` makes a convenient seed.
    label : int, optional
        Index into `CLASSES`. Drawn from the seed when not given. The rest of the scene does not depend on it:
        one seed with two labels is one scene with its shape exchanged.
    erase : bool, optional
        Leave the shape out and keep all else, pixel for pixel: what remains when the evidence is gone.

    Returns
    -------
    image : uint8 array (64, 64, 3)
    label : int
    mask : bool array (64, 64)
        The pixels that the shape covers by half or more (also when it was erased).
    """
    rng = np.random.default_rng(seed)
    drawn = int(rng.integers(len(CLASSES)))
    label = drawn if label is None else label

    side = SIZE * SUPERSAMPLING
    ground = rng.uniform(0.3, 0.7, 3)
    canvas = Image.new("RGB", (side, side), _byte(ground))
    pen = ImageDraw.Draw(canvas)
    colours = [ground]
    for _ in range(rng.integers(4, 8)):
        kind = rng.integers(len(DISTRACTORS) + 2)
        points = list(DISTRACTORS.values())[kind] if kind < len(DISTRACTORS) else _blob(rng)
        colours.append(_colour(rng, [ground]))
        outline = _pose(points, rng.uniform(0, 2 * np.pi), rng.uniform(3, 9), rng.uniform(0, SIZE, 2))
        pen.polygon(outline, fill=_byte(colours[-1]))

    colour = _colour(rng, colours)
    radius = rng.uniform(*MEAN_RADII)
    margin = min(radius * _REACH, SIZE / 2)
    centre = rng.uniform(margin, SIZE - margin, 2)
    outline = _pose(SHAPES[CLASSES[label]], rng.uniform(0, 2 * np.pi), radius, centre)
    stencil = Image.new("L", (side, side))
    ImageDraw.Draw(stencil).polygon(outline, fill=255)
    if not erase:
        pen.polygon(outline, fill=_byte(colour))

    mask = np.asarray(stencil.reduce(SUPERSAMPLING)) >= 128
    image = np.asarray(canvas.reduce(SUPERSAMPLING), dtype=np.float32) / 255
    return _weathered(image, rng), label, mask


def _weathered(image: np.ndarray, rng: np.random.Generator) -> np.ndarray:
    """Lay a smooth texture and pixel noise over a whole image, so that neither shows where the shape is."""
    cells = int(rng.integers(3, 17))
    coarse = rng.normal(0, 1, (cells, cells)).astype(np.float32)
    texture = np.asarray(Image.fromarray(coarse).resize((SIZE, SIZE), Image.Resampling.BICUBIC))
    noise = rng.standard_normal(image.shape, dtype=np.float32)
    image = image + rng.uniform(0.02, 0.12) * texture[..., None] + rng.uniform(0.02, 0.07) * noise
    return (image.clip(0, 1) * 255).round().astype(np.uint8)


def render_many(
    dataset: int, count: int, *, erase: bool = False
) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Render the scenes with seeds ``(dataset, 0)`` to ``(dataset, count - 1)``.

    Returns
    -------
    images : uint8 array (count, 64, 64, 3)
    labels : int64 array (count,)
    masks : bool array (count, 64, 64)
    """
    images = np.empty((count, SIZE, SIZE, 3), np.uint8)
    labels = np.empty(count, np.int64)
    masks = np.empty((count, SIZE, SIZE), bool)
    for index in range(count):
        images[index], labels[index], masks[index] = render((dataset, index), erase=erase)
    return images, labels, masks
