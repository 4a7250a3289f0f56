"""P71, P72: edits are joined three-way by what their author saw; what cannot stand is kept, shown and settled by people."""

from typing import Any

import pytest

from tests.problems.ground import Ground, new_id


def edit(ground: Ground, ent: str, who: str = "district", base: Any = None, op: str | None = None, **changes: Any) -> Any:
    """`problem.edit` with `field=(was, now)`."""
    made = {name: {"was": was, "now": now} for name, (was, now) in changes.items()}
    return ground.do("problem.edit", ent, who, base, op, set=made)


def test_an_untouched_field_is_taken_and_the_history_says_from_what_to_what(both: Ground) -> None:
    ent = both.hazard()
    done = edit(both, ent, base=both.seen(ent), description=("门前积水", "门前积水三米"), causes=([], ["thing"]))
    row, line = both.row(ent), both.lines(ent)[-1]
    assert (done.status, done.flags, done.ver) == ("applied", (), 3)
    assert (row["description"], row["causes"]) == ("门前积水三米", ["thing"])
    assert line.data["set"]["description"] == {"from": "门前积水", "to": "门前积水三米"}
    assert both.conflicts(ent) == []


def test_the_same_value_again_is_nothing(both: Ground) -> None:
    ent = both.hazard()
    edit(both, ent, target=(None, "消除积水"))
    done = edit(both, ent, base={"ver": 2}, target=(None, "消除积水"))
    assert (done.status, done.flags) == ("noop", ())


def test_two_texts_the_servers_stands_and_the_others_is_a_note(both: Ground) -> None:
    ent, base = both.hazard(), {"ver": 2}
    edit(both, ent, "district", base, description=("门前积水", "门前积水，已设警示"))
    op = new_id()
    done = edit(both, ent, "inspector", base, op, description=("门前积水", "门前积水约三米"))
    assert (done.status, done.flags) == ("applied", ("hard_conflict",))
    row, line = both.row(ent), both.lines(ent)[-1]
    assert row["description"] == "门前积水，已设警示"
    assert (line.action, line.note, line.op_id) == ("unmerged_edit", "门前积水约三米", op)
    assert row["notes"][-1] | {"kind": "unmerged_edit", "text": "门前积水约三米", "op": op} == row["notes"][-1]
    (conflict,) = both.conflicts(ent)
    assert (conflict.base, conflict.theirs, conflict.mine, conflict.kept) == (
        "门前积水", "门前积水，已设警示", "门前积水约三米", "门前积水，已设警示",
    )  # fmt: skip
    assert (conflict.op_id, conflict.field, conflict.policy, conflict.resolved_at) == (op, "description", "manual", None)


def test_where_the_device_wins_the_text_it_replaced_is_not_lost_either(both: Ground) -> None:
    ent, base = both.hazard(), {"ver": 2}
    edit(both, ent, "district", base, spot=(None, "东门"))
    done = edit(both, ent, "inspector", base, spot=(None, "西门北侧"))
    assert done.flags == ("merged", "hard_conflict")
    assert both.row(ent)["spot"] == "西门北侧"
    assert both.lines(ent)[-1].note == "东门" and both.conflicts(ent)[0].theirs == "东门"


def test_a_set_is_joined_and_nothing_is_put_aside(both: Ground) -> None:
    ent, base = both.hazard(), {"ver": 2}
    edit(both, ent, "district", base, causes=([], ["thing", "person"]))
    done = edit(both, ent, "inspector", base, causes=([], ["management", "thing"]))
    assert done.flags == ("merged", "soft_conflict")
    assert both.row(ent)["causes"] == ["management", "person", "thing"]
    assert [c.is_joined for c in both.conflicts(ent)] == [True]
    again = edit(both, ent, "inspector", both.seen(ent), causes=(["thing", "person", "management"], ["thing"]))
    assert again.flags == (), "a set has no order: what its author saw is what is there"


def test_edits_of_different_fields_both_stand(both: Ground) -> None:
    ent, base = both.hazard(), {"ver": 2}
    due = both.row(ent)["due_on"]
    due = due and due.isoformat()
    edit(both, ent, "district", base, due_on=(due, "2026-12-05"))
    done = edit(both, ent, "school", base, plan=(None, "清淤"))
    row = both.row(ent)
    assert (done.status, done.flags) == ("applied", ("merged",))
    assert (row["due_on"].isoformat(), row["plan"]) == ("2026-12-05", "清淤")
    assert row["deadline_reason"]["set_by"] == "u-district" and row["deadline_reason"]["before"], "no law is claimed for it"


def test_a_chain_that_nobody_cut_into_has_no_flag(both: Ground) -> None:
    ent, first, second = both.hazard(), new_id(), new_id()
    edit(both, ent, "inspector", {"ver": 2}, first, description=("门前积水", "甲"))
    done = edit(both, ent, "inspector", {"after": first}, second, description=("甲", "乙"))
    last = edit(both, ent, "inspector", {"after": second}, description=("乙", "丙"))
    assert (done.flags, last.flags, both.row(ent)["description"]) == ((), (), "丙")


