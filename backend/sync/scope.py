"""Which buckets a device may see now. Reads only."""

from sqlalchemy.orm import Session

from backend.access.roles import FORMER
from backend.access.scope import Actor


def buckets(session: Session, actor: Actor) -> list[str]:
    """global, the person's own, their teams, and the district, township or school they belong to; none for one who has left."""
    if actor.role == FORMER:
        return []
    found = ["global", f"user:{actor.id}", *(f"team:{team}" for team in actor.teams)]
    kinds = ("city", "district", "township", "school")
    for path in actor.areas:
        parts = path.split("/")
        if 2 <= len(parts) <= 4:
            found.append(f"{kinds[len(parts) - 1]}:{parts[-1]}")
    return list(dict.fromkeys(found))
