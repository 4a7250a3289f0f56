"""`verify` names every published thing in which a figure was changed past the program: documents, periods, restatements, draws, what was
seen, weights, evaluations. Both databases."""

import json

import pytest
from flask import Flask
from sqlalchemy import text

from backend.access.scope import SYSTEM
from backend.accounts import queries as accounts
from backend.backups import verify
from backend.config import Config
from backend.database import snapshot, transaction
from backend.ledgers.views import today
from backend.ops.apply import submit
from tests.backups.grounds import Phone, break_row
from tests.cast import CITY, A

# table, what is set, of which rows, what is named
FLIPS = [
    ("documents", "facts = replace(facts, '\"count\":', '\"count\": ')", "1 = 1", "document {document}"),
    ("documents", "digest = '0' || substr(digest, 1, 63)", "1 = 1", "document {document}"),
    ("ledger_period_cells", "standing = standing + 1", "number = '{period}' AND n = 0", "ledger {period}"),
    ("ledger_period_changes", "found = found + 1", "number = '{period}-R1' AND n = 0", "ledger {period}-R1"),
    ("ledger_periods", "digest = '0' || substr(digest, 1, 63)", "number = '{period}'", "ledger {period}"),
    ("samples", "seed = seed || '0'", "1 = 1", "sample {sample}"),
    ("samples", "content = replace(content, '100', '99')", "1 = 1", "sample {sample}"),
    ("sample_items", "stratum = 'x'", "1 = 1", "sample {sample}"),
    ("sample_items", "result = 'not_fixed'", "1 = 1", "sample {sample} {problem}"),
    ("evaluation_rows", "score = coalesce(score, 0) + 1", "subject = '" + A + "'", "evaluation {evaluation}"),
    ("evaluation_weights", "weights = '{\"coverage\": 99}'", "version = 1", "weights 1"),
]  # fmt: skip


@pytest.fixture
def told(filled: tuple[Config, Flask, str]) -> dict[str, str]:
    """One of each kind; names of them."""
    day = f"{today()}/{today()}"
    # the period that the ground has published, restated after one more finding
    phone = Phone("r-published")
    phone.report("A105")
    phone.push(filled[1])
    with snapshot() as session:
        made = {"period": str(session.scalar(text("SELECT number FROM ledger_periods")))}
        problem = str(session.scalar(text("SELECT id FROM problems WHERE item = 'A105'")))
        clerk = accounts.user_by_login(session, "city")
        assert clerk is not None
        city = accounts.actor_of(clerk)
    submit("ledger.restate", {"note": ""}, SYSTEM, ent=("ledger", made["period"]))
    with transaction() as session:
        session.execute(text("UPDATE problems SET state = 'closed', closed_at = received_at WHERE id = :id"), {"id": problem})
    args = {"node": CITY, "period": day, "seed": "20261124", "percent": 100}
    made["sample"] = submit("sample.draw", args, SYSTEM, ent=("sample", CITY)).result["number"]
    seen = {"problem_id": problem, "result": "fixed", "note": ""}
    submit("sample.result", seen, SYSTEM, ent=("sample", made["sample"]))
    submit("evaluation.weigh", {"weights": {"coverage": 1}}, SYSTEM, ent=("evaluation", "city"))
    of_day = {"kind": "district", "period": day}
    made["evaluation"] = submit("evaluation.publish", of_day, SYSTEM, ent=("evaluation", "city")).result["number"]
    issued = submit("document.issue", {"kind": "list_problem", "fields": {}}, city, ent=("node", CITY))
    return {**made, "problem": problem, "document": issued.result["document"]}


def named() -> list[str]:
    """What the check names."""
    found = verify.run(verify.checks_of(today(), None)["published"])["first"]
    return sorted({each["where"] for each in found})


def test_one_changed_figure_of_each_kind_is_named_and_so_is_what_was_erased(
    filled: tuple[Config, Flask, str], told: dict[str, str]
) -> None:
    config = filled[0]
    whole = verify.run(verify.checks_of(today(), None)["published"])
    assert whole["ok"] and whole["rows"] == 6, whole
    for table, change, where, name in FLIPS:
        column, which = change.split(" = ")[0], where.format(**told)
        with snapshot() as session:
            before = session.execute(text(f"SELECT {column} FROM {table} WHERE {which}")).scalar_one()
        break_row(config, f"UPDATE {table} SET {change} WHERE {which}")
        assert named() == [name.format(**told)], (table, change)
        kept = {} if isinstance(before, dict) else {"kept": before}  # PostgreSQL takes JSON as a literal alone
        put = ":kept" if kept else f"'{json.dumps(before)}'"
        break_row(config, f"UPDATE {table} SET {column} = {put} WHERE {which}", **kept)
    assert named() == []
    break_row(config, "DELETE FROM evaluations")
    assert named() == [f"evaluation {told['evaluation']}"], "what was erased stands in the journal"
