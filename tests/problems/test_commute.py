"""W2 (I17) and I15 on the real handlers: what commutes comes to the same in either order; what the clocks say changes nothing."""

from collections.abc import Sequence
from datetime import date
from typing import Any

from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from tests.problems.ground import Ground, new_id

Op = tuple[str, str, dict[str, Any]]  # verb, who, args
QUIET = {"deadline": None, "database": None, "suppress_health_check": list(HealthCheck)}
# Of the row: what names this one problem, and what the ledger of time says.
OWN = {"id", "number", "open_key", "site_id", "school_id", "item", "category", "description", "township_id", "area_path", "lon", "lat",
       "deadline_reason", "deadline_class", "is_candidate_major", "assigned_at", "received_at", "found_at", "closed_at", "notes",
       "clock_on", "clock_reason", "clock_n", "decide_by_on"}  # fmt: skip
PERSON = st.sampled_from(["inspector", "district", "city"])
TEXT = st.sampled_from(["甲", "乙", "丙"])


def fact() -> st.SearchStrategy[Op]:
    """A note, a sighting or photos, by anybody."""
    notes = st.builds(lambda text: ("problem.note", {"text": text}), TEXT)
    sightings = st.builds(lambda seen: ("problem.observe", {"seen": seen, "fix": None}),
                          st.sampled_from(["danger", "work_stopped", "work_going_on"]))  # fmt: skip
    return st.builds(lambda made, who: (made[0], who, made[1]), notes | sightings, PERSON)


VALUES: dict[str, st.SearchStrategy[Any]] = {
    "spot": TEXT, "plan": TEXT, "target": TEXT,
    "causes": st.lists(st.sampled_from(["person", "thing", "management"]), max_size=3), "due_on": st.sampled_from(["2026-12-05", "2026-12-06"]),
}  # fmt: skip
BEFORE: dict[str, Any] = {"spot": "原处", "plan": None, "target": "原定", "causes": ["thing"], "due_on": "2026-12-01"}
CHANGES = {  # each field's author saw what is there, or something else
    name: st.builds(lambda was, now: {"was": was, "now": now}, st.sampled_from([BEFORE[name], "别的"]), value)
    for name, value in VALUES.items()
}


def edit(names: Sequence[str]) -> st.SearchStrategy[Op]:
    """An edit of some of these fields."""
    chosen = st.fixed_dictionaries({}, optional={name: CHANGES[name] for name in names}).filter(bool)
    return chosen.map(lambda changes: ("problem.edit", "city", {"set": changes}))


DISJOINT = st.permutations(sorted(VALUES)).flatmap(lambda names: st.tuples(edit(names[:3]), edit(names[3:])))
COMMUTING = st.tuples(fact(), fact()) | st.tuples(fact(), edit(sorted(VALUES))) | DISJOINT


def begin(ground: Ground, state: str) -> str:
    """A problem in a state, with every editable field at its known value."""
    ent, is_open = ground.hazard(), state not in ("closed", "refuted")
    fields = {**BEFORE, "due_on": date.fromisoformat(BEFORE["due_on"])}
    ground.put(ent, state=state, is_open=is_open, department_id="police", **({} if is_open else {"open_key": None}), **fields)
    return ent


def played(ground: Ground, state: str, ops: Sequence[Op], order: Sequence[int], ats: Sequence[Any] | None = None) -> Any:
    """What comes of the ops in this order: outcomes and entity, with op ids by the number of the op."""
    ent = begin(ground, state)
    base, names, outcomes = ground.seen(ent), {n: new_id() for n in order}, {}
    for n in order:
        verb, who, args = ops[n]
        done = ground.do(verb, ent, who, base, names[n], at=ats[n] if ats else None, **args)
        outcomes[n] = (done.status, done.reason)
    return outcomes, seen(ground, ent, {op: n for n, op in names.items()})


def seen(ground: Ground, ent: str, names: dict[str, int]) -> Any:
    """The entity as people see it. The order in which facts came is told, and means nothing (P70): compared as sets."""
    row = ground.row(ent)
    notes = sorted((names.get(n["op"], -1), n["kind"], n["text"]) for n in row["notes"])
    lines = sorted((names.get(e.op_id, -1), e.action, e.status, e.note, repr(sorted(e.data.get("set", {}))))
                   for e in ground.lines(ent)[2:])  # fmt: skip
    aside = sorted((names.get(c.op_id, -1), c.field, repr((c.base, c.theirs, c.mine, c.kept)), c.is_joined) for c in ground.conflicts(ent))
    return {k: v for k, v in row.items() if k not in OWN}, row["description"], notes, lines, aside


def either_order(ground: Ground, state: str, ops: tuple[Op, Op]) -> None:
    assert played(ground, state, ops, (0, 1)) == played(ground, state, ops, (1, 0))


STATES = st.sampled_from(["assigned", "fix_reported", "closed", "refuted"])


@settings(max_examples=60, **QUIET)
@given(state=STATES, ops=COMMUTING)
def test_i17_facts_and_edits_of_different_fields_come_to_the_same_in_either_order(ground: Ground, state: str, ops: tuple[Op, Op]) -> None:
    either_order(ground, state, ops)


def test_two_edits_of_one_text_do_not_commute_and_nothing_of_either_is_lost(ground: Ground) -> None:
    """The law has an edge: here the order decides what stands, and both orders keep both texts."""
    ops: tuple[Op, Op] = tuple(("problem.edit", "city", {"set": {"target": {"was": "原定", "now": now}}}) for now in "甲乙")  # type: ignore[assignment]
    results = [played(ground, "assigned", ops, order)[1] for order in ((0, 1), (1, 0))]
    assert [result[0]["target"] for result in results] == ["甲", "乙"]
    assert [[text for _, _, text in result[2]] for result in results] == [["乙"], ["甲"]]


ACTS = ["accept", "report_fixed", "close", "confirm_fix", "refuse_fix", "reopen", "stop_work", "lift_stop", "return", "delete", "restore"]
INTENT = st.builds(lambda action, who: ("problem.act", who, {"action": action, "note": "说明"}), st.sampled_from(ACTS), PERSON)
ASSIGN = st.builds(lambda to: ("problem.assign", "district", {"department_id": to}), st.sampled_from(["market", "urban"]))
SCRIPT = st.lists(fact() | edit(sorted(VALUES)) | INTENT | ASSIGN, min_size=2, max_size=6)
ODD: st.SearchStrategy[Any] = st.none() | st.integers(-(2**60), 2**60) | st.text(max_size=5)
WALL = st.sampled_from(["1970-01-01T00:00:00Z", "2038-01-19T03:14:08Z", "2126-01-01T00:00:00+08:00", "", "昨天"])
AT = st.fixed_dictionaries({}, optional={"wall": WALL | ODD, "mono": ODD, "boot": ODD, "tok": ODD, "anchor": ODD})


@settings(max_examples=40, **QUIET)
@given(state=STATES, ops=SCRIPT, data=st.data())
def test_i15_whatever_the_clocks_say_outcomes_and_entity_are_the_same(ground: Ground, state: str, ops: list[Op], data: Any) -> None:
    def clocks() -> list[Any]:
        return [data.draw(AT) for _ in ops]

    order = range(len(ops))
    assert played(ground, state, ops, order, clocks()) == played(ground, state, ops, order, clocks())


@settings(max_examples=30, **QUIET)
@given(state=STATES, ops=SCRIPT)
def test_i16_the_same_ops_on_the_same_state_come_to_the_same(ground: Ground, state: str, ops: list[Op]) -> None:
    assert played(ground, state, ops, range(len(ops))) == played(ground, state, ops, range(len(ops)))
