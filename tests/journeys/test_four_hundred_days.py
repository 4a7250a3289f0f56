"""A phone that was away for 400 days: removals forgotten, its template three versions older, its district another team's
(L7 of sync.md §4.3; I1, I10, I12). A real server whose clock a test moves, a real phone, both databases."""

import copy
from pathlib import Path
from typing import Any

from sqlalchemy import select

from backend.access.scope import SYSTEM
from backend.database import snapshot
from backend.ops.apply import submit
from backend.ops.models import LoggedOp
from backend.packs import shipped_packs
from backend.programmes.packs import read_pack
from sync_protocol.client.session import FieldClient
from tests.faults.rig import Place
from tests.journeys.backstage import TEMPLATE, inspect, report, stage

AWAY_H = 400 * 24
OLD, NEW = "370303", "370305"


def meanwhile(place: Place) -> None:
    """What the city did: three new versions of the checklist, the team's district to another team, its tasks too."""
    with place.app():
        for path in shipped_packs():
            body = dict(read_pack(path, None).body)
            for version in (2, 3, 4) if body["programme"] == TEMPLATE["programme"] else ():
                made = {**copy.deepcopy(body), "version": version}
                submit("pack.install", {"body": made}, SYSTEM, ent=("template", f"{body['programme']}:{version}"))
        submit("team.change", {"areas": [NEW]}, SYSTEM, ent=("team", "tf1"))
        submit("task.move", {"area": OLD, "team_id": "tf2"}, SYSTEM, ent=("sweep", "faults"))


def held(client: FieldClient) -> dict[str, Any]:
    """Rows and the buckets through which they are seen."""
    state = client.store.state("base", "memb", "outbox", "doubts")
    assert (state["outbox"], state["doubts"]) == ([], {})
    return {key: (row["ver"], row["data"], sorted(state["memb"][key])) for key, row in state["base"].items()}


def custody(place: Place, ops: list[str]) -> dict[str, tuple[str, str | None]]:
    with place.app(), snapshot() as session:
        found = select(LoggedOp.op_id, LoggedOp.status, LoggedOp.reason).where(LoggedOp.op_id.in_(ops))
        return {op: (status, reason) for op, status, reason in session.execute(found)}


def test_after_400_days_every_op_is_in_custody_and_the_view_is_the_servers(place: Place, tmp_path: Path) -> None:
    with stage(place, tmp_path / "stage") as scene:
        away = scene.phone(1, "away")
        before = held(away)
        new = scene.phone(1, "new", is_pulled=False)
        ops = [inspect(away, 1, ["A101"]), inspect(away, 1), report(away, 1)]
        meanwhile(place)
        scene.later(AWAY_H)
        assert scene.run("compact")["forgotten"] > 0, "nothing was forgotten: the phone is not tried"
        assert away.sync(tries=12), away.last_trouble
        outcomes = custody(place, ops)
        assert set(outcomes) == set(ops)
        assert {status for status, _ in outcomes.values()} <= {"applied", "noop", "proposed", "parked"}, outcomes
        now = held(away)
        assert new.sync(tries=5) and now == held(new), "the phone shows something else than one that was never away"
        assert any(key.startswith("template:campus-perimeter:4") for key in now)
        gone = {key for key in before if key.startswith("task:")} - set(now)
        assert gone, "its tasks went to another team and it was not told"
