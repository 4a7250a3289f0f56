"""Ops that come together are judged as if each had come alone: a lot is read and written in one go, and nothing of that
may show. What is compared is all that people and devices are told of a problem: versions, history, counts, the feed."""

from collections.abc import Sequence
from itertools import count
from typing import Any

from hypothesis import given, settings
from hypothesis import strategies as st
from sqlalchemy import event, select

from backend import rows
from backend.access.scope import SYSTEM
from backend.database import db, snapshot
from backend.feed.models import FeedRow
from backend.now import now_utc
from backend.ops.apply import apply, prepare
from backend.ops.custody import known_outcomes
from backend.ops.op import Op, Outcome, desk_op
from backend.problems.models import Problem
from tests.problems.ground import Ground, new_id

HAZARDS = 3  # items of one school that the steps are about
KINDS = ("report", "check", "check_all", "nowhere", "note", "delete", "restore", "move", "park", "park_late")
_numbers = count()
Step = tuple[str, int]
STEPS = st.lists(st.tuples(st.sampled_from(KINDS), st.integers(0, HAZARDS - 1)), min_size=2, max_size=14)


class School:
    """Steps at one school, with ids that say which step an op was, so that two schools can be compared."""

    def __init__(self, ground: Ground, steps: Sequence[Step]) -> None:
        self.site, self.items = ground.place()[0], list[str]()
        while len(self.items) < HAZARDS:  # the first items of a school of which none was used
            site, item = ground.place()
            self.site, self.items = (site, [*self.items, item]) if site != self.site or self.items else (site, [])
        self.name, self.raised, (row, column) = new_id(), dict[str, str](), divmod(next(_numbers), 300)
        self.lon, self.lat = 118.0 + column / 2000, 36.8 + row / 50  # none near another's
        self.ops = [self._op(n, *step) for n, step in enumerate(steps)]

    def _op(self, n: int, kind: str, which: int) -> Op:
        item, ent = self.items[which], f"{self.name}-{n}"
        common = {"programme": "campus-perimeter", "template_version": 1, "site_id": self.site}
        if kind in ("report", "nowhere", "park"):
            args = common | {"item": item, "remark": f"第{n}次"}
            args |= {"site_id": None, "fix": {"lon": self.lon, "lat": self.lat + which / 1000}} if kind == "nowhere" else {}
            args |= {"template_version": 9} if kind == "park" else {}
            verb, about = "problem.report", ("finding", ent)
            self._raise(kind, item, f"p-{ent}:{item}")
        elif kind in ("check", "check_all", "park_late"):
            failed = self.items if kind != "check" else [item]
            args = common | {"answers": dict.fromkeys(failed, "fail")}
            args |= {"on_the_spot": {"B999": {}}} if kind == "park_late" else {}
            verb, about = "inspection.submit", ("inspection", ent)
            for code in failed:
                self._raise(kind, code, f"p-{ent}:{code}")
        elif kind == "note":
            verb, args, about = "problem.note", {"text": f"第{n}次"}, ("problem", self.raised.get(item, "p-none"))
        elif kind == "move":
            args = {"finding_id": self.raised.get(item, "p-none")[2:], "lon": self.lon, "lat": self.lat + 0.01, "crs": "wgs84"}
            verb, about = "problem.place", ("finding", "x")
        else:
            args = {"action": "delete" if kind == "delete" else "restore", "note": "说明"}
            verb, about = "problem.act", ("problem", self.raised.get(item, "p-none"))
        return desk_op(f"{self.name}-op{n:02}", verb, args, SYSTEM.id, about, now_utc())

    def _raise(self, kind: str, item: str, ent: str) -> None:
        if not kind.startswith("park"):
            self.raised.setdefault(item, ent)

    def alone(self) -> list[Outcome]:
        """Each op in a transaction of its own."""
        return [rows.run(lambda session, op=op: apply(session, [op], SYSTEM, now_utc()))[0] for op in self.ops]

    def together(self) -> list[Outcome]:
        """All of them in one, as a chunk of a push is."""

        def work(session: Any) -> list[Outcome]:
            known = known_outcomes(session, [op.id for op in self.ops])
            prepare(session, self.ops)
            return [apply(session, [op], SYSTEM, now_utc(), known)[0] for op in self.ops]

        return rows.run(work)

    def told(self, ground: Ground, outcomes: Sequence[Outcome]) -> list[Any]:
        """What became of it, without the names of the school, the times and the numbers of the year."""
        found = [[(o.status, o.reason, o.ver, o.flags, o.detail if o.reason == "invalid" else None) for o in outcomes]]
        with snapshot() as session:
            problems = session.scalars(select(Problem).where(Problem.id.startswith(f"p-{self.name}")).order_by(Problem.id)).all()
            names = [problem.id for problem in problems]
            fed = session.scalars(select(FeedRow).where(FeedRow.id.in_(names), FeedRow.is_member).order_by(FeedRow.id, FeedRow.bucket)).all()
            feed = [(f.id, f.bucket.partition(":")[0], f.ver) for f in fed]  # which district it left differs with the place
        for name in names:
            row, lines = ground.row(name), ground.lines(name)
            kept = ("id", "item", "state", "is_open", "report_count", "missing_photos", "ver", "notes", "department_id", "description", "open_key")
            found.append([str({k: row[k] for k in kept} | {"notes": [n["text"] for n in row["notes"]]})])
            found.append([(e.n, e.action, e.ver, e.status, e.from_state, e.to_state, e.note, e.op_id, str(e.data)) for e in lines])
        renamed = str([*found, feed]).replace(self.name, "NAME").replace(self.site, "SITE")
        for n, item in enumerate(self.items):
            renamed = renamed.replace(item, f"ITEM{n}")
        return [renamed]


@settings(max_examples=25, deadline=None)
@given(STEPS)
def test_ops_that_come_together_are_judged_as_if_each_came_alone(both: Ground, steps: list[Step]) -> None:
    one, other = School(both, steps), School(both, steps)
    assert one.told(both, one.alone()) == other.told(both, other.together())


def test_a_lot_costs_as_many_statements_however_much_fails(both: Ground) -> None:
    def run(steps: Sequence[Step]) -> int:
        school, seen = School(both, steps), list[str]()
        event.listen(db.engine, "before_cursor_execute", watch := lambda *a: seen.append(a[2]))
        school.together()
        event.remove(db.engine, "before_cursor_execute", watch)
        return len(seen)

    run([("check_all", 0)])
    asked = [run([("check_all", 0)] * times) for times in (1, 2, 30)]
    assert asked[0] == asked[1] == asked[2], asked
