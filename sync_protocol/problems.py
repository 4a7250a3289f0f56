"""The problem codes of the wire and what a device makes of each (PROTOCOL.md, error table). Data only,
no HTTP."""

from collections.abc import Mapping
from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class ProblemCode:
    """HTTP status, whether the same request may succeed later, and the device's reaction in a word."""

    status: int
    is_retryable: bool
    reaction: str


PROBLEMS: Mapping[str, ProblemCode] = {
    "unauthenticated": ProblemCode(401, False, "enrol"),
    "device_revoked": ProblemCode(401, False, "stop"),
    "replica_revoked": ProblemCode(403, False, "stop"),
    "epoch_changed": ProblemCode(409, True, "reoffer"),
    "replica_forked": ProblemCode(409, True, "renumber"),
    "busy": ProblemCode(409, True, "wait"),
    "cursor_invalid": ProblemCode(410, True, "start_over"),
    "too_large": ProblemCode(413, True, "halve"),
    "bad_frame": ProblemCode(400, False, "bisect"),
    "bad_encoding": ProblemCode(415, False, "plain"),
    "upgrade_required": ProblemCode(426, False, "upgrade"),
    "rate_limited": ProblemCode(429, True, "wait"),
    "overloaded": ProblemCode(503, True, "wait"),
}
"""Reactions: `wait` keeps everything and comes back after Retry-After; none of them ever empties an
outbox (P12)."""
