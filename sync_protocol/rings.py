"""The outline of a place as a device gets it: whole hundred-thousandths of a degree (1 m), told from the place's
point (rule P41). Pure; degrees in, degrees out (WGS 84, longitude first), no other geometry.
"""

from collections.abc import Sequence

DEGREE = 100_000  # units in a degree
Point = Sequence[float]


def pack(at: Point, ring: Sequence[Point]) -> list[int]:
    """A closed ring of [lon, lat] → [dx, dy, dx, dy, …]: the first from `at`, each from the one before; the last
    point of a closed ring is its first and is not told."""
    told: list[int] = []
    x, y = _whole(at)
    for point in ring[:-1]:
        to_x, to_y = _whole(point)
        told += [to_x - x, to_y - y]
        x, y = to_x, to_y
    return told


def unpack(at: Point, told: Sequence[int]) -> list[list[float]]:
    """What `pack` told → the closed ring, to the metre. Raises ValueError where a number is missing."""
    if len(told) % 2:
        raise ValueError("a ring has as many x as y")
    x, y = _whole(at)
    ring = []
    for dx, dy in zip(told[::2], told[1::2], strict=True):
        x, y = x + dx, y + dy
        ring.append([x / DEGREE, y / DEGREE])
    return [*ring, ring[0]] if ring else []


def _whole(point: Point) -> tuple[int, int]:
    return round(point[0] * DEGREE), round(point[1] * DEGREE)
