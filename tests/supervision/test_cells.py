"""Every (state × action × role) cell of the table on the pure judgement, with each guard met and unmet; and each act through the door."""

from collections.abc import Callable
from dataclasses import replace
from typing import Any

import pytest

from backend.access.roles import ROLES, may
from backend.access.scope import Actor
from backend.problems import rules, table
from backend.problems.rules import Present, judge
from backend.problems.table import STEPS
from tests.problems.ground import PEOPLE, Ground
from tests.supervision import acts

MEETS: dict[str, dict[str, Any]] = {  # what a guard needs; and what does not meet it
    table.EVIDENCE: {"missing_photos": 0}, table.NO_STOP: {"is_work_stopped": False}, table.ACCEPTED: {"is_accepted": True},
    table.UNLISTED: {"is_listed": False}, table.LISTED: {"is_listed": True}, table.MAJOR: {"grade": "major"},
    table.CANDIDATE: {"is_candidate": True}, table.FREE: {"waits_for": None}, table.EXTENSION: {"waits_for": "extension"},
    table.ACCEPTANCE: {"waits_for": "acceptance"},
}  # fmt: skip
BREAKS: dict[str, dict[str, Any]] = {
    table.EVIDENCE: {"missing_photos": 1}, table.NO_STOP: {"is_work_stopped": True}, table.ACCEPTED: {"is_listed": True, "is_accepted": False},
    table.UNLISTED: {"is_listed": True}, table.LISTED: {"is_listed": False}, table.MAJOR: {"grade": "general"},
    table.CANDIDATE: {"is_candidate": False}, table.FREE: {"waits_for": "extension"}, table.EXTENSION: {"waits_for": "acceptance"},
    table.ACCEPTANCE: {"waits_for": None},
}  # fmt: skip
# What would make the action one that is so already; the cell is asked where it is not.
FRESH: dict[str, dict[str, Any]] = {"lift_stop": {"is_work_stopped": True}}
CELLS = [(state, action, role) for state in STEPS for action in rules.ACTIONS for role in ROLES]


def there(state: str, step: table.Step, action: str) -> Present:
    found = Present(state)
    for name in step.must:
        found = replace(found, **MEETS[name])
    return replace(found, **FRESH.get(action, {}))


def test_every_cell_does_what_the_table_says_and_no_other_cell_does_anything() -> None:
    taken = 0
    for state, action, role in CELLS:
        step = STEPS[state].get(action)
        if step is None:
            for found in (judge(action, role, Present(state)), judge(action, role, Present(state, is_listed=True, is_accepted=True, grade="major"))):
                is_claim = action in rules.CLAIMS and found.step is rules.PROPOSED
                assert found.verdict.status != "applied" and (found.step is None or is_claim), (state, action, role)
            continue
        found, now = judge(action, role, there(state, step, action)), there(state, step, action)
        if role not in step.who:
            assert (found.verdict.status, found.verdict.reason, found.step) == ("parked", "forbidden", None), (state, action, role)
            continue
        assert (found.verdict.status, found.step) == ("applied", step), (state, action, role, found)
        taken += 1
        for name in step.must:
            broken = judge(action, role, replace(now, **BREAKS[name]))
            assert (broken.verdict.status, broken.verdict.reason, broken.step) == ("parked", "guard_failed", None), (state, action, name)
    assert len(CELLS) == 11 * len(rules.ACTIONS) * len(ROLES) > 3000 and taken > 250, (len(CELLS), taken)


def test_each_state_has_one_who_is_next_and_one_clock_and_none_when_it_is_over() -> None:
    for state in STEPS:
        for waits_for in (None, "extension", "acceptance"):
            wait = rules.waits(state, waits_for)
            assert (wait is not None) == rules.is_open(state), state
            assert wait is None or ("," not in wait.next_actor and wait.clock)
    assert set(table.WAITS) == {state for state in STEPS if rules.is_open(state)}


def test_what_releases_a_danger_yields_to_whoever_says_meanwhile_that_it_is_there() -> None:
    for action in ("pass_acceptance", "delist", "decide_general"):
        now = there("fix_reported", STEPS["fix_reported"][action], action)
        for said in ("danger", "report", "refuse_fix", "stop_work"):
            assert judge(action, "city", replace(now, said=frozenset({said}))).verdict.reason == "conflict", (action, said)
        assert judge(action, "city", replace(now, said=frozenset({"escalate", "note"}))).verdict.status == "applied", action


# ---- through the real door


