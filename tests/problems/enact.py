"""A triple (triples.py) done for real: the state is set, others act, the op arrives. Asserts nothing."""

from typing import Any

from backend.access.scope import Actor
from backend.problems import rules
from tests.problems.ground import PEOPLE, Ground
from tests.problems.triples import MEANWHILE, Triple

WHO: dict[str, str] = {"accept": "school", "return": "school", "report_fixed": "school"}  # all else: the city
DEPARTMENTS = ("market", "urban")


def perform(ground: Ground, ent: str, action: str, base: Any, who: Actor | None = None) -> Any:
    """Whatever an action is called on the wire."""
    actor = who or PEOPLE[WHO.get(action, "city")]
    if action == "assign":
        other = next(d for d in DEPARTMENTS if d != ground.row(ent)["department_id"])
        return ground.do("problem.assign", ent, actor, base, department_id=other, note="改派")
    if action == "merge":
        return ground.do("problem.merge", ent, actor, base, into=ground.hazard(), note="同一处")
    if action == "note":
        return ground.do("problem.note", ent, actor, base, text="看过")
    if action == "danger":
        return ground.do("problem.observe", ent, actor, base, seen="danger", fix=None)
    if action == "edit":
        plan = ground.row(ent)["plan"]
        return ground.do("problem.edit", ent, actor, base, set={"plan": {"was": plan, "now": f"{plan}·"}})
    if action == "report":
        row = ground.row(ent)
        args = {"site_id": row["site_id"], "item": row["item"], "programme": row["programme"], "template_version": 1, "remark": "再次发现"}
        return ground.do("problem.report", f"again-{row['ver']}-{ent[-20:]}", "inspector", kind="finding", **args)
    return ground.do("problem.act", ent, actor, base, action=action, note="说明（示例）", photos=[ground.photo()])


def stand(ground: Ground, triple: Triple) -> str:
    """A problem in the state that the author of a triple saw."""
    ent = ground.hazard()
    if triple.saw.state in rules.AWAY:
        perform(ground, ent, {"merged": "merge", "deleted": "delete"}[triple.saw.state], ground.seen(ent), PEOPLE["system"])
        return ent
    is_open = rules.is_open(triple.saw.state)
    key = {} if is_open else {"open_key": None}
    ground.put(ent, state=triple.saw.state, is_open=is_open, is_work_stopped=triple.saw.is_work_stopped, **key)
    return ent


def enact(ground: Ground, triple: Triple) -> tuple[Any, dict[str, Any]]:
    """The outcome of the op, and the problem afterwards."""
    ent = stand(ground, triple)
    base = ground.seen(ent)
    for one in MEANWHILE[triple.meanwhile]:
        done = perform(ground, ent, one, ground.seen(ent), PEOPLE["system"])
        assert done.status == "applied", (triple, one, done)
    return perform(ground, ent, triple.action, base, PEOPLE["system"]), ground.row(ent)
