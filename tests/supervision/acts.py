"""The acts of supervision as a desk asks for them, on the ground of the problems' tests. Asserts nothing."""

from dataclasses import replace
from datetime import date, datetime, timedelta
from typing import Any

from backend.access.scope import SYSTEM, Actor
from backend.database import snapshot
from backend.ops import overdue
from backend.supervision import queries
from backend.supervision.models import Proceeding
from tests.problems.ground import DISTRICT, PEOPLE, Ground

TODAY = date(2026, 4, 7)  # a Tuesday with ordinary weeks before and after it; the ground's clock stands there
MARKET = replace(PEOPLE["department"], id="u-market", department_id="market")
POSTS = ["大队长（示例）", "法制科长（示例）", "监督科长（示例）"]


def later(days: int) -> str:
    """A day after today, as the wire has it."""
    return (TODAY + timedelta(days=days)).isoformat()


def noon(day: date) -> datetime:
    """The middle of a day in China."""
    return datetime.fromisoformat(f"{day.isoformat()}T12:00:00+08:00")


def due(ground: Ground, ent: str, days: int) -> None:
    """Give a problem a day by an edit of a supervisor."""
    row = ground.row(ent)
    was = row["due_on"].isoformat() if row["due_on"] else None
    done = ground.do("problem.edit", ent, "district", ground.seen(ent), set={"due_on": {"was": was, "now": later(days)}}, note="")
    assert done.status == "applied", done


def in_work(ground: Ground, days: int = 20) -> str:
    """A problem that a department works at, with a day."""
    ent = ground.hazard()
    due(ground, ent, days)
    assert ground.act(ent, "accept", "school", ground.seen(ent)).status == "applied"
    return ent


def ask_extension(ground: Ground, ent: str, who: str | Actor = "school", days: int = 40, **more: Any) -> Any:
    return ground.do("extension.ask", ent, who, None, until=later(days), reason="材料未到货（示例）", **more)


def decide_extension(ground: Ground, name: str, verdict: str = "granted", who: str | Actor = "district", **more: Any) -> Any:
    args = {"opinion": "同意（示例）", **more}
    return ground.do("extension.decide", name, who, None, kind="extension", verdict=verdict, **args)


def major(ground: Ground, ent: str, verdict: str = "major", who: str | Actor = "city", **more: Any) -> Any:
    args = {"posts": POSTS, "minutes": "集体研究记录（示例）", **more}
    return ground.do("major.decide", ent, who, ground.seen(ent), verdict=verdict, **args)


def listed(ground: Ground, days: int = 60, level: str = "city") -> tuple[str, str]:
    """A major hazard under listed supervision that is worked at: (problem, listing)."""
    ent = in_work(ground)
    assert major(ground, ent).status == "applied"
    done = order(ground, ent, days, level)
    assert done.status == "applied", done
    return ent, done.result["proceeding"]


def order(ground: Ground, ent: str, days: int = 60, level: str = "city", who: str | Actor = "city") -> Any:
    return ground.do("listing.order", ent, who, ground.seen(ent), level=level, finish_by=later(days), demand="限期治理（示例）")


def ask_acceptance(ground: Ground, ent: str, who: str | Actor = "school") -> Any:
    return ground.do("acceptance.ask", ent, who, None, done_on=TODAY.isoformat(), summary="已治理（示例）")


def decide_acceptance(ground: Ground, ent: str, name: str, verdict: str = "passed", who: str | Actor = "city", **more: Any) -> Any:
    args = {"opinion": "现场核实（示例）", "base": ground.seen(ent), **more}
    return ground.do("acceptance.decide", name, who, args.pop("base"), kind="acceptance", verdict=verdict, **args)


def send(ground: Ground, ent: str, kind: str = "inform", department: str = "market", who: str | Actor = "district", **more: Any) -> Any:
    args = {"kind": kind, "department_id": department, "note": "请依职责处理（示例）", **more}
    return ground.op("transfer.send", ("problem", ent), who, ground.seen(ent), args)


def of(ground: Ground, ent: str, actor: Actor = SYSTEM) -> list[Proceeding]:
    """The proceedings of a problem, oldest first."""
    with snapshot() as session:
        found = list(queries.of_problem(session, actor, ent))
        session.expunge_all()
        return found


def neighbour() -> Actor:
    """The market department of the next district."""
    return replace(MARKET, id="u-market-b", areas=(DISTRICT.replace("370303", "370302"),))


def counts(actor: Actor, days: int = 0) -> dict[str, int]:
    """What the desk of `actor` says some days after today."""
    with snapshot() as session:
        return queries.counts(session, actor, TODAY + timedelta(days=days))


def look(ground: Ground, day: date) -> int:
    """The sweep of overdue clocks as it is run on a day; how often it told somebody."""
    return overdue.escalate(noon(day))