def _send(kind: str) -> Callable[[Ground, str, Actor], Any]:
    return lambda ground, ent, who: acts.send(ground, ent, kind, "market", who, **({"area_id": "370302"} if kind == "assist" else {}))


def _waiting(ground: Ground, verb: str) -> tuple[str, str]:
    """A problem with an open application: (problem, proceeding)."""
    ent = acts.in_work(ground)
    if verb == "extension":
        return ent, acts.ask_extension(ground, ent).result["proceeding"]
    assert ground.act(ent, "report_fixed", "school", ground.seen(ent)).status == "applied"
    return ent, acts.ask_acceptance(ground, ent).result["proceeding"]


def _fixed(ground: Ground) -> str:
    ent = acts.in_work(ground)
    ground.act(ent, "report_fixed", "school", ground.seen(ent))
    return ent


def _major(ground: Ground) -> str:
    ent = acts.in_work(ground)
    acts.major(ground, ent)
    return ent


def _accepted(ground: Ground) -> tuple[str, str]:
    ent, listing = acts.listed(ground)
    ground.act(ent, "report_fixed", "school", ground.seen(ent))
    acts.decide_acceptance(ground, ent, acts.ask_acceptance(ground, ent).result["proceeding"])
    return ent, listing


def _candidate(ground: Ground) -> str:
    ent = acts.in_work(ground)
    ground.put(ent, is_candidate_major=True)
    return ent


Made = tuple[str, str] | str
ACTS: dict[str, tuple[Callable[[Ground], Made], Callable[[Ground, Any, Actor], Any]]] = {
    "inform": (acts.in_work, _send("inform")), "hand_over": (acts.in_work, _send("hand_over")), "ask_help": (acts.in_work, _send("assist")),
    "consult": (_candidate, lambda g, e, who: g.do("major.consult", e, who, None, note="请论证（示例）")),
    "decide_major": (acts.in_work, lambda g, e, who: acts.major(g, e, "major", who)),
    "decide_general": (acts.in_work, lambda g, e, who: acts.major(g, e, "general", who)),
    "list": (_major, lambda g, e, who: acts.order(g, e, who=who)),
    "ask_extension": (acts.in_work, lambda g, e, who: acts.ask_extension(g, e, who)),
    "grant_extension": (lambda g: _waiting(g, "extension"), lambda g, e, who: acts.decide_extension(g, e[1], "granted", who)),
    "refuse_extension": (lambda g: _waiting(g, "extension"), lambda g, e, who: acts.decide_extension(g, e[1], "refused", who)),
    "ask_acceptance": (_fixed, lambda g, e, who: acts.ask_acceptance(g, e, who)),
    "pass_acceptance": (lambda g: _waiting(g, "acceptance"), lambda g, e, who: acts.decide_acceptance(g, e[0], e[1], "passed", who)),
    "fail_acceptance": (lambda g: _waiting(g, "acceptance"), lambda g, e, who: acts.decide_acceptance(g, e[0], e[1], "failed", who)),
    "delist": (_accepted, lambda g, e, who: g.do("listing.end", e[1], who, g.seen(e[0]), kind="listing", reason="验收合格（示例）")),
}  # fmt: skip


def person(ground: Ground, ent: str, role: str) -> Actor:
    """Somebody of a role who sees this problem, and has asked for nothing."""
    if role == "department":
        return replace(PEOPLE[role], id="u-dept", department_id=ground.row(ent)["department_id"])
    return replace(PEOPLE[role], id=f"u-{role}-2")


def test_each_act_is_tried_through_the_door() -> None:
    assert set(ACTS) == table.ACTS - {"escalate"}, "that one has its own tests"


@pytest.mark.parametrize("action", sorted(ACTS))
def test_an_act_is_taken_from_whom_the_table_names_and_from_nobody_else(both: Ground, action: str) -> None:
    make, ask = ACTS[action]
    for role in ("inspector", "expert", "school", "township", "department", "district", "city", "auditor"):
        made = make(both)
        ent = made if isinstance(made, str) else made[0]
        before = both.row(ent)
        step = STEPS[before["state"]][action]
        done = ask(both, made, person(both, ent, role))
        if role in step.who and may(role, "problem.act"):
            assert done.status == "applied", (role, done)
            assert both.row(ent)["state"] in (step.to or before["state"], "assigned" if action == "hand_over" else step.to or before["state"])
        else:
            assert (done.status, done.reason) == ("parked", "forbidden"), (role, done)
            assert both.row(ent) == before, role