def test_somebody_elses_edit_between_two_of_a_chain_is_told(both: Ground) -> None:
    ent, first = both.hazard(), new_id()
    edit(both, ent, "inspector", {"ver": 2}, first, description=("门前积水", "甲"))
    edit(both, ent, "district", both.seen(ent), target=(None, "消除积水"))
    second = edit(both, ent, "inspector", {"after": first}, description=("甲", "乙"))
    assert second.flags == ("merged",), "it came after the chain's last op: no cut"
    third = edit(both, ent, "inspector", {"after": second.op_id}, description=("乙", "丙"))
    assert third.flags == ("merged", "soft_conflict"), "others wrote between the first and the last op of the chain"
    assert both.row(ent)["description"] == "丙"


def test_a_chain_begun_on_an_old_base_is_told_though_its_last_op_is_the_newest(both: Ground) -> None:
    ent, first = both.hazard(), new_id()
    edit(both, ent, "district", both.seen(ent), target=(None, "消除积水"))
    edit(both, ent, "inspector", {"ver": 2}, first, plan=(None, "甲"))
    done = edit(both, ent, "inspector", {"after": first}, plan=("甲", "乙"))
    assert done.flags == ("merged", "soft_conflict")


@pytest.mark.parametrize(("who", "changes", "reason"), [
    ("inspector", {"due_on": (None, "2026-12-05")}, "forbidden"), ("school", {"description": ("门前积水", "没有")}, "forbidden"),
    ("school", {"plan": (None, "好"), "due_on": (None, "2026-12-05")}, "forbidden"),
    ("district", {"state": ("assigned", "closed")}, "invalid"), ("district", {"ver": (2, 99)}, "invalid"),
    ("district", {"grade": ("general", "major")}, "invalid"), ("district", {"due_on": (None, "明天")}, "invalid"),
    ("district", {"description": ("门前积水", None)}, "invalid"), ("district", {"causes": ([], ["weather"])}, "invalid"),
])  # fmt: skip
def test_who_may_not_or_what_is_no_value_changes_nothing(both: Ground, who: str, changes: Any, reason: str) -> None:
    ent = both.hazard()
    before = both.row(ent)
    done = edit(both, ent, who, **changes)
    assert (done.status, done.reason) == ("parked", reason)
    assert both.row(ent) == before


@pytest.mark.parametrize("broken", [{}, {"plan": {"now": "x"}}, {"plan": {"was": 1, "now": "x", "at": 2}}, {"plan": 7}, [], None])
def test_an_edit_says_what_was_and_what_is_to_be(both: Ground, broken: Any) -> None:
    ent = both.hazard()
    done = both.do("problem.edit", ent, "district", set=broken)
    assert (done.status, done.reason) == ("parked", "invalid")


def test_an_edit_of_a_merged_problem_is_kept_beside_the_survivor(both: Ground) -> None:
    ent, survivor = both.hazard(), both.hazard()
    assert both.do("problem.merge", ent, "district", both.seen(ent), into=survivor, note="同一处").status == "applied"
    done = edit(both, ent, "inspector", {"ver": 2}, description=("门前积水", "积水更深"))
    assert (done.status, done.result) == ("redirected", {"to": survivor})
    line = both.lines(survivor)[-1]
    assert (line.action, line.note, line.data["named"]) == ("unmerged_edit", "积水更深", ent)
    assert both.row(survivor)["description"] == "门前积水"


def conflict(ground: Ground) -> tuple[str, str]:
    """A problem with one conflict about its text: (problem, conflict)."""
    ent = ground.hazard()
    edit(ground, ent, "district", {"ver": 2}, description=("门前积水", "甲"))
    edit(ground, ent, "inspector", {"ver": 2}, description=("门前积水", "乙"))
    return ent, ground.conflicts(ent)[0].id


def resolve(ground: Ground, key: str, was: Any, now: Any, who: str = "district") -> Any:
    return ground.do("conflict.resolve", key, who, kind="conflict", was=was, now=now)


@pytest.mark.parametrize("wanted", ["甲", "乙", "甲，且乙"])
def test_a_supervisor_says_what_stands(both: Ground, wanted: str) -> None:
    ent, key = conflict(both)
    done = resolve(both, key, "甲", wanted)
    (settled,) = both.conflicts(ent)
    assert (done.status, both.row(ent)["description"]) == ("applied", wanted)
    assert (settled.resolved_by, settled.resolved_at is not None) == ("u-district", True)
    assert both.lines(ent)[-1].action == "resolve"


def test_a_conflict_is_settled_once_and_only_by_who_saw_what_stands(both: Ground) -> None:
    ent, key = conflict(both)
    late = resolve(both, key, "别的", "乙")
    assert (late.status, late.reason) == ("parked", "conflict")
    assert resolve(both, key, "甲", "乙").status == "applied"
    assert resolve(both, key, "甲", "乙").status == "noop"
    assert resolve(both, key, "乙", "丙", "city").status == "superseded"
    assert both.row(ent)["description"] == "乙"


@pytest.mark.parametrize(("who", "now", "reason"), [
    ("inspector", "乙", "forbidden"), ("township", "乙", "forbidden"), ("auditor", "乙", "forbidden"), ("district", None, "invalid"),
    ("district", 7, "invalid"),
])  # fmt: skip
def test_not_everybody_settles_and_not_with_anything(both: Ground, who: str, now: Any, reason: str) -> None:
    ent, key = conflict(both)
    done = resolve(both, key, "甲", now, who)
    assert (done.status, done.reason) == ("parked", reason)
    assert both.conflicts(ent)[0].resolved_at is None


def test_a_conflict_that_is_not_there_is_not_there(both: Ground) -> None:
    assert resolve(both, "no:description", "甲", "乙").reason == "target_missing"
