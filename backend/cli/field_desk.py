"""What desks do on the field day, through the console's own API: reassign, take up, re-inspect, hand over, publish. Driven by
field_day."""

import json
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from datetime import date
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

    def act(
        self, verb: str, ent: tuple[str, str], args: Mapping[str, Any], base: Mapping[str, Any] | None = None
    ) -> bool:
        """One op about an entity (type, id); whether it was applied."""
        op = {"verb": verb, "ent": {"t": ent[0], "id": ent[1]}, "args": args, "base": base}
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
        return sum(
            any(self.act("problem.assign", ("problem", number), given) for number in found)
            for found in by_district.values()
        )

    def take_up(self) -> tuple[int, int]:
        """A department takes what it was given, but says of the last that it is not its own; how many of each."""
        own = [row["number"] for row in self._listed("assigned")]
        accepted = sum(self.step(number, "accept") for number in own[:-1])
        return accepted, sum(self.step(number, "return", "非本部门职责，请改派") for number in own[-1:])

    def reinspect(self) -> tuple[int, int]:
        """Look at every fix that was reported: most are closed (销号), some refused; returns how many of each."""
        fixed = [row["number"] for row in self._listed("fix_reported")]
        bad = set(fixed[REFUSED_EVERY - 1 :: REFUSED_EVERY])
        refused = sum(self.step(number, "refuse_fix", "现场仍有堆放，继续整改") for number in fixed if number in bad)
        return sum(self.step(number, "close") for number in fixed if number not in bad), refused

    def step(self, number: str, action: str, note: str = "") -> bool:
        """One step of a problem's life, with what was seen of it; whether it was taken."""
        seen = {"ver": self.read(f"/v1/problems/{number}")["problem"]["ver"]}
        return self.act("problem.act", ("problem", number), {"action": action, "note": note}, seen)

    def hand_over(self, name: str, district: str, due_on: date, sweep: str) -> bool:
        """Give a district everything that is open in it as one batch (交办单) of a sweep."""
        args = {
            "to": {"area": district},
            "due_on": due_on.isoformat(),
            "demand": "逐项整改，逐项回复",
            "chosen": {"node": district},
            "part_of": {"t": "sweep", "id": sweep},
        }
        return self.act("handover.issue", ("handover", name), args)

    def publish(self, name: str, day: date) -> bool:
        """Publish the ledger of a day."""
        return self.act("ledger.publish", ("period", name), {"period": f"{day}/{day}", "note": "示例"})

    def closed_in_ledger(self) -> int:
        """How many problems the city's ledger has as closed."""
        return int(self.read("/v1/ledgers/rollup")["total"]["closed"])

    def _listed(self, state: str) -> list[dict[str, Any]]:
        """Problems in a state, in the ledger's order: by place and item."""
        return [row for row in self.read("/v1/ledgers/lists/problems")["rows"] if row["state"] == state]
