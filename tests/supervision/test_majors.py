"""Major hazards: a candidate is decided by people, listed by the city, reported on, accepted, delisted, and only then closed."""

from datetime import date, timedelta
from typing import Any

import pytest

from tests.problems.ground import PEOPLE, Ground
from tests.supervision import acts


def candidate(ground: Ground) -> str:
    """校车: a candidate by the checklist, at a school where it has not been found yet."""
    while True:
        site, item = ground.place()
        if item == "A209":
            return ground.hazard(site_id=site, item=item)


def test_a_candidate_waits_for_a_collective_decision_within_seven_working_days(both: Ground) -> None:
    row = both.row(candidate(both))
    # 7 April 2026 + 7 working days: Thursday 16 April
    assert (row["is_candidate_major"], row["grade"], row["decide_by_on"]) == (True, "general", date(2026, 4, 16))
    assert both.row(acts.in_work(both))["decide_by_on"] is None


def test_experts_give_ten_more_days_once_and_their_opinion_belongs_to_the_decision(both: Ground) -> None:
    ent = candidate(both)

    def consult() -> Any:
        return both.do("major.consult", ent, "district", None, note="请专家论证（示例）")

    # 16 April + 10 working days; 1 – 5 May are off, Saturday 9 May is worked, but all that is later: Thursday 30 April
    assert (consult().status, both.row(ent)["decide_by_on"]) == ("applied", date(2026, 4, 30))
    assert (consult().status, both.row(ent)["decide_by_on"]) == ("noop", date(2026, 4, 30))
    assert acts.major(both, ent).reason == "invalid", "the experts' opinion is missing"
    done = acts.major(both, ent, expert_opinion="构成重大隐患（示例）")
    row, decision = both.row(ent), acts.of(both, ent)[-1]
    assert (done.status, row["grade"], row["is_candidate_major"], row["decide_by_on"]) == ("applied", "major", False, None)
    # notice within three working days: Friday 10 April
    assert (decision.status, decision.due_on, decision.said["posts"]) == ("major", date(2026, 4, 10), acts.POSTS)
    assert both.do("major.consult", ent, "district", None, note="再论证（示例）").reason == "guard_failed"


@pytest.mark.parametrize("posts", [[], acts.POSTS[:2], [acts.POSTS[0]] * 3, ["甲", "乙", " "], "大队长"])
def test_fewer_than_three_people_decide_nothing(both: Ground, posts: Any) -> None:
    ent = candidate(both)
    assert acts.major(both, ent, posts=posts).reason == "invalid" and both.row(ent)["grade"] == "general"


@pytest.mark.parametrize("who", ["department", "township", "school", "inspector", "expert"])
def test_a_grade_changes_by_decision_of_a_supervisor_alone(both: Ground, who: str) -> None:
    ent = candidate(both)
    assert acts.major(both, ent, who=who).reason in ("forbidden", "target_missing")
    edit = both.do("problem.edit", ent, "city", both.seen(ent), set={"grade": {"was": "general", "now": "major"}}, note="")
    assert (edit.reason, both.row(ent)["grade"]) == ("invalid", "general")


def test_what_was_decided_to_be_general_is_no_candidate_any_more(both: Ground) -> None:
    ent = candidate(both)
    assert acts.major(both, ent, "general").status == "applied"
    row = both.row(ent)
    assert (row["grade"], row["is_candidate_major"], row["decide_by_on"]) == ("general", False, None)
    assert acts.order(both, ent).reason == "guard_failed", "only a major hazard is listed"


def test_a_listed_hazard_has_the_citys_day_and_reports_each_quarter(both: Ground) -> None:
    ent, name = acts.listed(both)
    row = both.row(ent)
    assert (row["is_listed"], row["listed_level"], row["due_on"]) == (True, "city", acts.TODAY + timedelta(days=60))
    assert (row["clock_on"], row["report_by_on"]) == (row["due_on"], date(2026, 6, 30))
    assert acts.order(both, ent).status == "noop"
    done = both.do("listing.report", name, "school", None, kind="listing", text="已完成一半（示例）")
    assert (done.status, both.row(ent)["report_by_on"]) == ("applied", date(2026, 9, 30))
    assert both.do("listing.report", name, "inspector", None, kind="listing", text="替他报（示例）").reason == "forbidden"
    listing = acts.of(both, ent)[-1]
    assert [(r["on"], r["on_time"]) for r in listing.answer["reports"]] == [("2026-04-07", True)]


