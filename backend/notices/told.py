"""A fact with its subject, as it is handed out: to inboxes, mails and webhooks. Reads nothing."""

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from backend.access.scope import Actor, acts_for, sees
from backend.notices.rules import KINDS


@dataclass(frozen=True, slots=True)
class Told:
    """A fact with its subject as it is now: where it lies, whose it is, what may be said of it in a line.

    Of what is given from office to office, place and department are those of the office that is to be told."""

    kind: str
    ent: tuple[str, str]
    problem_id: str | None
    area_path: str
    department_id: str | None
    by_id: str
    finder_id: str | None
    named_id: str | None
    level: str | None
    at: datetime
    id: str
    data: Mapping[str, Any]

    def is_seen_by(self, actor: Actor) -> bool:
        """The same answer as `visible`: a problem by place and department, anything else by its place; what goes from office to
        office is told to who acts for that office (and to an administrator's webhook)."""
        if KINDS[self.kind].office and actor.role != "admin" and actor.id != self.named_id:
            return acts_for(actor, self.area_path, self.department_id)
        return sees(actor, self.area_path, self.department_id if self.problem_id else actor.department_id)
