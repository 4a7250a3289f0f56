"""Args of older clients, brought to the newest version step by step (PROTOCOL.md P33). Pure; kept for ever.

A step takes args as they were sent (nothing is checked yet) and gives args of the next version. What does not have the
expected form is left as it is: the schema then says precisely what is wrong with it.
"""

from collections.abc import Callable, Mapping
from typing import Any

Args = Mapping[str, Any]


def _fixed_with_proof(args: Args) -> Args:
    """inspection.submit 1 → 2: what was fixed on the spot carries its own note and photos (即查即改 needs its proof)."""
    fixed = args.get("on_the_spot")
    if not isinstance(fixed, list) or not all(isinstance(item, str) for item in fixed):
        return args
    return {**args, "on_the_spot": {item: {} for item in fixed}}


# (verb, version it takes) → step to the next version
UPCASTS: Mapping[tuple[str, int], Callable[[Args], Args]] = {
    ("inspection.submit", 1): _fixed_with_proof,
}


def upcast(verb: str, v: int, newest: int, args: Args) -> dict[str, Any]:
    """`args` of version `v` as args of the `newest` version; a version without a step has not changed."""
    for version in range(v, newest):
        step = UPCASTS.get((verb, version))
        args = step(args) if step else args
    return dict(args)
