"""What follows from the calendar alone: terms of office that begin or end. Submits ops as the system; twice is once."""

from datetime import datetime

from backend.access.scope import SYSTEM
from backend.database import snapshot
from backend.ops.apply import submit
from backend.responsibility import posts
from backend.workdays import local_date


def settle(now: datetime) -> int:
    """Hand on what hangs on posts whose holder is another one today than when it was assigned; how many posts."""
    with snapshot() as session:
        changed = posts.due(session, local_date(now))
    for post in changed:
        submit("post.settle", {}, SYSTEM, now, ent=("post", post))
    return len(changed)
