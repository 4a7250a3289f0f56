"""Evaluation by fair clocks (backend/evaluation/cases.py): the same days, told punctually and told nine days late, on a real
database of either kind. Whoever carried the word late, every subject's figures are the same."""

from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import date, datetime, timedelta
from typing import Any
from zoneinfo import ZoneInfo

import pytest
from hypothesis import HealthCheck, example, given, settings
from hypothesis import strategies as st
from sqlalchemy.orm import Session

from backend.bulk import insert_many
from backend.database import to_ms, transaction
from backend.evaluation.cases import all_cases
from backend.evaluation.rules import SUBJECTS, Case, Deed, figures, kept_limit
from backend.handovers.models import Handover
from backend.inspections.models import Inspection
from backend.ledgers.lines import line
from backend.ledgers.models import LedgerLine
from backend.ops.models import LoggedOp
from backend.periods.rules import Window, window
from backend.problems.models import ProblemEvent
from backend.sampling.models import SampleItem
from tests.cast import A, B, World

ZONE = ZoneInfo("Asia/Shanghai")
FIRST = date(2026, 3, 2)
LATE_DAYS, LIMIT_DAYS = 9, 10
END = datetime.combine(FIRST + timedelta(days=80), datetime.min.time(), ZONE)
CLOCK = 10**9  # later than any of the city's own
WEEKS = [window(f"{FIRST + timedelta(days=n)}/{FIRST + timedelta(days=to)}", ZONE) for n, to in ((0, 6), (7, 20), (21, 76))]


@dataclass(frozen=True)
class Life:
    """One problem: day found, days from then on until each thing is done (None: it is not), and what of it a late phone carries."""

    district: str
    department: str
    found: int
    fixed: int | None
    closed: int  # after the fix was known
    doubted: int | None  # somebody saw it unfixed, before the closing (< 0) or after it
    passed: bool | None  # what a re-inspection saw
    answered: int | None  # of the handover that it is in
    carried: frozenset[str]
    shown: bool = True  # the finder took a photo


LIVES = st.lists(
    st.builds(
        Life, st.sampled_from([A, B]), st.sampled_from(["market", "transport"]), st.integers(0, 6), st.none() | st.integers(0, 14), st.integers(0, 3),
        st.sampled_from([None, -1, 2]), st.none() | st.booleans(), st.none() | st.integers(0, 14),
        st.frozensets(st.sampled_from(["seen", "fix", "doubt", "result", "reply"])), st.booleans(),
    ),
    min_size=1, max_size=6,
)  # fmt: skip


def day(n: float) -> datetime:
    return datetime.combine(FIRST, datetime.min.time(), ZONE) + timedelta(days=n, hours=9)


