"""W1: every state × action × concurrent event × role, against the reviewed table and against the design's own words.

`tests/problems/intents.txt` is the table for people; `python -m tests.problems.triples` writes it again.
"""

import inspect
from dataclasses import replace
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from backend.access.roles import ROLES
from backend.problems import fields, life, rules
from backend.problems.rules import STEPS, Present, judge
from sync_protocol.limits import REASONS, STATUSES
from tests.problems import triples
from tests.problems.triples import Triple, after

ROOT = Path(__file__).parents[2]
ALL = list(triples.triples())
ENDS = {action for action in rules.ACTIONS for row in STEPS.values() if action in row and rules.releases(action, row[action])}
SAFE = {"closed", "refuted", "merged", "deleted"}
PRESENT = st.builds(
    Present, st.sampled_from(sorted(STEPS)), st.booleans(), st.sampled_from([0, 0, 2]),
    st.frozensets(st.sampled_from(sorted({"note", "edit", "report", "joined", "raise", *rules.ACTIONS})), max_size=4),
    st.booleans(), st.booleans(), st.booleans(),
)  # fmt: skip


def test_the_table_that_people_reviewed_is_what_the_rules_say() -> None:
    assert triples.table() == (Path(__file__).parent / "intents.txt").read_text(encoding="utf-8"), "python -m tests.problems.triples"


def test_the_page_for_proof_reading_is_current() -> None:
    assert life.page() == (ROOT / "docs/problem-life.md").read_text(encoding="utf-8"), "make life"
    assert set(life.STATES) == set(STEPS) and set(life.ACTIONS) == set(rules.ACTIONS)


# The rows of the design (§2g), word for word: what was done offline, what happened meanwhile, what it comes to.
@pytest.mark.parametrize(("saw", "action", "meanwhile", "outcome", "state"), [
    ("fix_reported", "close", "assign", "proposed", "to_verify"),  # reassigned to B: never silently closed, never lost
    ("fix_reported", "close", "edit", "applied", "closed"),  # due date or severity edited: commutes
    ("fix_reported", "close", "close", "noop", None),  # closed already
    ("fix_reported", "close", "merge", "redirected", None),  # merged as a duplicate
    ("fix_reported", "close", "close+reopen", "conflict", None),  # re-opened after a second inspection
    ("fix_reported", "close", "danger", "conflict", None),  # seen again
    ("fix_reported", "close", "report", "conflict", None),
    ("assigned, stopped", "stop_work", "lift_stop", "applied", "assigned"),  # a new stop-work: danger wins
    ("fixing", "stop_work", "stop+lift", "applied", "fixing"),
    ("assigned", "assign", "assign", "superseded", None),  # the server's stands
    ("fix_reported", "close", "delete", "target_deleted", None),
    ("assigned", "accept", "delete", "target_deleted", None),
    ("fix_reported", "close", "note", "applied", "closed"),  # a fact does not make a base stale
])  # fmt: skip
def test_a_row_of_the_design(saw: str, action: str, meanwhile: str, outcome: str, state: str | None) -> None:
    (triple,) = [t for t in ALL if (triples.named(t.saw), t.action, t.meanwhile) == (saw, action, meanwhile)]
    found = triple.judged()
    assert (found.verdict.reason or found.verdict.status) == outcome
    assert (found.step and (found.step.to or triple.then.state)) == state
    assert ("rebased" in found.verdict.flags) == (outcome == "applied" and meanwhile not in ("note", "nothing"))


@pytest.mark.parametrize("role", ROLES)
def test_a_role_that_may_not_gets_nowhere_and_the_others_all_get_as_far(role: str) -> None:
    for triple in ALL:
        mine, anybody = triple.judged(role), triple.judged("system")
        step = STEPS[triple.then.state].get(triple.action)
        may = role in (step.who if step else frozenset().union(*(r[triple.action].who for r in STEPS.values() if triple.action in r)))
        is_elsewhere = anybody.verdict.status == "redirected" or anybody.verdict.reason == "target_deleted"
        if may or is_elsewhere:
            assert mine == anybody, triple
        else:
            assert (mine.verdict.status, mine.verdict.reason, mine.step) == ("parked", "forbidden", None), triple


