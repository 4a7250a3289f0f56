"""Named points on the way of a change, at which a test may kill the server: `HUYUAN_FAULT=commit.after:3` ends the
process at the third passing, as a power cut would. Off by default, refused where real people are served; no decisions.

Off costs one comparison with None. The points are a list, so that a name that is misspelt is refused at the start.
"""

import os

POINTS = (
    # a change, in the order of its way
    "push.begun", "books.before_clock", "books.clocked", "books.logged", "books.fed", "books.written",
    "commit.before", "commit.after", "push.chunk_done", "push.before_reply", "checkpoint.before", "checkpoint.after",
    # a device
    "enrol.before_reply", "replica.before_reply",
    # a photo, in the order of its way
    "upload.created", "upload.written", "upload.synced", "upload.moved", "upload.given_up", "photo.hashed", "photo.renamed",
    "photo.received", "photo.done",
    # the worker, in the order of its way
    "job.leased", "derive.made", "derive.renamed", "job.worked", "job.done",
    # what is told and leaves the server, in the order of its way: handed out, leased, sent and not noted yet
    "out.told", "out.leased", "out.sent",
)  # fmt: skip
KILLED = 137  # what a process killed by SIGKILL ends with, as a shell tells it
_armed: dict[str, int] | None = None


def arm(said: str, is_production: bool) -> None:
    """Arm the points of `said` (`name:n`, several by comma; nothing disarms). Raises ValueError for an unknown point,
    a number below 1, or in production."""
    global _armed  # noqa: PLW0603 - one process, one set of faults
    wanted = dict(part.strip().partition(":")[::2] for part in said.split(",") if part.strip())
    if wanted and is_production:
        raise ValueError("HUYUAN_FAULT is for tests: not where real people are served (HUYUAN_SECURE_COOKIES=1)")
    unknown = sorted(set(wanted) - set(POINTS))
    if unknown or not all(n.isdigit() and int(n) > 0 for n in wanted.values()):
        raise ValueError(f"HUYUAN_FAULT={said!r}: name:n with n from 1; names are {', '.join(POINTS)}")
    _armed = {name: int(n) for name, n in wanted.items()} or None


def passing(name: str) -> None:
    """The way of a change passes the point `name`."""
    if _armed is not None and name in _armed:
        _armed[name] -= 1
        if _armed[name] == 0:
            os._exit(KILLED)
