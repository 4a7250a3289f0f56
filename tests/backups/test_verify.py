"""`verify` names what is broken: a byte in a photo, in an op's body, in the journal, a membership, a total.
Both databases."""

import json
import subprocess
import sys
import tracemalloc
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from flask import Flask
from sqlalchemy import text

from backend.backups import verify
from backend.backups.tally import NAMED, Tally, told
from backend.config import Config
from backend.database import snapshot
from backend.ledgers.views import today
from sync_protocol.identity import fingerprint
from tests.backups.grounds import Phone, break_row, flip, opened
from tests.cast import A_SITE


def examined(app: Flask) -> dict[str, Any]:
    return verify.record_of(today(), app.extensions["photo_store"])


def found_by(app: Flask, check: str) -> list[dict[str, str]]:
    """What one check names."""
    return verify.run(verify.checks_of(today(), app.extensions["photo_store"])[check])["first"]


def first(app: Flask, check: str) -> dict[str, str]:
    """The first finding of the one check that must find something."""
    return found_by(app, check)[0]


def op_ids(config: Config) -> list[str]:
    with snapshot() as session:
        return list(
            session.scalars(text("SELECT op_id FROM op_log WHERE replica IS NOT NULL ORDER BY replica, seq"))
        )


def test_a_sound_record_is_sound_and_every_check_has_looked_at_something(
    filled: tuple[Config, Flask, str],
) -> None:
    report = examined(filled[1])
    assert report["ok"], report["broken"]
    assert all(check["rows"] > 0 for check in report["checks"].values()), report["checks"]
    assert len(report["state_hash"]) == 64


def test_a_flipped_byte_in_a_photo_is_named(filled: tuple[Config, Flask, str]) -> None:
    _, app, sha = filled
    flip(app.extensions["photo_store"].path(sha), 1000)
    assert first(app, "photos")["where"] == f"photo {sha}"


def test_a_photo_that_is_gone_is_named(filled: tuple[Config, Flask, str]) -> None:
    _, app, sha = filled
    app.extensions["photo_store"].path(sha).unlink()
    found = first(app, "photos")
    assert found["where"] == f"photo {sha}" and "No such file" in found["reason"]


def test_a_flipped_letter_in_the_body_of_an_op_is_named(filled: tuple[Config, Flask, str]) -> None:
    config, app, _ = filled
    broken = op_ids(config)[1]
    break_row(config, "UPDATE op_log SET body = replace(body, 'A107', 'A108') WHERE op_id = :op", op=broken)
    assert first(app, "bodies") == {
        "where": f"op {broken}",
        "reason": "the body does not match its fingerprint",
    }


def test_a_body_and_its_fingerprint_altered_together_break_chain_and_journal(
    filled: tuple[Config, Flask, str],
) -> None:
    config, app, _ = filled
    broken = op_ids(config)[1]
    body = '{"op":"x","verb":"y"}'
    values = {"body": body, "fp": fingerprint(body), "op": broken}
    break_row(config, "UPDATE op_log SET body = :body, fp = :fp WHERE op_id = :op", **values)
    assert found_by(app, "bodies") == []
    assert first(app, "replicas")["where"].startswith("replica r-1")
    assert broken in first(app, "journal")["reason"]


@pytest.mark.parametrize(
    ("statement", "reason"),
    [
        (
            "UPDATE journal SET body = replace(body, '\"verb\"', '\"VERB\"') WHERE n = 5",
            "its hash does not match",
        ),
        ("UPDATE journal SET verb = 'problem.act' WHERE n = 5", "its column verb is not what its body says"),
        ("UPDATE journal SET at = at + 1 WHERE n = 5", "its column at is not what its body says"),
        ("UPDATE journal SET prev = hash WHERE n = 5", "its hash does not match"),
        ("DELETE FROM journal WHERE n = 4", "row 4 is missing"),
    ],
)
def test_an_altered_row_of_the_journal_is_named(
    filled: tuple[Config, Flask, str], statement: str, reason: str
) -> None:
    config, app, _ = filled
    break_row(config, statement)
    assert first(app, "journal") == {"where": "journal 5", "reason": reason}


def test_the_last_rows_of_the_journal_cannot_be_cut_off(filled: tuple[Config, Flask, str]) -> None:
    config, app, _ = filled
    break_row(config, "DELETE FROM journal WHERE n = (SELECT max(n) FROM journal)")
    assert first(app, "journal")["where"] == "journal head"


