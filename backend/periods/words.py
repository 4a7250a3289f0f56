"""Published periods in words, as files and papers say them: figures, reasons, completeness. No reads, no sums."""

from collections.abc import Mapping
from typing import Any

from backend.periods.rules import REASONS

MEASURES_ZH: Mapping[str, str] = {
    "found": "期内发现", "open": "期内发现未销号", "overdue": "期内发现已逾期", "standing": "期末未销号", "standing_overdue": "期末已逾期",
}  # fmt: skip


def why(reasons: Mapping[str, Mapping[str, int]], measure: str) -> str:
    """The reasons of one figure's difference, each with its signed count."""
    counts = {REASONS[reason]: figures[measure] for reason, figures in reasons.items() if figures[measure]}
    return "；".join(f"{word} {count:+d}" for word, count in counts.items())


def days(told: Mapping[str, Any]) -> str:
    """The period of a publication's head (queries.told) with its days; one that is named by its days has no other name."""
    span = f"{told['from_on']} 至 {told['to_on']}"
    return span if "/" in told["period"] else f"{told['period']}（{span}）"


def complete(said: Mapping[str, Any]) -> str:
    """A publication's completeness."""
    tasks, devices = said["tasks"], said["devices"]
    share = "—" if tasks["percent"] is None else f"{tasks['percent']}%"
    words = ["期间已结束" if said["is_over"] else "期间未结束",
             f"任务 {tasks['total']}，完成 {tasks['done']}，免查 {tasks['excused']}（{share}）"]  # fmt: skip
    if devices:
        words.append(
            f"终端 {devices['devices']}，失联 {devices['silent']}，已知未上传 {devices['held_ops']} 条，缺照片 {devices['photos_missing']}"
        )
    return "；".join([*words, f"未定位 {said['unplaced']['count']}"])
