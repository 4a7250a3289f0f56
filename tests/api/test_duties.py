"""`duty.publish`, GET /v1/duty-rules, POST /v1/duty-preview: versions that take each other's place, and history tried under a new one."""

import json
from datetime import date, timedelta
from pathlib import Path
from typing import Any

import pytest
import yaml
from hypothesis import given
from hypothesis import strategies as st
from sqlalchemy import select

from backend.database import CommitClock
from backend.now import now_utc
from backend.problems.models import Problem
from backend.responsibility.duties import DutyRule, candidates
from backend.workdays import local_date
from tests import make
from tests.cast import A, B, World, told

TODAY = local_date(now_utc())


def publish(world: World, name: str, login: str = "city", **more: Any) -> Any:
    args = {"match": {"category": "public_order"}, "lead": "police", "valid_from": TODAY.isoformat(), **more}
    return world.desk(login).post("/v1/ops", json={"verb": "duty.publish", "ent": {"t": "duty", "id": name}, "args": args})


def rule(**more: Any) -> dict[str, Any]:
    return {"id": "proposed", "match": {"category": "public_order"}, "lead": "police", "valid_from": TODAY.isoformat(), **more}


def preview(world: World, *rules: dict[str, Any], login: str = "city") -> tuple[dict[str, dict[str, Any]], dict[str, Any]]:
    """Lines by number, and the summary."""
    answer = world.desk(login).post("/v1/duty-preview", json={"rules": list(rules)})
    assert answer.status_code == 200, answer.text
    *lines, last = [json.loads(line) for line in answer.text.splitlines()]
    return {line["number"]: line for line in lines}, last["summary"]


def raised(world: World, district: str = A, item: str = "A101") -> Any:
    made = make.problem(world, world.any_phone("inspector_a" if district == A else "inspector_b"), world.site(district), item)
    return world.look(select(Problem.number, Problem.department_id, Problem.id).where(Problem.id == made.id))[0]


@pytest.mark.answers("responsibility.duty_preview", 200)
def test_a_preview_tells_who_would_have_had_what_and_changes_nothing(world: World) -> None:
    here, there = raised(world), raised(world, B)
    before = world.look(select(CommitClock.v))
    lines, summary = preview(world, rule(match={"item": "A101", "district": A}, lead="tobacco"))
    assert lines[here.number]["then"] == here.department_id and lines[here.number]["now"] == "tobacco" and there.number not in lines
    assert lines[here.number]["present"] == here.department_id
    assert sum(summary["then"].values()) == sum(summary["now"].values()) == summary["problems"] and summary["moved"] == len(lines)
    assert summary["now"]["tobacco"] - summary["then"].get("tobacco", 0) == sum(1 for line in lines.values() if line["now"] == "tobacco")
    assert world.look(select(CommitClock.v)) == before


def test_what_a_preview_says_is_what_happens_once_the_rule_is_published(world: World) -> None:
    asked = {"match": {"item": "A102", "district": A}, "lead": "housing", "supporting": ["urban"]}
    old = raised(world, item="A102")
    lines, _ = preview(world, rule(id="gates", **asked))
    done = publish(world, "gates", **asked)
    assert done.status_code == 200 and done.json["result"] == {"duty": "gates", "version": 1}, done.text
    new = raised(world, item="A102")
    assert new.department_id == "housing" == lines[old.number]["now"]
    assert raised(world, B, "A102").department_id == old.department_id, "another district keeps the item's own"
    assert world.look(select(Problem.department_id).where(Problem.id == old.id)) == [(old.department_id,)], "what was assigned stays"


@pytest.mark.answers("responsibility.duty_rules", 200)
def test_a_later_version_takes_the_earlier_ones_place_from_its_first_day(world: World) -> None:
    match = {"item": "A103", "district": A}
    first, second, third = (publish(world, "guards", match=match, lead=lead, valid_from=day.isoformat()).json["result"]["version"] for lead, day in
                            (("police", TODAY), ("education", TODAY), ("fire", TODAY + timedelta(days=1))))  # fmt: skip
    assert [second - first, third - second] == [1, 1]
    assert raised(world, item="A103").department_id == "education", "the newest that has begun; the next begins tomorrow"
    rows = [each for each in world.desk("auditor").get("/v1/duty-rules").json["rules"] if each["id"] == "guards"]
    assert [each["lead"] for each in rows] == ["police", "education", "fire"]
    assert publish(world, "guards", match=match, lead="police", valid_to=TODAY.isoformat()).status_code == 200


def test_the_more_is_asked_the_more_a_rule_weighs_down_to_one_site(world: World) -> None:
    site = world.site()
    publish(world, "wide", match={"item": "A104"}, lead="police")
    publish(world, "narrow", match={"item": "A104", "district": A, "site": site}, lead="fire")
    made = make.problem(world, world.any_phone("inspector_a"), site, "A104")
    assert world.look(select(Problem.department_id).where(Problem.id == made.id)) == [("fire",)]
    assert raised(world, item="A104").department_id == "police"


@pytest.mark.answers("responsibility.duty_rules", 403)
@pytest.mark.answers("responsibility.duty_preview", 403)
@pytest.mark.answers("responsibility.duty_preview", 422)
def test_who_may_not_and_what_cannot_be_meant_is_refused(world: World) -> None:
    assert publish(world, "x", "zhangdian").status_code == 403 and publish(world, "x", lead="nobody").status_code == 422
    assert publish(world, "x", valid_to="2020-01-01").status_code == 422 and publish(world, "x", match={"moon": "full"}).status_code == 422
    assert told(world.desk("auditor").post("/v1/duty-preview", json={"rules": [rule()]})) == (403, "forbidden")
    assert told(world.desk("city").post("/v1/duty-preview", json={"rules": []})) == (422, "invalid")
    assert told(world.any_phone("inspector_a").ask("GET", "/v1/duty-rules")) == (403, "forbidden")


def test_the_command_prints_the_same_lines(world: World, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    from click.testing import CliRunner  # noqa: PLC0415 - only here

    from backend.cli.duty import duty  # noqa: PLC0415

    raised(world)
    asked = rule(match={"item": "A101"}, lead="fire")
    file = tmp_path / "rules.yaml"
    file.write_text(yaml.safe_dump({"rules": [asked]}), encoding="utf-8")
    monkeypatch.setattr("backend.app.create_app", lambda: world.app)
    done = CliRunner().invoke(duty, ["preview", str(file)])
    assert done.exit_code == 0, done.output
    lines = [json.loads(line) for line in done.output.splitlines()]
    assert lines[-1]["summary"] == preview(world, asked)[1] and len(lines) - 1 == lines[-1]["summary"]["moved"]


DAYS = st.integers(-20, 20).map(lambda n: date(2026, 11, 24) + timedelta(days=n))
RULES = st.lists(st.builds(
    DutyRule, st.sampled_from(["a", "b"]), st.integers(1, 5), st.sampled_from([None, "p", "q"]), st.just({}), st.just("police"), st.just(()), DAYS, st.none(),
), max_size=8, unique_by=lambda each: (each.id, each.version))  # fmt: skip


@given(RULES, DAYS)
def test_of_each_rule_one_version_holds_and_it_is_the_newest_that_has_begun(ours: list[DutyRule], on: date) -> None:
    found = candidates((), ours, "p", on)
    assert len({each.id for each in found}) == len(found)
    for each in found:
        rivals = [r for r in ours if r.id == each.id and r.programme in (None, "p") and r.valid_from <= on]
        assert each.version == max(r.version for r in rivals)
    assert {each.id for each in found} == {r.id for r in ours if r.programme in (None, "p") and r.valid_from <= on}
