"""Indicators and scores. Pure: no database, no clock. Weights are data that a city publishes; none is a constant here."""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from typing import Any

SUBJECTS: Mapping[str, str] = {"district": "区县", "department": "部门", "school": "学校"}
INDICATORS: Mapping[str, str] = {
    "coverage": "排查覆盖率", "on_time": "按期整改率", "reinspection": "复查合格率", "lasting": "未复发率", "reply": "按期回复率",
}  # fmt: skip
FEW = 10  # below so many cases a share says little, and the score says so


@dataclass(frozen=True, slots=True)
class Case:
    """One thing that counts for an indicator: what it is (problem, site, handover), whose it is, and whether it is well."""

    indicator: str
    ref: str
    is_good: bool
    district: str | None = None
    department: str | None = None
    school: str | None = None


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
