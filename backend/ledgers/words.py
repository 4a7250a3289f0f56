"""The names that ledgers, exports and printed lists are written with. Reads only; no rows, no sums."""

from typing import Any

from sqlalchemy.orm import Session

from backend.access.scope import Actor
from backend.programmes import queries as programmes
from backend.territory import queries as territory


class Words:
    """The names that rows are written with, read once."""

    def __init__(self, session: Session, actor: Actor) -> None:
        self._session = session
        self.areas = territory.area_names(session, actor)
        self.departments = {d.id: d.name_zh for d in territory.departments(session, actor)}
        sites = territory.sites_of_kinds(session, actor, ("school", "hazard_site"))
        self.sites = {s.id: territory.printed(session, s.name) for s in sites}
        self.categories = {
            c["id"]: c["name"]["zh"] for p in programmes.newest(session, actor).values() for c in p.body["categories"]
        }
        self._items: dict[tuple[str, int, str], Any] = {}

    def item(self, programme: str, version: int, code: str) -> Any:
        """An item of a checklist."""
        key = (programme, version, code)
        if key not in self._items:
            self._items[key] = programmes.item(self._session, *key)
        return self._items[key]

    def basis(self, programme: str, version: int, code: str) -> list[str]:
        """The national law that an item rests on, as it is printed. What is local or custom is no law everywhere."""
        found = self.item(programme, version, code).basis
        return [f"《{b['title']}》{b.get('article') or ''}" for b in found if b["status"] == "cited"]

    def programme(self, name: str, version: int) -> str:
        """The title of a checklist."""
        found = programmes.pack(self._session, name, version)
        return found.name_zh if found else name
