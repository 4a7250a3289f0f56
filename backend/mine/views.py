"""What is mine today, over HTTP: load → may they → do → dump. No decisions."""

from typing import Any

from flask import Blueprint

from backend import incoming
from backend.access.guard import reader
from backend.database import snapshot
from backend.ledgers.views import today
from backend.mine import queries
from backend.mine.schemas import MineAct, MineProblem

mine_bp = Blueprint("mine", __name__, url_prefix="/v1")


@mine_bp.get("/mine")
def mine() -> dict[str, Any]:
    actor = reader("record.read")
    incoming.parameters()
    with snapshot() as session:
        found = queries.today_of(session, actor, today())
    problems, acts = found["problems"], found["acts"]
    return {
        "as_of": found["as_of"].isoformat(), "who": {"name": actor.name, "role": actor.role, "department_id": actor.department_id},
        "problems": {"counts": problems["counts"], "rows": MineProblem(many=True).dump(problems["rows"])},
        "acts": {"counts": acts["counts"], "rows": MineAct(many=True).dump(acts["rows"])},
    }  # fmt: skip
