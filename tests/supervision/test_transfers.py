"""Transfer to another department (抄告 · 移交 · 协查函): receipt and answer, the lead moved by 移交 alone, both boxes counted."""

from dataclasses import replace
from typing import Any

import pytest

from tests.problems.ground import PEOPLE, Ground
from tests.supervision import acts
from tests.supervision.acts import MARKET


def receive(ground: Ground, name: str, who: Any = MARKET) -> Any:
    return ground.do("transfer.receive", name, who, None, kind="transfer", opinion="已接收（示例）")


def answer(ground: Ground, name: str, who: Any = MARKET) -> Any:
    return ground.do("transfer.answer", name, who, None, kind="transfer", result="已查处（示例）", done_on=acts.TODAY.isoformat())


def test_informing_another_department_leaves_the_lead_and_the_clock(both: Ground) -> None:
    ent = acts.in_work(both)
    before = both.row(ent)
    done = acts.send(both, ent)
    row, (kept,) = both.row(ent), acts.of(both, ent)
    assert done.status == "applied" and {k for k in row if row[k] != before[k]} == {"ver"}
    # 7 April 2026 and ten working days of ordinary weeks: Tuesday 21 April
    assert (kept.status, kept.due_on.isoformat(), kept.due_reason["basis"]["title"]) == ("sent", "2026-04-21", "安全生产隐患抄告表（宁波）")
    name = done.result["proceeding"]
    assert receive(both, name).status == "applied" and receive(both, name).status == "noop"
    assert answer(both, name).status == "applied" and answer(both, name).status == "noop"
    assert [(line.action, line.note) for line in both.lines(ent)[-3:]] == [
        ("inform", "请依职责处理（示例）"), ("received", "已接收（示例）"), ("answered", "已查处（示例）"),
    ]  # fmt: skip
    assert {note["kind"] for note in both.row(ent)["notes"]} >= {"received", "answered"}, "the device is told"


def test_handing_over_moves_the_lead_and_keeps_the_day(both: Ground) -> None:
    ent = acts.in_work(both)
    before = both.row(ent)
    assert acts.send(both, ent, "hand_over").status == "applied"
    row = both.row(ent)
    assert (row["department_id"], row["state"], row["next_actor"], row["due_on"]) == ("market", "assigned", "department", before["due_on"])
    assert [line.action for line in both.lines(ent)[-2:]] == ["hand_over", "assign"]
    assert acts.send(both, ent, "hand_over").status == "noop", "it has the matter already"
    assert acts.send(both, ent, "inform").reason == "guard_failed"


def test_help_is_asked_of_a_neighbouring_area_and_only_there_is_it_seen(both: Ground) -> None:
    ent = acts.in_work(both)
    far = acts.neighbour()
    before = (acts.counts(far)["received_unreplied"], acts.counts(MARKET)["received_unreplied"])
    name = acts.send(both, ent, "assist", area_id="370302").result["proceeding"]
    assert (acts.counts(far)["received_unreplied"], acts.counts(MARKET)["received_unreplied"]) == (before[0] + 1, before[1])
    assert receive(both, name).reason == "target_missing", "the market department of this district was not asked"
    assert answer(both, name, far).status == "applied"
    (kept,) = acts.of(both, ent)
    assert (kept.status, kept.received_by, kept.ended_by) == ("answered", far.id, far.id), "an answer is a receipt too"


@pytest.mark.parametrize(("kind", "more", "reason"), [
    ("assist", {}, "invalid"), ("assist", {"area_id": "370303"}, "invalid"), ("assist", {"area_id": "nowhere"}, "invalid"),
    ("inform", {"area_id": "370302"}, "invalid"), ("inform", {"department": "nobody"}, "invalid"), ("lend", {}, "invalid"),
])  # fmt: skip
def test_a_transfer_to_nowhere_is_refused(both: Ground, kind: str, more: dict[str, str], reason: str) -> None:
    ent = acts.in_work(both)
    assert acts.send(both, ent, kind, **more).reason == reason and acts.of(both, ent) == []


@pytest.mark.parametrize("who", ["inspector", "expert", "school", "auditor"])
def test_who_does_not_lead_transfers_nothing(both: Ground, who: str) -> None:
    ent = acts.in_work(both)
    assert acts.send(both, ent, who=who).reason == "forbidden"


def test_the_sender_does_not_answer_and_a_stranger_does_not_see(both: Ground) -> None:
    ent = acts.in_work(both)
    name = acts.send(both, ent).result["proceeding"]
    assert answer(both, name, "district").reason == "forbidden"
    other = replace(MARKET, id="u-urban", department_id="urban")
    assert answer(both, name, other).reason == "target_missing"
    assert answer(both, "nothing").reason == "target_missing"


def test_the_desk_counts_what_is_not_replied_and_not_answered_on_both_sides(both: Ground) -> None:
    urban = replace(PEOPLE["department"], id="u-urban", department_id="emergency")
    ent = acts.in_work(both)
    zero = acts.counts(urban)
    sent = [acts.send(both, ent, department="emergency").result["proceeding"] for _ in range(3)]
    receive(both, sent[0], urban)
    answer(both, sent[1], urban)
    now = acts.counts(urban)
    assert {k: now[k] - zero[k] for k in ("received_unreplied", "received_unanswered")} == {"received_unreplied": 1, "received_unanswered": 2}
    late = acts.counts(urban, days=30)
    assert late["received_overdue"] - acts.counts(urban)["received_overdue"] >= 2


def test_an_answer_comes_in_whatever_has_become_of_the_problem(both: Ground) -> None:
    ent, other = acts.in_work(both), both.hazard()
    name = acts.send(both, ent).result["proceeding"]
    assert both.do("problem.merge", ent, "district", both.seen(ent), into=other, note="同一处").status == "applied"
    assert answer(both, name).status == "applied"
    assert acts.send(both, ent).reason == "guard_failed", "it goes on as another problem"
