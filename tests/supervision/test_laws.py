"""Laws over arbitrary interleavings of devices, desks and the clock, on the real handlers.

Every open problem has exactly one who is next and one clock, or the reason why there is no day. No danger that somebody has
spoken of ends closed without a later confirmation by somebody who had seen it. No step is taken that is not in the table.
"""

from dataclasses import replace
from datetime import timedelta
from typing import Any

from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from backend.access.scope import Actor
from backend.problems import rules, table
from tests.problems.ground import PEOPLE, Ground
from tests.supervision import acts

CONFIRMS = {"close", "confirm_fix"}
ONE_OF = {wait.next_actor for wait in (*table.WAITS.values(), *table.APPLICATIONS.values())}
WRITTEN_BESIDE = rules.FACTS | rules.EDITS | {"raise", "report", "danger", "joined", "left"}
PLAIN = tuple(action for action in rules.ACTIONS if action not in rules.ACTS | {"assign", "merge", "danger"})
KINDS = (
    *PLAIN, *PLAIN, "assign", "merge", "danger", "report", "note", "due", "inform", "hand_over", "sweep", "decide_major", "decide_general", "list",
    "ask_extension", "grant_extension", "refuse_extension", "ask_acceptance", "pass_acceptance", "fail_acceptance", "delist", "progress",
)  # fmt: skip
ROLES = ("inspector", "school", "township", "department", "district", "city")
STEP = st.tuples(st.sampled_from(KINDS), st.sampled_from(ROLES), st.sampled_from(["now", "now", "now", "before", "none"]))
# A way of getting far, so that the later part of a life is met as often as the first.
AHEAD = st.sampled_from([
    (), (("report_fixed", "school", "now"),), (("report_fixed", "school", "now"), ("close", "inspector", "now")),
    (("decide_major", "city", "now"), ("list", "city", "now"), ("report_fixed", "school", "now"), ("ask_acceptance", "school", "now")),
    (("decide_major", "city", "now"), ("list", "city", "now"), ("report_fixed", "school", "now"), ("ask_acceptance", "school", "now"),
     ("pass_acceptance", "city", "now")),
    (("ask_extension", "school", "now"),), (("stop_work", "inspector", "now"), ("report_fixed", "school", "now")),
])  # fmt: skip


class Life:
    """One problem and what is done to it; `older` is a version that somebody looked at a while ago."""

    def __init__(self, ground: Ground) -> None:
        self.ground, self.ent = ground, ground.hazard()
        self.older = ground.seen(self.ent)
        acts.due(ground, self.ent, 60)

    def do(self, kind: str, role: str, seen: str) -> Any:
        ground, ent, who = self.ground, self.ent, self.who(role)
        base = {"now": ground.seen(ent), "before": self.older, "none": None}[seen]
        if kind in PLAIN:
            return ground.act(ent, kind, who, base, photos=[ground.photo()])
        if kind == "sweep":
            assert ground.now is not None
            ground.now += timedelta(days=4)
            return acts.look(ground, ground.now.date())
        if kind == "report":
            row = ground.row(ent)
            return ground.hazard(site_id=row["site_id"], item=row["item"]) if role == "inspector" else None
        return ground.op(*self._asked(kind), who, base, self._args(kind))  # type: ignore[misc]

    def who(self, role: str) -> Actor:
        if role == "department":
            return replace(PEOPLE[role], department_id=self.ground.row(self.ent)["department_id"])
        return PEOPLE[role]

    def _asked(self, kind: str) -> tuple[str, tuple[str, str]]:
        verb, about = VERBS[kind]
        named = [p.id for p in acts.of(self.ground, self.ent) if p.kind == about]
        return verb, (about, (named or ["none"])[-1]) if about != "problem" else ("problem", self.ent)

    def _args(self, kind: str) -> dict[str, Any]:
        row, ground = self.ground.row(self.ent), self.ground
        assert ground.now is not None
        far = (ground.now.date() + timedelta(days=70)).isoformat()
        other = "market" if row["department_id"] != "market" else "urban"
        was = row["due_on"].isoformat() if row["due_on"] else None
        made: dict[str, dict[str, Any]] = {
            "assign": {"department_id": other}, "danger": {"seen": "danger"}, "note": {"text": "看过"},
            "due": {"set": {"due_on": {"was": was, "now": None if was else far}}},
            "inform": {"kind": "inform", "department_id": other, "note": "请知悉"},
            "hand_over": {"kind": "hand_over", "department_id": other, "note": "请接办"},
            "decide_major": {"verdict": "major", "posts": acts.POSTS, "minutes": "记录"}, "list": {"level": "city", "finish_by": far},
            "decide_general": {"verdict": "general", "posts": acts.POSTS, "minutes": "记录"}, "progress": {"text": "进展"},
            "ask_extension": {"until": (ground.now.date() + timedelta(days=90)).isoformat(), "reason": "材料"},
            "grant_extension": {"verdict": "granted"}, "refuse_extension": {"verdict": "refused", "opinion": "不足"},
            "ask_acceptance": {"done_on": far, "summary": "已治理"}, "pass_acceptance": {"verdict": "passed"},
            "fail_acceptance": {"verdict": "failed", "opinion": "未治理"}, "delist": {"reason": "合格"},
        }  # fmt: skip
        return made[kind] if kind != "merge" else {"into": ground.hazard(), "note": "同一处"}


