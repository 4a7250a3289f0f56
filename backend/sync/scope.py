"""Which buckets a device may see now. Reads only."""

from sqlalchemy.orm import Session

from backend.access.scope import Actor
from backend.sweeps import queries as sweeps
from backend.territory import queries as territory


def buckets(session: Session, actor: Actor) -> list[str]:
    """global, the person's own, their teams, and the district, township or school they belong to."""
    found = ["global", f"user:{actor.id}", *(f"team:{team}" for team in actor.teams)]
    kinds = ("city", "district", "township", "school")
    for path in actor.areas:
        parts = path.split("/")
        if 2 <= len(parts) <= 4:
            found.append(f"{kinds[len(parts) - 1]}:{parts[-1]}")
    return list(dict.fromkeys(found))


def with_teams(session: Session, actor: Actor) -> tuple[list[str], list[str]]:
    """(team ids, area paths) that a person's teams give them; the territory of an inspector is that of their teams."""
    teams = sweeps.teams_of(session, actor, actor.id)
    paths = [territory.area_path(session, area) for team in teams for area in team.areas]
    return [team.id for team in teams], [path for path in paths if path]