@pytest.mark.parametrize("who", ["district", "department", "township", "school", "inspector"])
def test_only_the_city_lists(both: Ground, who: str) -> None:
    ent = acts.in_work(both)
    acts.major(both, ent)
    assert acts.order(both, ent, who=who).reason in ("forbidden", "target_missing") and not both.row(ent)["is_listed"]


def fixed(ground: Ground) -> tuple[str, str]:
    ent, name = acts.listed(ground)
    assert ground.act(ent, "report_fixed", "school", ground.seen(ent)).status == "applied"
    return ent, name


def test_a_listed_hazard_is_closed_only_when_its_acceptance_has_passed(both: Ground) -> None:
    ent, listing = fixed(both)
    for action, who in (("close", "inspector"), ("merge", "district"), ("delete", "city")):
        more = {"into": both.hazard(), "note": "同一处"} if action == "merge" else {}
        done = both.do("problem.merge", ent, who, both.seen(ent), **more) if more else both.act(ent, action, who, both.seen(ent))
        assert done.reason == "guard_failed", action
    assert both.do("listing.end", listing, "city", both.seen(ent), kind="listing", reason="已治理（示例）").reason == "guard_failed"
    name = acts.ask_acceptance(both, ent).result["proceeding"]
    row = both.row(ent)
    # a visit within ten working days: Tuesday 21 April
    assert (row["next_actor"], row["clock"], row["clock_on"]) == ("supervisor", "visit_acceptance", date(2026, 4, 21))
    assert acts.decide_acceptance(both, ent, name, who="district").reason == "forbidden", "the city has listed it"
    assert acts.decide_acceptance(both, ent, name, base=None).reason == "conflict", "who does not say what they saw passes nothing"
    assert acts.decide_acceptance(both, ent, name).status == "applied"
    assert (both.row(ent)["is_accepted"], both.row(ent)["next_actor"], both.row(ent)["clock"]) == (True, "inspector", "reinspect")
    done = both.do("listing.end", listing, "city", both.seen(ent), kind="listing", reason="验收合格（示例）")
    assert (done.status, both.row(ent)["is_listed"], both.row(ent)["report_by_on"]) == ("applied", False, None)
    assert both.act(ent, "close", "inspector", both.seen(ent)).status == "applied"


def test_one_that_was_accepted_may_be_closed_before_it_is_delisted(both: Ground) -> None:
    ent, listing = fixed(both)
    name = acts.ask_acceptance(both, ent).result["proceeding"]
    acts.decide_acceptance(both, ent, name)
    assert both.act(ent, "close", "inspector", both.seen(ent)).status == "applied"
    assert both.do("listing.end", listing, "city", both.seen(ent), kind="listing", reason="验收合格（示例）").status == "applied"
    assert (both.row(ent)["state"], both.row(ent)["is_listed"]) == ("closed", False)


def test_a_failed_acceptance_goes_back_to_be_fixed_and_needs_a_reason(both: Ground) -> None:
    ent, _ = fixed(both)
    name = acts.ask_acceptance(both, ent).result["proceeding"]
    assert acts.decide_acceptance(both, ent, name, "failed", opinion=" ").reason == "invalid"
    assert acts.decide_acceptance(both, ent, name, "failed").status == "applied"
    row = both.row(ent)
    assert (row["state"], row["next_actor"], row["clock"], row["is_accepted"]) == ("fixing", "department", "fix", False)
    assert acts.decide_acceptance(both, ent, name, "passed").status == "superseded"


@pytest.mark.parametrize("verb", ["observe", "report"])
def test_danger_that_is_seen_after_it_was_accepted_takes_the_acceptance_back(both: Ground, verb: str) -> None:
    ent, _ = fixed(both)
    acts.decide_acceptance(both, ent, acts.ask_acceptance(both, ent).result["proceeding"])
    row = both.row(ent)
    if verb == "observe":
        both.do("problem.observe", ent, "inspector", None, seen="danger", fix=None)
    else:
        both.hazard(site_id=row["site_id"], item=row["item"])
    assert not both.row(ent)["is_accepted"]
    assert both.act(ent, "close", "inspector", both.seen(ent)).reason == "guard_failed"
    assert acts.counts(PEOPLE["city"])["listed"] > 0
