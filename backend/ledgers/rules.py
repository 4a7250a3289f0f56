"""Columns and sums of the ledgers. Pure."""

from collections.abc import Iterable, Mapping
from typing import Any

# The area table of the city: 隐患数 · 未整改 · 到期未整改 · 整改率, for general and major (domain: 隐患排查整治情况表)
GRADES = ("general", "major")
MEASURES = ("found", "open", "overdue")
GRADES_ZH = {"general": "一般", "major": "重大"}


def empty() -> dict[str, Any]:
    """A row of nothing."""
    return {"found": 0, "open": 0, "overdue": 0, **{g: dict.fromkeys(MEASURES, 0) for g in GRADES}}


def add(row: dict[str, Any], grade: str, found: int, is_open: int, overdue: int) -> None:
    """Count a group into a row."""
    for target in (row, row[grade if grade in GRADES else "general"]):
        for name, number in zip(MEASURES, (found, is_open, overdue), strict=True):
            target[name] += number


def finish(row: dict[str, Any]) -> dict[str, Any]:
    """Add what follows from the counts: closed and the rate of rectification (percent, None where nothing was found)."""
    for target in (row, *(row[g] for g in GRADES)):
        target["closed"] = target["found"] - target["open"]
        target["rate"] = round(100 * target["closed"] / target["found"], 1) if target["found"] else None
    return row


def total(rows: Iterable[Mapping[str, Any]]) -> dict[str, Any]:
    """Sum of rows, measure by measure."""
    made = empty()
    for row in rows:
        for grade in GRADES:
            add(made, grade, *(row[grade][m] for m in MEASURES))
    return finish(made)


# What a problem's day of discovery rests on (PROTOCOL.md P82)
TIME_QUALITY_ZH = {"anchored": "已校时", "bracketed": "区间内", "wall_only": "终端自报", "suspect": "存疑"}
PROBLEM_COLUMNS = (
    ("number", "编号"), ("district", "区县"), ("township", "镇办"), ("site", "学校/单位"), ("item", "检查项"), ("description", "问题描述"),
    ("category", "类别"), ("grade", "等级"), ("state", "状态"), ("found_on", "发现日期"), ("found_known", "时间依据"), ("report_count", "上报次数"),
    ("missing_photos", "待传照片"), ("unplaced_reason", "未定位原因"),
)  # fmt: skip
RESPONSIBILITY_COLUMNS = (
    ("number", "编号"), ("district", "区县"), ("site", "学校/单位"), ("item", "检查项"), ("lead", "牵头部门"), ("supporting", "配合部门"),
    ("city", "市级责任人"), ("department_holder", "部门责任人"), ("district_holder", "区县责任人"), ("township_holder", "镇办责任人"),
    ("unit_holder", "学校/单位责任人"), ("gaps", "责任空白"),
)  # fmt: skip
RECTIFICATION_COLUMNS = (
    ("number", "编号"), ("district", "区县"), ("site", "学校/单位"), ("item", "检查项"), ("target", "落实治理目标任务"), ("funds", "落实治理经费物资"),
    ("people", "落实治理机构人员"), ("time_limit", "落实治理时间要求"), ("plan", "落实安全措施应急预案"), ("due_on", "整改期限"), ("state", "状态"),
    ("closed_on", "销号日期"),
)  # fmt: skip
AREA_COLUMNS = (
    ("name", "区域"), ("found", "隐患数"), ("open", "未整改"), ("overdue", "到期未整改"), ("closed", "已整改"), ("rate", "整改率%"),
    ("general_found", "一般隐患数"), ("general_open", "一般未整改"), ("major_found", "重大隐患数"), ("major_open", "重大未整改"),
)  # fmt: skip


def flat(row: Mapping[str, Any]) -> dict[str, Any]:
    """A roll-up row as the columns of the area table."""
    inner = {f"{g}_{m}": row[g][m] for g in GRADES for m in MEASURES}
    return {
        "name": row.get("name", "合计"),
        **{k: row[k] for k in ("found", "open", "overdue", "closed", "rate")},
        **inner,
    }