class Told:
    """Rows as the server would have them. `late`: what is carried by a late phone comes LATE_DAYS after it was done."""

    def __init__(self, session: Session, late: bool) -> None:
        self.session, self.late, self.n = session, late, 0

    def op(self, done_at: datetime, is_carried: bool, quality: str = "anchored") -> tuple[str, datetime]:
        """An op in custody: its id, and when it came in."""
        self.n += 1
        name, came_at = f"fair-{self.n}", done_at + timedelta(days=LATE_DAYS if is_carried and self.late else 0)
        insert_many(self.session.connection(), LoggedOp.__table__, [{
            "op_id": name, "fp": "-", "actor_id": "u-city", "verb": "x", "body": "{}", "received_at": came_at, "t_est_ms": to_ms(done_at),
            "t_quality": quality, "status": "applied", "clock": CLOCK}])  # fmt: skip
        return name, came_at

    def inspection(self, site: Any, done_at: datetime, is_carried: bool, quality: str = "anchored") -> datetime:
        op, came_at = self.op(done_at, is_carried, quality)
        insert_many(self.session.connection(), Inspection.__table__, [{
            "id": op, "op_id": op, "site_id": site.id, "programme": "campus-perimeter", "template_version": 1, "inspector_id": "u-city",
            "area_path": f"370300/{site.district_id}", "received_at": came_at, "answers": {}, "remarks": {}, "values": {}}])  # fmt: skip
        return came_at

    def event(self, problem: str, n: int, action: str, op: str, at: datetime, states: tuple[str, str], *photos: str) -> None:
        insert_many(self.session.connection(), ProblemEvent.__table__, [{
            "problem_id": problem, "n": n, "area_path": "370300", "at": at, "actor_id": "u-city", "action": action,
            "from_state": states[0], "to_state": states[1], "op_id": op, "ver": n, "photos": list(photos)}])  # fmt: skip

    def life(self, n: int, one: Life, site: Any, shift: int = 0) -> None:
        """All that becomes of a problem; `shift`: days by which it was received, and all that followed was done, later."""
        name, at = f"fair-p{n}", one.found + shift
        due_on = FIRST + timedelta(days=at + LIMIT_DAYS)
        columns: dict[str, Any] = dict.fromkeys(("township_id", "school_id", "unplaced_reason")) | {
            "area_path": f"370300/{one.district}", "district_id": one.district, "site_id": site.id, "department_id": one.department, "category": "x",
            "grade": "general", "programme": "campus-perimeter", "state": "assigned", "is_open": True, "due_on": due_on, "found_at": day(one.found),
        }  # fmt: skip
        insert_many(self.session.connection(), LedgerLine.__table__, [line(name, 1, columns)])
        came_at = self.inspection(site, day(one.found), "seen" in one.carried or bool(shift))
        self.event(name, 0, "raise", "", came_at, ("found", "found"), *(["before"] if one.shown else []))
        if one.answered is not None:
            self.reply(name, one, due_on, at + one.answered)
        if one.fixed is None:
            return
        done = day(at + one.fixed)
        op, came_at = self.op(done, "fix" in one.carried)
        self.event(name, 1, "report_fixed", op, came_at, ("assigned", "fix_reported"), "after")
        closed_at = max(came_at, done + timedelta(days=LATE_DAYS)) + timedelta(days=one.closed)  # at a desk, once it is known
        self.event(name, 2, "close", self.op(closed_at, False)[0], closed_at, ("fix_reported", "closed"))
        if one.doubted is not None:
            doubt, doubt_at = self.op(closed_at + timedelta(days=one.doubted), "doubt" in one.carried)
            state = "closed" if doubt_at > closed_at else "fix_reported"
            self.event(name, 3, "refuse_fix", doubt, doubt_at, (state, "assigned"))
        if one.passed is not None:
            self.result(name, one, site, closed_at + timedelta(days=1))

    def reply(self, problem: str, one: Life, due_on: date, n: int) -> None:
        op, came_at = self.op(day(n), "reply" in one.carried)
        insert_many(self.session.connection(), Handover.__table__, [{
            "id": f"h-{problem}", "number": f"h-{problem}", "year": 1, "n": self.n, "area_path": f"370300/{one.district}", "department_id": one.department,
            "from_path": "370300", "due_on": due_on, "issued_at": day(0), "issued_by": "u-city",
            "first_replied_at": came_at, "first_reply_op": op}])  # fmt: skip

    def result(self, problem: str, one: Life, site: Any, seen: datetime) -> None:
        op, came_at = self.op(seen, "result" in one.carried)
        insert_many(self.session.connection(), SampleItem.__table__, [{
            "number": "fair", "problem_id": problem, "stratum": "x", "area_path": f"370300/{one.district}", "district_id": one.district,
            "site_id": site.id, "department_id": one.department, "result": "fixed" if one.passed else "not_fixed",
            "seen_at": came_at, "seen_op": op}])  # fmt: skip


class _Undone(Exception):
    """What was told is taken back."""


def told(world: World, lives: Sequence[Life], late: bool, shift: int = 0) -> list[list[Case]]:
    """The cases of each week, when these lives have been told; nothing of it stays."""
    made: list[list[Case]] = []
    with world.app.app_context():
        try:
            with transaction() as session:
                ground = Told(session, late)
                for n, one in enumerate(lives):
                    ground.life(n, one, SITES[one.district][n], shift)
                made = [list(all_cases(session, week, CLOCK, END)) for week in WEEKS]
                raise _Undone
        except _Undone:
            return made


class _Site:
    """A school of the demo city."""

    def __init__(self, district: str, n: int) -> None:
        self.id, self.district_id = f"ZB-{district}-{n:04d}", district


SITES = {district: [_Site(district, n) for n in range(1, 8)] for district in (A, B)}


def scored(weeks: list[list[Case]]) -> list[dict[str, Any]]:
    return [{kind: figures(cases, kind) for kind in SUBJECTS} for cases in weeks]


