"""A published period as a file, and what it says now with the reasons: rows, and below them number, digest and completeness.

No sums are made here: what is written is what periods/queries.py tells this reader.
"""

from collections.abc import Iterator, Mapping
from typing import IO, Any

from sqlalchemy.orm import Session

from backend.access.scope import Actor
from backend.errors import NotFound
from backend.exports import tables
from backend.ledgers import queries as ledgers
from backend.periods import queries
from backend.periods.models import LedgerPeriod
from backend.periods.rules import MEASURES, REASONS

FORMS = ("csv", "xlsx", "jsonl")
MEASURES_ZH: Mapping[str, str] = {
    "found": "期内发现", "open": "期内发现未销号", "overdue": "期内发现已逾期", "standing": "期末未销号", "standing_overdue": "期末已逾期",
}  # fmt: skip
COLUMNS = (("id", "编码"), ("name", "名称"), *((name, MEASURES_ZH[name]) for name in MEASURES))
RESTATED = (("id", "编码"), ("name", "名称"), ("measure", "指标"), ("then", "公布时"), ("now", "现在"), ("difference", "差"), ("why", "原因"))  # fmt: skip


def media_type(form: str) -> str:
    """Of a form in which periods are written. Raises NotFound."""
    if form not in FORMS:
        raise NotFound(f"periods: {', '.join(FORMS)}")
    return tables.FORMS[form][0]


def write(session: Session, actor: Actor, number: str, form: str, node: str | None, by: str, file: IO[bytes]) -> None:
    """The figures as they were published. Raises NotFound: no such publication, form, or node of theirs."""
    media_type(form)
    found = queries.published(session, actor, number)
    made = queries.rollup(session, actor, found, node or ledgers.home(session, actor), by)
    rows = [*made["rows"], {**made["total"], "id": "", "name": "合计"}]
    tables.FORMS[form][1](file, "公布数", COLUMNS, rows, _foot(queries.told(session, actor, found)))


def write_restated(
    session: Session, actor: Actor, number: str, form: str, node: str | None, by: str, edition: str | None, file: IO[bytes]
) -> None:  # fmt: skip
    """Then, now, difference and why: as a restatement told it, else as of now. Raises as `write`, and for no such restatement."""
    media_type(form)
    found, later = queries.published(session, actor, number), queries.edition_of(session, actor, number, edition)
    made = queries.restated(session, actor, found, later, node or ledgers.home(session, actor), by)
    told = [*made["rows"], {**made["total"], "id": "", "name": "合计"}]
    foot = (*_foot(queries.told(session, actor, found)), *_later(made["clock"], later))
    tables.FORMS[form][1](file, "公布后变化", RESTATED, _restated(told), foot)


def _restated(told: list[dict[str, Any]]) -> Iterator[dict[str, Any]]:
    """A row for each figure of each row."""
    for row in told:
        for name in MEASURES:
            figures = {side: row[side][name] for side in ("then", "now", "difference")}
            yield {"id": row["id"], "name": row["name"], "measure": MEASURES_ZH[name], **figures, "why": _why(row["why"], name)}  # fmt: skip


def _why(reasons: Mapping[str, Mapping[str, int]], measure: str) -> str:
    counts = {REASONS[reason]: figures[measure] for reason, figures in reasons.items() if figures[measure]}
    return "；".join(f"{word} {count:+d}" for word, count in counts.items())


def _foot(told: Mapping[str, Any]) -> tables.Foot:
    same = (("number", "编号"), ("period", "期间"), ("at", "数据截至"), ("published_at", "公布时间"),
            ("digest", "公布摘要 sha256"), ("note", "说明"))  # fmt: skip
    days = f"{told['from_on']} 至 {told['to_on']}"
    words = {**told, "period": f"{told['period']}（{days}）"}
    lines = [(name, label, str(words[name]), told[name]) for name, label in same]
    return (*lines, ("completeness", "完整性", _complete(told["completeness"]), told["completeness"]))


def _later(clock: int, later: LedgerPeriod | None) -> tables.Foot:
    if later is None:
        return (("restatement", "重述", f"未公布，按记录时钟 {clock} 现算", {"number": None, "clock": clock}),)
    value = {"number": later.number, "clock": clock, "digest": later.digest, "note": later.note}
    return (("restatement", "重述", f"{later.number}；摘要 sha256 {later.digest}；{later.note}", value),)


def _complete(said: Mapping[str, Any]) -> str:
    """A publication's completeness in words."""
    tasks, devices = said["tasks"], said["devices"]
    share = "—" if tasks["percent"] is None else f"{tasks['percent']}%"
    words = ["期间已结束" if said["is_over"] else "期间未结束",
             f"任务 {tasks['total']}，完成 {tasks['done']}，免查 {tasks['excused']}（{share}）"]  # fmt: skip
    if devices:
        words.append(
            f"终端 {devices['devices']}，失联 {devices['silent']}，已知未上传 {devices['held_ops']} 条，缺照片 {devices['photos_missing']}"
        )
    return "；".join([*words, f"未定位 {said['unplaced']['count']}"])
