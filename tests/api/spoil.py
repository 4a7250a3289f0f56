"""A good JSON value, spoilt in one place at a time: every member of the wrong kind, missing, or joined by one nobody knows.

Deterministic, so that a failure names its place; what random search adds is left to hypothesis in test_spoilt.py.
"""

from collections.abc import Iterator
from typing import Any

WRONG: tuple[Any, ...] = (
    None, True, -1, 1.5, 2**64, "", "张店\n", "n" * 5000, [], [None], {}, {"x": {}},
)  # fmt: skip
ODD: tuple[Any, ...] = (
    0,
    2**31,
    2**53 + 1,
    -(2**70),
    1e308,
    "\ud83d",
    "' OR 1=1 --",
    "%00",
    "../..",
    ["x", 1],
    {"": None},
)
"""Rarer ones, for the members at the top alone."""


def spoilt(good: Any, at: tuple[Any, ...] = ()) -> Iterator[tuple[str, Any]]:
    """(what was done, the whole value) for every way of spoiling `good` in one place."""
    yield from ((f"{place(at)} is {short(wrong)}", wrong) for wrong in (WRONG if len(at) > 1 else WRONG + ODD))
    if isinstance(good, dict):
        yield f"{place(at)} has a member nobody knows", {**good, "nobody": "knows"}
        for name, value in good.items():
            yield f"{place((*at, name))} is missing", {k: v for k, v in good.items() if k != name}
            yield from ((what, {**good, name: inner}) for what, inner in spoilt(value, (*at, name)))
    if isinstance(good, list) and good:
        yield f"{place(at)} is five hundred long", good[:1] * 500
        yield from ((what, [inner, *good[1:]]) for what, inner in spoilt(good[0], (*at, 0)))


def place(at: tuple[Any, ...]) -> str:
    return "/" + "/".join(map(str, at))


def short(value: Any) -> str:
    text = repr(value)
    return text if len(text) < 30 else f"{text[:20]}… ({len(text)})"
