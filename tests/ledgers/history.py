"""Random histories of what people do to problems: raised, joined, placed and moved, assigned, worked on, closed, reopened,
merged, separated, deleted, restored; some come late. Asserts nothing.
"""

from datetime import date, timedelta
from typing import Any

from hypothesis import strategies as st

from backend.database import to_ms
from backend.now import now_utc
from tests.problems.ground import Ground, new_id

POINTS = {"张店": (118.06, 36.81), "淄川": (117.97, 36.64), "临淄": (118.31, 36.83), "外市": (116.39, 39.9)}
STEPS = ("raise", "raise", "wander", "join", "assign", "place", "fix", "close", "reopen", "refute", "merge", "separate", "delete", "restore",
         "note", "grow", "due")  # fmt: skip
HISTORIES = st.lists(st.tuples(st.sampled_from(STEPS), st.integers(0, 9), st.integers(0, 9)), min_size=3, max_size=14)


class Player:
    """Plays a history on a ground; what does not fit the state it meets is refused by the server and changes nothing."""

    def __init__(self, ground: Ground) -> None:
        self.ground, self.mine = ground, list[str]()

    def step(self, what: str, one: int, other: int) -> None:
        """One step, about the problem that `one` picks, with `other` to choose by."""
        if what == "raise" or not self.mine:
            self.mine.append(self.ground.hazard("system"))
        elif what == "wander":
            self._wander(list(POINTS)[other % 4])
        else:
            getattr(self, f"_{what}")(self.mine[one % len(self.mine)], other)

    def _wander(self, where: str) -> None:
        """Something beside the road, found in another district or outside of the city; nine days ago, perhaps."""
        lon, lat = POINTS[where]
        finding, item = new_id(), self.ground.place()[1]
        done = self.ground.do("problem.report", finding, "system", kind="finding", site_id=None, item=item,
                              programme="campus-perimeter", template_version=1, remark="路边（示例）",
                              fix={"lon": lon, "lat": lat, "accuracy_m": 5, "crs": "wgs84"})  # fmt: skip
        assert done.status == "applied", done
        key = f"p-{finding}:{item}"
        if self._is_there(key):
            self.mine.append(key)

    def _is_there(self, key: str) -> bool:
        try:
            self.ground.row(key)
        except AssertionError:
            return False  # it joined another one nearby
        return True

    def _act(self, key: str, action: str) -> Any:
        return self.ground.act(key, action, "system", self.ground.seen(key))

    def _join(self, key: str, other: int) -> None:
        row = self.ground.row(key)
        self.ground.do("problem.report", new_id(), "system", kind="finding", site_id=row["site_id"], item=row["item"],
                       programme="campus-perimeter", template_version=1, remark="又见（示例）")  # fmt: skip

    def _assign(self, key: str, other: int) -> None:
        department = ("market", "urban", "emergency")[other % 3]
        self.ground.do("problem.assign", key, "system", self.ground.seen(key), department_id=department, note="改派")

    def _place(self, key: str, other: int) -> None:
        lon, lat = POINTS[list(POINTS)[other % 3]]
        self.ground.do("problem.place", key.removeprefix("p-"), "system", kind="finding", problem_id=None,
                       finding_id=key.removeprefix("p-"), lon=lon, lat=lat, crs="wgs84")  # fmt: skip

    def _fix(self, key: str, other: int) -> None:
        self._act(key, "report_fixed")

    def _close(self, key: str, other: int) -> None:
        self._act(key, "report_fixed")
        self._act(key, "close")

    def _reopen(self, key: str, other: int) -> None:
        self._act(key, "reopen")

    def _refute(self, key: str, other: int) -> None:
        self._act(key, "refute")

    def _merge(self, key: str, other: int) -> None:
        into = self.mine[other % len(self.mine)]
        self.ground.do("problem.merge", key, "system", self.ground.seen(key), into=into, note="同一处")

    def _separate(self, key: str, other: int) -> None:
        self._act(key, "separate")

    def _delete(self, key: str, other: int) -> None:
        self._act(key, "delete")

    def _restore(self, key: str, other: int) -> None:
        self._act(key, "restore")

    def _note(self, key: str, other: int) -> None:
        self.ground.do("problem.note", key, "system", text="看过")

    def _grow(self, key: str, other: int) -> None:
        """Found to be major, or general again, by a collective decision."""
        verdict = "major" if self.ground.row(key)["grade"] == "general" else "general"
        posts = ["支队长（示例）", "法制员（示例）", "监督员（示例）"]
        done = self.ground.do("major.decide", key, "system", self.ground.seen(key), verdict=verdict, posts=posts, minutes="集体讨论（示例）")
        assert done.status in ("applied", "noop", "parked"), done

    def _due(self, key: str, other: int) -> None:
        """Another deadline, perhaps one that is over."""
        was = self.ground.row(key)["due_on"]
        self._edit(key, "due_on", was and was.isoformat(), (date.today() + timedelta(days=other - 5)).isoformat())

    def _edit(self, key: str, field: str, was: Any, now: Any) -> None:
        done = self.ground.do("problem.edit", key, "system", self.ground.seen(key), set={field: {"was": was, "now": now}})
        assert done.status in ("applied", "noop", "parked", "redirected"), done  # redirected: it has been merged


def ms() -> int:
    """The server's time."""
    return to_ms(now_utc())
