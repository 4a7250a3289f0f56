"""A small field day at whose end every kind of document can be issued: what its phone finds and what its desks do. Each thing that a
document tells of is brought about by the op that brings it about in a city. Asserts that the ops were taken, nothing else."""

import hashlib
import json
from dataclasses import dataclass, field
from datetime import timedelta
from pathlib import Path
from typing import Any

from backend.cli import setup
from backend.cli.field_desk import Desk
from backend.cli.field_team import picture
from backend.cli.user import add_user
from backend.ledgers.views import today
from sync_protocol.client.session import FieldClient
from tests.cast import CAST
from tests.journeys.stage import Stage, checklist, new_id

SCHOOL, CITY, DISTRICT, TOWNSHIP = "ZB-370303-0001", "370300", "370303", "370303101"
ITEMS = ("A101", "A103", "A104", "A107", "A109")  # of one school: one for each thing that can befall a problem
FIVE = {
    "target": "更换破损护栏，消除坠落风险（示例）", "funds": "学校公用经费 1.2 万元（示例）", "people": "后勤处负责，专人现场看护（示例）",
    "time_limit": "三个工作日内完成设计，十个工作日内完工（示例）", "plan": "整改期间设置警戒线与绕行标志，安排值守；突发情况立即停用并报告（示例）",
}  # fmt: skip


@dataclass
class Day:
    """The day on a served city. `numbers`: item → number of its problem at SCHOOL; `said`: words that a kind's paper must tell."""

    running: Stage
    phone: FieldClient
    numbers: dict[str, str] = field(default_factory=dict)
    desks: dict[str, Desk] = field(default_factory=dict)

    def desk(self, login: str) -> Desk:
        if login not in self.desks:
            self.desks[login] = Desk.signed_in(self.running.server.ask, login, setup.DEMO_PASSWORD)
        return self.desks[login]

    def op(self, login: str, verb: str, ent: tuple[str, str], args: dict[str, Any], seen: str = "") -> dict[str, Any]:
        """One op at a desk, with the version of the problem `seen` as its base; what it came to."""
        desk = self.desk(login)
        base = {"ver": desk.read(f"/v1/problems/{seen}")["problem"]["ver"]} if seen else None
        body = json.dumps({"verb": verb, "ent": {"t": ent[0], "id": ent[1]}, "args": args, "base": base})
        headers = {"Cookie": desk.cookie, "Content-Type": "application/json"}
        status, _, answer = self.running.server.ask("POST", "/v1/ops", body, headers)
        assert status == 200, (login, verb, answer.decode())
        return json.loads(answer)["result"] or {}

    def act(self, login: str, item: str, verb: str, **args: Any) -> str:
        """An act about a problem of SCHOOL; the name of the proceeding that it opened, if any."""
        number = self.numbers[item]
        return str(self.op(login, verb, ("problem", number), args, number).get("proceeding", ""))

    def issue(self, login: str, kind: str, about: tuple[str, str], answers: str | None = None, **fields: str) -> str:
        """Issue a document; its number."""
        made = self.op(login, "document.issue", about, {"kind": kind, "fields": fields, "answers": answers})
        return str(made["document"])

    def later(self, days: int) -> str:
        with self.running.app.app_context():
            return (today() + timedelta(days=days)).isoformat()


def play(running: Stage) -> Day:
    """Find, edit, give, extend, judge, list, accept, re-inspect, hand over. The documents are not issued yet."""
    with running.app.app_context():
        for login in ("nanding", "education", "kindergarten", "zichuan"):
            who = CAST[login]
            add_user(login, who.name, who.role, who.area, who.department, setup.DEMO_PASSWORD)
        add_user("market", "市场监管局督导员（示例）", "department", CITY, "market", setup.DEMO_PASSWORD)
    phone = running.device("ins1")
    assert phone.sync(tries=3)
    day = Day(running, phone)
    _find(day)
    _describe(day)
    return day


def _find(day: Day) -> None:
    phone, shots = day.phone, []
    sites = {s["id"]: s for s in phone.rows("site")}
    others = sorted({t["site"] for t in phone.rows("task")} - {SCHOOL})
    for site in (SCHOOL, *others[:6], *others[-6:]):
        codes = ITEMS if site == SCHOOL else ITEMS[:1]
        photos = {code: [_shot(day, f"{site}:{code}", sites[site]["at"], shots)] for code in codes}
        remarks = {code: f"{code} 现场查看：临街一侧护栏破损约两米，上下学时段人车混行（示例）" for code in codes}
        args = checklist(phone, site, photos, remarks=remarks)
        phone.record("inspection.submit", ("inspection", new_id()), args, shots[-len(codes) :])
    loose = {"item": "A213", "programme": "campus-perimeter", "template_version": 1, "site_id": None, "team_id": "t1", "fix": None,
             "remark": "路边发现井盖松动（示例）", "photos": []}  # fmt: skip
    phone.record("problem.report", ("finding", new_id()), loose)
    assert phone.sync(tries=5), phone.last_trouble
    day.numbers = {p["item"]: p["number"] for p in phone.rows("problem") if p["site_id"] == SCHOOL}
    assert set(day.numbers) == set(ITEMS)


def _shot(day: Day, name: str, at: list[float], kept: list[Path]) -> str:
    path = day.running.folder / f"{hashlib.sha256(name.encode()).hexdigest()[:16]}.jpg"
    path.write_bytes(picture(name, *at))
    kept.append(path)
    return hashlib.sha256(path.read_bytes()).hexdigest()


def _describe(day: Day) -> None:
    """部位, the five of each problem of the school and a day for one, as its supervisors write them."""
    for item in ITEMS:
        row = day.desk("zhangdian").read(f"/v1/problems/{day.numbers[item]}")["problem"]
        given = {**FIVE, "spot": "北门外临街护栏（示例）"} | ({"due_on": day.later(40)} if item == "A109" else {})
        changed = {name: {"was": row[name], "now": value} for name, value in given.items()}
        day.op("zhangdian", "problem.edit", ("problem", row["number"]), {"set": changed, "note": "现场核对（示例）"}, row["number"])


def fixed(day: Day, item: str) -> None:
    """The phone says that a problem is put right, with a photo of it."""
    assert day.phone.sync(tries=5), day.phone.last_trouble
    row, shots = next(p for p in day.phone.rows("problem") if p["number"] == day.numbers[item]), list[Path]()
    sha = _shot(day, f"fixed:{item}", [row["lon"], row["lat"]], shots)
    args = {"action": "report_fixed", "note": "现场已整改（示例）", "photos": [sha]}
    day.phone.record("problem.act", ("problem", row["id"]), args, shots, base={"ver": row["ver"]})
    assert day.phone.sync(tries=5), day.phone.last_trouble