def whole(weeks: list[list[Case]], *indicators: str) -> Counter[Any]:
    """Over all weeks: how many cases of each indicator are well, and not, of each subject."""
    return Counter((c.indicator, c.district, c.department, c.school, c.is_good) for week in weeks for c in week if c.indicator in indicators)


FEW, MANY = (settings(max_examples=n, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture]) for n in (2, 60))
ALL = frozenset({"seen", "fix", "doubt", "result", "reply"})


@FEW
@given(lives=LIVES)
@example(lives=[Life(A, "market", 0, 8, 0, 2, True, 8, ALL), Life(B, "market", 6, 10, 0, -1, False, 10, ALL)])
def test_who_carries_the_word_nine_days_late_changes_no_score_of_anybody_in_any_week(world: World, lives: list[Life]) -> None:
    carried_late(world, lives)


def carried_late(world: World, lives: list[Life]) -> None:
    punctual, late = (told(world, lives, is_late) for is_late in (False, True))
    assert scored(late) == scored(punctual)
    assert all(case.days_late == 0 for week in punctual for case in week)
    assert {case.days_late for week in late for case in week} <= {0, LATE_DAYS}
    proven = {case.ref: case for week in late for case in week if case.indicator == "evidence"}
    assert {ref: case.is_good for ref, case in proven.items()} == {f"fair-p{n}": one.shown for n, one in enumerate(lives) if one.fixed is not None}
    assert all(case.district and not case.department and not case.school for case in proven.values()), "the finder's photo is no office's fault"


@FEW
@given(lives=LIVES)
@example(lives=[Life(A, "market", 3, 10, 1, None, None, 10, frozenset()), Life(A, "market", 3, 11, 1, None, None, 11, frozenset())])
def test_what_was_received_nine_days_late_is_judged_as_mildly_as_what_was_not(world: World, lives: list[Life]) -> None:
    heard_late(world, lives)


@pytest.mark.slow
@MANY
@given(lives=LIVES)
def test_the_same_of_many_more_days(world: World, lives: list[Life]) -> None:
    carried_late(world, lives)
    heard_late(world, lives)


def heard_late(world: World, lives: list[Life]) -> None:
    """The office hears of it nine days later, so its limit and all that it does lie nine days later: in other weeks, judged the same."""
    punctual, late = told(world, lives, late=True), told(world, lives, late=True, shift=LATE_DAYS)
    kinds = ("on_time", "lasting", "reply", "reinspection", "evidence")
    assert whole(late, *kinds) == whole(punctual, *kinds)
    covered = [[{c.ref for c in week if c.indicator == "coverage" and c.is_good} for week in weeks] for weeks in (punctual, late)]
    assert covered[0] == covered[1], "a school was inspected when it was"


def test_a_late_word_is_told_with_its_days_and_a_phones_own_word_counts_from_receipt(world: World) -> None:
    site, week = SITES[A][0], WEEKS[0]
    for quality, is_good, days_late in (("anchored", True, 9), ("bracketed", True, 9), ("wall_only", False, 0), ("suspect", False, 0)):
        with world.app.app_context():
            try:
                with transaction() as session:
                    Told(session, late=True).inspection(site, day(2), is_carried=True, quality=quality)
                    cases = {c.ref: c for c in all_cases(session, week, CLOCK, END) if c.indicator == "coverage"}
                    as_known = {c.ref: c for c in all_cases(session, week, CLOCK, day(8)) if c.indicator == "coverage"}
                    assert (cases[site.id].is_good, cases[site.id].days_late) == (is_good, days_late), quality
                    assert not as_known[site.id].is_good, "a publication opens as it was, whatever came later"
                    raise _Undone
            except _Undone:
                continue


@given(done=st.integers(0, 40), due=st.integers(0, 40), now=st.integers(0, 40), late=st.integers(0, 30))
def test_a_limit_that_runs_is_nobodys_fault_and_a_phone_makes_nobody_late(done: int, due: int, now: int, late: int) -> None:
    asked: Window = WEEKS[0]
    limit = FIRST + timedelta(days=due)
    kept = [kept_limit(Deed(day(done), day(done + n)), limit, day(now), asked.zone) for n in (0, late)]
    assert kept[0] == kept[1] and (kept[0] is True) == (done <= due)
    assert kept_limit(None, limit, day(now), asked.zone) is (False if now > due else None)
