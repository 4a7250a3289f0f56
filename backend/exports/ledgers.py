"""Which ledgers go into a file, in which form: the whole export of a node. No sums are made here."""

import json
from collections.abc import Iterator, Mapping
from datetime import date
from pathlib import Path
from typing import Any

from sqlalchemy.orm import Session

from backend.access.scope import Actor
from backend.exports import tables
from backend.ledgers import queries, rules

LISTS: Mapping[str, tuple[str, Any]] = {
    "problem": ("问题清单", rules.PROBLEM_COLUMNS),
    "responsibility": ("责任清单", rules.RESPONSIBILITY_COLUMNS),
    "rectification": ("整改清单", rules.RECTIFICATION_COLUMNS),
}


def area_rows(rollup: Mapping[str, Any]) -> list[dict[str, Any]]:
    """Rows of the area table: children, then the total, then what has no place yet."""
    rows = [rules.flat(row) for row in rollup["rows"]]
    rows.append({**rules.flat(rollup["total"]), "name": "合计"})
    return [*rows, {"name": "未定位（另列）", "found": rollup["unplaced"]["count"]}]


def document(session: Session, actor: Actor, node: str, today: date) -> dict[str, Any]:
    """The whole ledger of a node as one JSON document."""
    made = {"rollup": queries.rollup(session, actor, node, today)}
    made |= {
        f"by_{axis}": queries.rollup(session, actor, node, today, axis) for axis in ("department", "category", "grade")
    }
    return made | {kind: list(queries.lists(session, actor, kind, node)) for kind in LISTS}


def csv_text(session: Session, actor: Actor, node: str, today: date, table: str = "area") -> Iterator[str]:
    """One table as CSV: `area` (roll-up) or one of the three lists."""
    if table == "area":
        return tables.csv_lines(rules.AREA_COLUMNS, area_rows(queries.rollup(session, actor, node, today)))
    return tables.csv_lines(LISTS[table][1], queries.lists(session, actor, table, node))


def write(session: Session, actor: Actor, node: str, today: date, form: str, target: Path) -> None:
    """Write the ledger of a node to a file: json, csv (area table) or xlsx (area table and the three lists)."""
    if form == "json":
        target.write_text(
            json.dumps(document(session, actor, node, today), ensure_ascii=False, indent=1, sort_keys=True),
            encoding="utf-8",
        )
    elif form == "csv":
        with open(target, "w", encoding="utf-8", newline="") as file:
            file.writelines(csv_text(session, actor, node, today))
    else:
        rollup = queries.rollup(session, actor, node, today)
        sheets: list[tuple[str, Any, Any]] = [("区域汇总", rules.AREA_COLUMNS, area_rows(rollup))]
        sheets += [
            (title, columns, queries.lists(session, actor, kind, node)) for kind, (title, columns) in LISTS.items()
        ]
        tables.xlsx(target, sheets)