VERBS = {
    "assign": ("problem.assign", "problem"), "merge": ("problem.merge", "problem"), "danger": ("problem.observe", "problem"),
    "note": ("problem.note", "problem"), "due": ("problem.edit", "problem"), "inform": ("transfer.send", "problem"),
    "hand_over": ("transfer.send", "problem"), "decide_major": ("major.decide", "problem"), "decide_general": ("major.decide", "problem"),
    "list": ("listing.order", "problem"), "delist": ("listing.end", "listing"), "progress": ("listing.report", "listing"),
    "ask_extension": ("extension.ask", "problem"), "grant_extension": ("extension.decide", "extension"),
    "refuse_extension": ("extension.decide", "extension"), "ask_acceptance": ("acceptance.ask", "problem"),
    "pass_acceptance": ("acceptance.decide", "acceptance"), "fail_acceptance": ("acceptance.decide", "acceptance"),
}  # fmt: skip


def one_next_and_one_clock(ground: Ground, ent: str) -> None:
    row = ground.row(ent)
    if not row["is_open"]:
        assert (row["next_actor"], row["clock"], row["clock_on"], row["waits_for"]) == (None, None, None, None), row
        return
    assert row["next_actor"] in ONE_OF and row["clock"], row
    assert (row["clock_on"] is not None) != bool(row["clock_reason"].get("none")), row
    wait = rules.waits(row["state"], row["waits_for"])
    assert wait is not None and (row["next_actor"], row["clock"]) == (wait.next_actor, wait.clock), row
    assert row["clock"] != "fix" or row["clock_on"] == row["due_on"], row
    waiting = [p.id for p in acts.of(ground, ent) if p.status == "open" and p.id == row["waits_id"]]
    assert len(waiting) == (row["waits_for"] is not None), row


def no_danger_ends_closed_unseen(ground: Ground, ent: str) -> None:
    row, lines = ground.row(ent), ground.lines(ent)
    if row["state"] != "closed":
        return
    told = [line for line in lines if line.action in rules.DANGER and line.status != "superseded"]
    ended = [line for line in lines if line.action in CONFIRMS and line.to_state == "closed" and line.status == "applied"]
    assert ended and told and ended[-1].n > told[-1].n, [(line.action, line.status) for line in lines]
    assert (ended[-1].base or {}).get("ver", 0) >= told[-1].ver, "whoever closed it had seen the danger"
    assert not row["is_listed"] or row["is_accepted"], "listed, and closed without acceptance"


def every_step_is_in_the_table(ground: Ground, ent: str) -> None:
    for line in ground.lines(ent):
        at, to, step = line.from_state, line.to_state, STEPS_OF(line.from_state, line.action)
        if line.action in WRITTEN_BESIDE and step is None:
            assert at in (None, to), (line.action, at, to)
        elif line.status == "proposed":
            assert to == "to_verify" and line.action in rules.CLAIMS, line.action
        elif line.status == "applied":
            assert step is not None, f"{line.action} in {at} is not in the table"
            assert to == (step.to or at) or (line.action == "assign" and to == at), (line.action, at, to)
        elif line.status != "redirected":
            assert to == at, (line.action, line.status, at, to)


def STEPS_OF(state: str | None, action: str) -> table.Step | None:  # noqa: N802 - reads as the table does
    return table.STEPS[state].get(action) if state else None


@settings(max_examples=20, deadline=None, database=None, suppress_health_check=list(HealthCheck))
@given(ahead=AHEAD, steps=st.lists(STEP, min_size=1, max_size=8))
def test_whatever_is_done_one_is_next_one_clock_runs_and_no_danger_ends_unseen(both: Ground, ahead: Any, steps: Any) -> None:
    both.now = acts.noon(acts.TODAY)
    life = Life(both)
    for n, step in enumerate((*ahead, *steps)):
        if n % 4 == 3:
            life.older = both.seen(life.ent)
        life.do(*step)
        one_next_and_one_clock(both, life.ent)
        no_danger_ends_closed_unseen(both, life.ent)
    every_step_is_in_the_table(both, life.ent)
    both.now = acts.noon(acts.TODAY)


def test_the_ways_ahead_lead_where_they_should(both: Ground) -> None:
    """The law is only worth as much as what is met: closed, listed and accepted lives are among them."""
    life = Life(both)
    for step in (("decide_major", "city", "now"), ("list", "city", "now"), ("report_fixed", "school", "now"), ("ask_acceptance", "school", "now"),
                 ("pass_acceptance", "city", "now"), ("close", "inspector", "now")):  # fmt: skip
        assert life.do(*step).status == "applied", step
    row = both.row(life.ent)
    assert (row["state"], row["is_listed"], row["is_accepted"]) == ("closed", True, True)