def test_nothing_ends_a_danger_that_somebody_has_spoken_of_since() -> None:
    """W3, for every history of the table."""
    for triple in ALL:
        found = triple.judged()
        ends = found.step is not None and (found.step.to in SAFE or found.step.stops_work is False)
        if ends and found.verdict.status == "applied":
            assert not triple.then.said & rules.DANGER, triple
            assert not triple.then.said - rules.FACTS - rules.EDITS, f"{triple}: a step that its author had not seen"


def test_a_claim_is_never_refused_for_coming_late() -> None:
    for triple in ALL:
        if triple.action in rules.CLAIMS and not triple.then.said & rules.DANGER:
            at_once = judge(triple.action, "system", triple.saw)
            reason = triple.judged().verdict.reason
            assert reason in (None, "target_deleted") or at_once.verdict.reason == reason == "guard_failed", triple


def test_whatever_waits_has_somebody_who_can_end_it() -> None:
    for state, row in STEPS.items():
        assert row, f"nothing leads out of {state}"
        for role in ("district", "city"):
            if rules.is_open(state):
                assert any(role in step.who and (step.to or state) != state for step in row.values()), f"{state} waits for ever"
    fresh = judge("confirm_fix", "district", Present("to_verify"))
    assert (fresh.verdict.status, fresh.step and fresh.step.to) == ("applied", "closed")


@pytest.mark.parametrize("action", sorted(ENDS & {"close", "confirm_fix"}))
def test_closing_waits_for_every_photo_and_for_the_stop_to_be_lifted(action: str) -> None:
    waits = judge(action, "district", Present("to_verify", missing_photos=2))
    assert (waits.verdict.reason, waits.why) == ("guard_failed", "photos of this problem are not here yet: 2")
    stopped = judge(action, "district", Present("to_verify", is_work_stopped=True))
    assert stopped.verdict.reason == "guard_failed" and "stop" in stopped.why


def test_a_close_whose_own_photos_are_on_their_way_is_a_claim_and_closes_nothing() -> None:
    found = judge("close", "inspector", Present("fix_reported", awaits_own=True))
    assert (found.verdict.status, found.step and found.step.to) == ("proposed", "to_verify")


@pytest.mark.parametrize("action", sorted(ENDS))
def test_who_does_not_say_what_they_saw_ends_nothing(action: str) -> None:
    everything = frozenset({"raise", "assign"})
    for state, row in STEPS.items():
        if action in row:
            found = judge(action, "system", Present(state, said=everything, is_base_known=False))
            ends = found.verdict.status == "applied" and rules.releases(action, found.step)
            assert not ends, (state, found)


@given(PRESENT, st.sampled_from(rules.ACTIONS), st.sampled_from([*ROLES, "nobody"]))
def test_i16_a_judgement_depends_on_state_op_and_rights_alone(now: Present, action: str, role: str) -> None:
    found = judge(action, role, now)
    assert found == judge(action, role, replace(now, said=frozenset(sorted(now.said)))), "the same twice"
    assert found.verdict.status in STATUSES and (found.verdict.reason is None or found.verdict.reason in REASONS)
    assert (found.step is not None) == (found.verdict.status in ("applied", "proposed"))
    assert found.verdict.status != "applied" or role in (found.step.who if found.step else ())


@given(PRESENT, st.sampled_from(rules.ACTIONS))
def test_facts_never_change_a_judgement(now: Present, action: str) -> None:
    told = replace(now, said=now.said | {"note", "photo", "work_stopped", "unmerged_edit"})
    assert judge(action, "system", told) == judge(action, "system", replace(now, said=now.said - rules.FACTS))


def test_a_judgement_has_no_way_to_learn_the_time() -> None:
    assert list(inspect.signature(judge).parameters) == ["action", "role", "now"]
    assert {f for f in Present.__slots__ if "at" in f.split("_")} == set()
    for module in (rules, fields):
        assert not {"datetime", "time"} & set(vars(module))


def test_a_triple_follows_from_what_was_done() -> None:
    now = after(Present("fix_reported"), "close")
    assert now is not None and (now.state, now.said) == ("closed", frozenset({"close"}))
    assert after(Present("closed"), "report") is None and after(Present("deleted"), "note") is None
    assert after(Present("fix_reported", is_work_stopped=True), "close") is None
    assert len({(triples.named(t.saw), t.meanwhile, t.action) for t in ALL}) == len(ALL) > 2500
    assert isinstance(ALL[0], Triple)
