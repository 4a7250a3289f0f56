"""A clock that has run out is told of upwards, level by level, each once, however often the sweep runs and whoever runs it."""

import json
from datetime import date, timedelta
from pathlib import Path
from typing import Any

from backend.access.scope import SYSTEM
from tests.journeys.stage import run_cli
from tests.problems.ground import PEOPLE, Ground
from tests.supervision import acts

# Due on Thursday 9 April 2026. Township: the day after. District: after three working days (9 + 3 = Tuesday 14).
# City: after seven (Monday 20).
DUE = date(2026, 4, 9)
STEPS = [(date(2026, 4, 9), None), (date(2026, 4, 10), "township"), (date(2026, 4, 14), "township"), (date(2026, 4, 15), "district"),
         (date(2026, 4, 20), "district"), (date(2026, 4, 21), "city"), (date(2026, 9, 1), "city")]  # fmt: skip


def told(ground: Ground, ent: str) -> list[str]:
    return [line.data["level"] for line in ground.lines(ent) if line.action == "escalate"]


def late(ground: Ground) -> str:
    ent = acts.in_work(ground)
    ground.put(ent, due_on=DUE, clock_on=DUE)
    return ent


def test_each_level_is_told_on_its_day_and_once(both: Ground) -> None:
    ent = late(both)
    for day, level in STEPS:
        for _ in range(3):
            acts.look(both, day)
        assert both.row(ent)["escalated_level"] == level, day
    assert told(both, ent) == ["township", "district", "city"]
    row = both.row(ent)
    assert (row["state"], row["next_actor"], row["clock_on"]) == ("fixing", "department", DUE), "who must act is still who must act"
    assert both.lines(ent)[-1].actor_id == SYSTEM.id and both.lines(ent)[-1].data["clock"] == "fix"


def test_after_a_long_silence_every_level_is_told_in_order_at_once(both: Ground) -> None:
    ent = late(both)
    assert acts.look(both, date(2026, 5, 20)) >= 3 and acts.look(both, date(2026, 5, 20)) == 0
    assert told(both, ent) == ["township", "district", "city"]


def test_a_new_clock_begins_anew_and_an_old_one_is_told_of_no_more(both: Ground) -> None:
    ent = late(both)
    acts.look(both, date(2026, 4, 10))
    n = both.row(ent)["clock_n"]
    assert both.act(ent, "report_fixed", "school", both.seen(ent)).status == "applied"
    row = both.row(ent)
    assert (row["escalated_level"], row["clock"], row["next_actor"], row["clock_on"]) == (None, "reinspect", "inspector", date(2026, 4, 10))
    stale = both.op("problem.escalate", ("problem", ent), SYSTEM, None, {"level": "district", "clock_n": n})
    assert stale.status == "noop"
    acts.look(both, date(2026, 4, 13))
    assert both.row(ent)["escalated_level"] == "township", "an inspector who does not come is late like anybody else"


def test_a_granted_extension_ends_the_escalation(both: Ground) -> None:
    ent = late(both)
    name = acts.ask_extension(both, ent).result["proceeding"]
    acts.decide_extension(both, name)
    acts.look(both, date(2026, 4, 21))
    assert told(both, ent) == [] and both.row(ent)["due_on"] == acts.TODAY + timedelta(days=40)


def test_nobody_but_the_server_says_that_a_clock_has_run_out_and_not_before_its_day(both: Ground) -> None:
    ent = late(both)
    args: dict[str, Any] = {"level": "township", "clock_n": both.row(ent)["clock_n"]}
    for who in ("city", "district", "department", "township", "inspector"):
        assert both.op("problem.escalate", ("problem", ent), who, None, args).reason == "forbidden"
    early = both.op("problem.escalate", ("problem", ent), SYSTEM, None, args)
    assert (early.reason, told(both, ent)) == ("guard_failed", [])


def test_who_closes_offline_need_not_have_seen_that_it_was_overdue(both: Ground) -> None:
    ent = late(both)
    both.act(ent, "report_fixed", "school", both.seen(ent))
    base = both.seen(ent)
    acts.look(both, date(2026, 5, 20))
    assert told(both, ent) != []
    done = both.act(ent, "close", "inspector", base)
    assert (done.status, both.row(ent)["state"], both.row(ent)["escalated_level"]) == ("applied", "closed", None)


def test_the_level_that_was_told_finds_it_on_its_desk(both: Ground) -> None:
    before = acts.counts(PEOPLE["township"])["escalated_to_me"]
    ent = late(both)
    acts.look(both, date(2026, 4, 10))
    assert both.row(ent)["escalated_level"] == "township"
    assert acts.counts(PEOPLE["township"])["escalated_to_me"] > before


def test_the_command_says_how_often_it_told_somebody(tmp_path: Path) -> None:
    assert run_cli(tmp_path, "migrate").returncode == 0
    done = run_cli(tmp_path, "escalate", "--json")
    assert (done.returncode, json.loads(done.stdout)) == (0, {"told": 0})
