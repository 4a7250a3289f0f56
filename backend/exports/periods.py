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
from backend.periods import queries, words
from backend.periods.models import LedgerPeriod
from backend.periods.rules import MEASURES
from backend.periods.words import MEASURES_ZH

FORMS = ("csv", "xlsx", "jsonl")
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
            yield {"id": row["id"], "name": row["name"], "measure": MEASURES_ZH[name], **figures, "why": words.why(row["why"], name)}  # fmt: skip


def _foot(told: Mapping[str, Any]) -> tables.Foot:
    same = (("number", "编号"), ("period", "期间"), ("at", "数据截至"), ("published_at", "公布时间"),
            ("digest", "公布摘要 sha256"), ("note", "说明"))  # fmt: skip
    said = {**told, "period": words.days(told)}
    lines = [(name, label, str(said[name]), told[name]) for name, label in same]
    return (*lines, ("completeness", "完整性", words.complete(told["completeness"]), told["completeness"]))


def _later(clock: int, later: LedgerPeriod | None) -> tables.Foot:
    if later is None:
        return (("restatement", "重述", f"未公布，按记录时钟 {clock} 现算", {"number": None, "clock": clock}),)
    value = {"number": later.number, "clock": clock, "digest": later.digest, "note": later.note}
    return (("restatement", "重述", f"{later.number}；摘要 sha256 {later.digest}；{later.note}", value),)
