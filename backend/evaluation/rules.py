"""What is well for each indicator, and scores. Pure: no database, no clock. Weights are data that a city publishes; none is a
constant here.

Theory. Everything that counts has two times: when it was done and when it came in. Each indicator goes by the one that does
no wrong: what was done is judged by when it was done, whoever carried it here and however late; nobody is judged by what
nobody here knew. So a day that syncs nine days late leaves every score as if it had synced at once, but for what it tells anew.
"""

from collections.abc import Collection, Iterable, Mapping
from dataclasses import dataclass
from datetime import date, datetime
from typing import Any
from zoneinfo import ZoneInfo

from backend.periods.rules import Window

SUBJECTS: Mapping[str, str] = {"district": "区县", "department": "部门", "school": "学校"}
INDICATORS: Mapping[str, str] = {
    "coverage": "排查覆盖率", "on_time": "按期整改率", "reinspection": "复查合格率", "lasting": "未复发率", "reply": "按期回复率",
    "evidence": "整改前后照片齐全率",
}  # fmt: skip
FEW = 10  # below so many cases a share says little, and the score says so


@dataclass(frozen=True, slots=True)
class Deed:
    """Something done: when, and when the server had it. Never done after it came in."""

    done_at: datetime
    received_at: datetime

    def days_late(self, zone: ZoneInfo) -> int:
        """Days of the city between the two."""
        return (self.received_at.astimezone(zone).date() - self.done_at.astimezone(zone).date()).days


@dataclass(frozen=True, slots=True)
class Case:
    """One thing that counts for an indicator: what it is (problem, site, handover), whose it is, and whether it is well.

    `days_late`: how many days after it was done the evidence of it came in.
    """

    indicator: str
    ref: str
    is_good: bool
    district: str | None = None
    department: str | None = None
    school: str | None = None
    days_late: int = 0


def deed(known_at: datetime | None, received_at: datetime) -> Deed:
    """`known_at`: when it was done, by a time that rests on the server's clock; None: nobody knows, it counts from receipt."""
    return Deed(min(known_at or received_at, received_at), received_at)


def earliest(deeds: Iterable[Deed]) -> Deed | None:
    """The one that was done first, however late it came in."""
    return min(deeds, key=lambda each: (each.done_at, each.received_at), default=None)


def is_within(one: Deed, asked: Window) -> bool:
    """Whether it was done in a period: not whether it came in then."""
    return asked.begins_at <= one.done_at < asked.ends_at


def kept_limit(done: Deed | None, due_on: date, at: datetime, zone: ZoneInfo) -> bool | None:
    """Whether a limit was kept: done by its last day. None while it runs: that is nobody's merit or fault yet."""
    if done is not None and done.done_at.astimezone(zone).date() <= due_on:
        return True
    return False if due_on < at.astimezone(zone).date() else None


def lasted(closings: Iterable[Deed], reopenings: Iterable[Deed], asked: Window) -> bool | None:
    """Whether what was closed in a period stayed so; None: it was not closed then.

    What was seen before the closing, and came in after it, says nothing of how the closing lasted.
    """
    first = earliest(each for each in closings if is_within(each, asked))
    return None if first is None else all(each.done_at <= first.done_at for each in reopenings)


def is_proven(before: Collection[str], after: Collection[str]) -> bool:
    """Whether there is a picture of the danger and another one of its end. One picture cannot be both."""
    return bool(before) and bool(after) and len({*before, *after}) > 1


def figures(cases: Iterable[Case], kind: str) -> dict[str, dict[str, list[int]]]:
    """{subject: {indicator: [good, all]}} of one kind of subject; what is nobody's of that kind is left out."""
    made: dict[str, dict[str, list[int]]] = {}
    for case in cases:
        subject = getattr(case, kind)
        if subject is not None:
            at = made.setdefault(subject, {}).setdefault(case.indicator, [0, 0])
            at[0] += case.is_good
            at[1] += 1
    return made


def score(told: Mapping[str, list[int]], weights: Mapping[str, int]) -> dict[str, Any]:
    """{score, is_small}: the weighted mean of the shares there are, in percent, of indicators that have cases and weight.

    None where there is none. `is_small`: one of them rests on fewer than FEW cases.
    """
    used = [(weights[name], good, whole) for name, (good, whole) in sorted(told.items()) if weights.get(name) and whole]
    total = sum(weight for weight, _, _ in used)
    if not total:
        return {"score": None, "is_small": True}
    mean = sum(weight * good / whole for weight, good, whole in used) / total
    return {"score": round(100 * mean, 1), "is_small": any(whole < FEW for _, _, whole in used)}