@pytest.mark.parametrize(
    ("statement", "check", "where"),
    [
        ("DELETE FROM op_log WHERE replica = 'r-1' AND seq = 2", "replicas", "replica r-1"),
        ("DELETE FROM replica_steps WHERE replica = 'r-2' AND seq = 1", "replicas", "replica r-2"),
        ("UPDATE replicas SET next_seq = next_seq + 1 WHERE id = 'r-1'", "replicas", "replica r-1"),
        ("UPDATE replicas SET head = CASE WHEN head LIKE 'aa%' THEN 'bb' ELSE 'aa' END || substr(head, 3) WHERE id = 'r-2'", "replicas", "replica r-2"),
        ("DELETE FROM replicas WHERE id = 'r-1'", "replicas", "replica r-1"),
        ("UPDATE problems SET state = 'closed' WHERE item = 'A213'", "problems", "problem "),
        ("UPDATE problems SET report_count = 7 WHERE item = 'A213'", "problems", "problem "),
        (
            "UPDATE feed_rows SET is_member = NOT is_member WHERE type = 'site' AND id = :site",
            "feed",
            f"site {A_SITE}",
        ),
        ("UPDATE feed_rows SET ver = 9 WHERE type = 'site' AND id = :site", "feed", f"site {A_SITE}"),
        ("UPDATE feed_rows SET id = 'nobody' WHERE type = 'site' AND id = :site", "feed", f"site {A_SITE}"),
        ("UPDATE sites SET district_id = '370302' WHERE id = :site", "feed", f"site {A_SITE}"),
        (
            "UPDATE problem_reports SET problem_id = 'none' WHERE op_id = :op",
            "references",
            "problem_reports none",
        ),
        ("DELETE FROM photos", "references", "photo_refs"),
    ],
)
def test_a_broken_row_is_named(
    filled: tuple[Config, Flask, str], statement: str, check: str, where: str
) -> None:
    config, app, _ = filled
    values = {k: v for k, v in {"site": A_SITE, "op": op_ids(config)[0]}.items() if f":{k}" in statement}
    break_row(config, statement, **values)
    assert first(app, check)["where"].startswith(where)


def test_a_problem_counted_where_it_is_not_breaks_the_ledgers(filled: tuple[Config, Flask, str]) -> None:
    config, app, _ = filled
    break_row(config, "UPDATE problems SET district_id = NULL WHERE item = 'A213'")
    where = {f["where"] for f in found_by(app, "ledger")}
    assert "ledger by school" in where and any(w.startswith("problem ") and w.endswith(":A213") for w in where)


def test_a_text_that_is_no_text_any_more_is_named_all_the_same(sqlite: Config) -> None:
    with opened(sqlite) as app:
        Phone().push(app)
        phone = Phone("r-3")
        op = phone.report()
        phone.push(app)
        break_row(
            sqlite,
            "UPDATE op_log SET body = CAST(x'ff' || substr(CAST(body AS BLOB), 2) AS TEXT) WHERE op_id = :op",
            op=op,
        )
        assert first(app, "bodies")["where"] == f"op {op}"


def test_a_torn_page_of_the_database_is_told_and_does_not_stop_the_other_checks(sqlite: Config) -> None:
    with opened(sqlite):
        pass
    path = sqlite.data / "huyuan.db"
    data = bytearray(path.read_bytes())
    at = data.find(b"photo-0001") if b"photo-0001" in data else data.find(A_SITE.encode())
    page = at // 4096 * 4096
    data[page : page + 100] = b"\xff" * 100
    path.write_bytes(data)
    with opened(sqlite) as app:
        report = examined(app)
        assert "database" in report["broken"] and report["checks"]["database"]["first"]
        assert report["checks"]["journal"]["rows"] > 0


def test_many_findings_are_counted_and_the_first_are_named() -> None:
    def findings(tally: Tally) -> Iterator[tuple[str, str]]:
        for n in range(1000):
            tally.rows += 1
            yield f"row {n}", "broken"

    made = told(findings)
    assert (made["broken"], made["rows"], made["ok"]) == (1000, 1000, False)
    assert [f["where"] for f in made["first"]] == [f"row {n}" for n in range(NAMED)]


def test_memory_stays_flat_however_long_the_log_is(sqlite: Config) -> None:
    with opened(sqlite) as app:
        checks = verify.checks_of(today(), None)

        def peak() -> int:
            tracemalloc.start()
            try:
                assert all(verify.run(checks[name])["ok"] for name in ("bodies", "replicas", "journal"))
                return tracemalloc.get_traced_memory()[1]
            finally:
                tracemalloc.stop()

        def more(count: int) -> None:
            for _ in range(count):
                for _ in range(200):
                    phone.record("no.such.verb", ("thing", "x"), {"note": "字" * 3000})
                phone.push(app)

        phone = Phone()
        more(6)  # more than is read at once
        few = peak()
        more(12)
        assert peak() < few * 1.5, "three times the log"


def test_the_command_ends_with_1_and_prints_what_is_broken(sqlite: Config) -> None:
    break_row(sqlite, "UPDATE journal SET verb = 'x' WHERE n = 1")
    env = {"HUYUAN_DATA": str(sqlite.data), "PATH": "/usr/bin:/bin"}
    words = [sys.executable, "-m", "backend", "verify", "--json"]
    done = subprocess.run(words, env=env, cwd=Path(__file__).parents[2], capture_output=True, check=False)
    first_broken = json.loads(done.stdout)["checks"]["journal"]["first"][0]
    assert (done.returncode, first_broken["where"]) == (1, "journal 1")
