"""What the city's desk does on the field day, through the console's own API: reassign, re-inspect. Driven by field_day."""

import json
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any
from urllib.parse import urlencode

Ask = Callable[[str, str, str | None, dict[str, str]], tuple[int, Any, bytes]]
REFUSED_EVERY = 4  # one fix in so many is not what was asked for


@dataclass(frozen=True, slots=True)
class Desk:
    """A person who has signed in. `ask` is one plain HTTP exchange."""

    ask: Ask
    cookie: str

    @classmethod
    def signed_in(cls, ask: Ask, login: str, password: str) -> "Desk":
        """Sign in with the form of the start page. Raises KeyError where that is refused."""
        form = urlencode({"login": login, "password": password})
        _, headers, _ = ask("POST", "/login", form, {"Content-Type": "application/x-www-form-urlencoded"})
        return cls(ask, dict(headers)["Set-Cookie"].split(";")[0])

    def read(self, path: str) -> Any:
        """The JSON at a path."""
        return json.loads(self.ask("GET", path, None, {"Cookie": self.cookie})[2])

    def act(self, verb: str, problem: str, args: Mapping[str, Any], base: Mapping[str, Any] | None = None) -> bool:
        """One op about a problem; whether it was applied."""
        op = {"verb": verb, "ent": {"t": "problem", "id": problem}, "args": args, "base": base}
        headers = {"Cookie": self.cookie, "Content-Type": "application/json"}
        status, _, body = self.ask("POST", "/v1/ops", json.dumps(op), headers)
        return status == 200 and json.loads(body)["status"] == "applied"

    def reassign(self, department: str) -> int:
        """Give one problem of every district to another department; returns how many were."""
        by_district: dict[str, list[str]] = {}
        for row in self._listed("assigned"):
            if row["site"]:
                by_district.setdefault(row["district"], []).append(row["number"])
        given = {"department_id": department, "note": "改派"}  # what is that department's already stays as it is
        return sum(any(self.act("problem.assign", number, given) for number in found) for found in by_district.values())

    def reinspect(self) -> tuple[int, int]:
        """Look at every fix that was reported: most are closed (销号), some refused; returns how many of each."""
        closed = refused = 0
        for n, row in enumerate(self._listed("fix_reported")):
            base = {"ver": self.read(f"/v1/problems/{row['number']}")["problem"]["ver"]}
            if n % REFUSED_EVERY == REFUSED_EVERY - 1:
                refused += self.act(
                    "problem.act", row["number"], {"action": "refuse_fix", "note": "现场仍有堆放，继续整改"}, base
                )
            else:
                closed += self.act("problem.act", row["number"], {"action": "close"}, base)
        return closed, refused

    def closed_in_ledger(self) -> int:
        """How many problems the city's ledger has as closed."""
        return int(self.read("/v1/ledgers/rollup")["total"]["closed"])

    def _listed(self, state: str) -> list[dict[str, Any]]:
        """Problems in a state, in the ledger's order: by place and item."""
        return [row for row in self.read("/v1/ledgers/lists/problems")["rows"] if row["state"] == state]
