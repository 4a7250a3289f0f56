"""Spoilt requests: whatever stands where, the answer is one that the contract names (so never a 500), and what a phone recorded is kept.

The client of these tests holds each answer against the contract, and what was taken against the documented request.
"""

import itertools
import json
from itertools import islice
from typing import Any

import pytest
from sqlalchemy import select

from backend.ops.models import LoggedOp
from sync_protocol.limits import STATUSES
from tests import make
from tests.api.asking import example_of, path_of, request_of
from tests.api.spoil import WRONG, spoilt
from tests.cast import CAST, SWEEP, World
from tests.contract import OPERATIONS

JSON_DOORS = [o for o in OPERATIONS.values() if example_of(o) is not None]
DEVICE_VERBS = {
    "inspection.submit": lambda world: make.inspection(
        world.site(), answers={"A101": "fail"}, task_id=None, team_id="ta", started_at="2026-11-23T08:00:00+08:00", ended_at=None, fix=make.fix(),
        remarks={"A101": "积水"}, values={"A203": 1.5}, photos={"A101": ["0" * 64]}, on_the_spot=["A101"]),
    "problem.report": lambda world: make.report(world.site(), team_id="ta", fix=make.fix(), photos=["0" * 64]),
    "problem.act": lambda world: make.act("close", note="已复查", photos=["0" * 64]),
    "photo.attach": lambda world: {"item": "A101", "photos": ["0" * 64]},
}  # fmt: skip
DESK_VERBS: dict[str, tuple[str, Any]] = {
    "user.add": ("admin", lambda: make.user(f"u{make.new_id()[-12:]}", areas=[], department_id=None, language="zh", password_hash=None)),
    "post.hold": ("admin", lambda: {"person": "王某（示例）", "from_on": "2026-12-01"}),
    "post.away": ("admin", lambda: {"deputy": "副职（示例）", "from_on": "2026-12-01", "to_on": "2026-12-02"}),
    "handover.issue": ("city", lambda: {"to": {"area": "370303", "department": None}, "due_on": "2099-12-31", "chosen": {"node": "370303"}, "part_of": None}),
    "handover.reply": ("zhangdian", lambda: {"results": [{"problem": "x", "result": "cannot", "note": "示例"}]}),
    "pack.install": ("admin", lambda: {"body": {"programme": "x", "version": 1}}),
    "city.load": ("admin", lambda: dict.fromkeys(("id", "name_zh", "name_en", "code_system"), "x")
                  | dict.fromkeys(("areas", "zones", "sites", "departments", "posts", "holdings"), [])),
    "sweep.open": ("city", lambda: make.sweep(make.new_id()[-12:])),
    "task.excuse": ("zhangdian", lambda: {"note": "校舍停用"}),
    "problem.act": ("zhangdian", lambda: make.act("confirm", note="", photos=[])),
    "problem.assign": ("city", lambda: make.assign(note="改派")),
    "problem.place": ("city", lambda: {"problem_id": None, "finding_id": "x:A101", "lon": 118.06, "lat": 36.81, "crs": "wgs84"}),
    "inspection.submit": ("inspector_a", lambda: make.inspection("ZB-370303-0020", answers={"A101": "pass"})),
    "problem.report": ("inspector_a", lambda: make.report("ZB-370303-0020", fix=make.fix())),
    "photo.attach": ("inspector_a", lambda: {"item": "", "photos": ["0" * 64]}),
}  # fmt: skip


def text(body: Any) -> bytes:
    return json.dumps(body).encode()


@pytest.mark.parametrize("operation", JSON_DOORS, ids=lambda o: o.id)
def test_a_spoilt_body_gets_an_answer_of_the_contract(world: World, operation: Any) -> None:
    phone, desk = world.any_phone("inspector_a"), world.desk("city")
    path = path_of(operation)
    good = example_of(operation)
    good |= {"limit": 2} if "limit" in good else {}  # a whole page each time tells nothing more
    for what, body in spoilt(good):
        data = {"data": text(body), "content_type": "application/json"}
        if path.startswith("/v1/"):
            answer = desk.post(path, **data)
        else:
            answer = phone.ask("POST", path, **data)
        assert answer.status_code < 500, f"{what}: {answer.text}"


@pytest.mark.parametrize("verb", sorted(DESK_VERBS))
def test_spoilt_args_at_a_desk_get_an_answer_of_the_contract(world: World, verb: str) -> None:
    login, args = DESK_VERBS[verb]
    desk = world.desk(login)
    every = 10 if verb == "city.load" else 1  # each one that fits is compared with a whole city
    # What is refused before it reaches a database is refused alike; PostgreSQL refuses more, so it hears all of them.
    every *= 3 if world.database == "sqlite" else 1
    for what, spoil in islice(spoilt(args()), 0, None, every):
        op = {"verb": verb, "ent": {"t": "x", "id": make.new_id()}, "args": spoil}
        answer = desk.post("/v1/ops", data=text(op), content_type="application/json")
        assert answer.status_code < 500, f"{what}: {answer.text}"


def taken(world: World, phone: Any, bodies: dict[str, str]) -> dict[str, Any]:
    """Hand bodies over, each named by what was spoilt; their results by the same names. A push that fails is halved to say whose fault it is."""
    answer = phone.post("/sync/v1/push", phone.frame(*bodies.values()))
    if answer.status_code == 200:
        phone.next_seq, phone.head = answer.json["next_seq"], answer.json["head"]
        return dict(zip(bodies, answer.json["results"], strict=True))
    assert len(bodies) > 1, f"{next(iter(bodies))}: {answer.status_code} {answer.text}"
    names = list(bodies)
    first, second = ({n: bodies[n] for n in half} for half in (names[: len(names) // 2], names[len(names) // 2 :]))
    return taken(world, phone, first) | taken(world, phone, second)


def keep_all(world: World, login: str, bodies: dict[str, str]) -> None:
    """Every body is in custody as it was written, with an outcome, and none of them shook a handler."""
    phone, results, names = world.phone(login), {}, list(bodies)
    for at in range(0, len(names), 50):
        results |= taken(world, phone, {n: bodies[n] for n in names[at : at + 50]})
    for what, result in results.items():
        assert result["status"] in STATUSES and result.get("reason") != "handler_error", f"{what}: {result}"
    kept = {row.body for row in world.look(select(LoggedOp.body).where(LoggedOp.replica == phone.replica))}
    assert [what for what, body in bodies.items() if body not in kept] == []


@pytest.mark.parametrize("verb", sorted(DEVICE_VERBS))
def test_spoilt_args_of_a_phone_are_kept_and_judged(world: World, verb: str) -> None:
    kind = {
        "inspection.submit": "inspection",
        "problem.report": "finding",
        "problem.act": "problem",
        "photo.attach": "inspection",
    }[verb]
    args = DEVICE_VERBS[verb](world)
    bodies = {}
    for what, spoil in spoilt(args):
        whole = json.loads(make.body(verb, (kind, make.new_id()), {}, actor=CAST["inspector_a"].id))
        bodies[what] = json.dumps({**whole, "args": spoil}, ensure_ascii=True)
    keep_all(world, "inspector_a", bodies)


def test_a_spoilt_op_of_a_phone_is_kept_and_judged(world: World) -> None:
    whole = json.loads(make.body("problem.act", ("problem", "p-x:A101"), make.act("close"), actor=CAST["inspector_a"].id, base={"ver": 7},
                                 blobs=[{"sha256": "0" * 64, "size": 1, "mime": "image/jpeg"}], deps=[], txn=None, urgent=False))  # fmt: skip
    bodies = {}
    for what, body in spoilt(whole):
        fresh = {**body, "op": make.new_id()} if isinstance(body, dict) and body.get("op") == whole["op"] else body
        bodies[what] = json.dumps(fresh, ensure_ascii=True)
    keep_all(world, "inspector_a", bodies)


@pytest.mark.parametrize("verb", sorted({**DESK_VERBS, **DEVICE_VERBS}))
def test_an_id_of_any_length_is_kept_and_judged(world: World, verb: str) -> None:
    args = DEVICE_VERBS[verb](world) if verb in DEVICE_VERBS else DESK_VERBS[verb][1]()
    ids = ["", "x", "n" * 64, "n" * 65, "n" * 100, "n" * 101, "a:b", "../..", "张店", "' OR 1=1 --"]
    login = "inspector_a" if verb in DEVICE_VERBS else DESK_VERBS[verb][0]
    keep_all(
        world,
        login,
        {f"id {i[:12]} ({len(i)})": make.body(verb, ("thing", i), args, actor=CAST[login].id) for i in ids},
    )


ODD = [
    "",
    " ",
    "x",
    "%00",
    "%0a",
    "..",
    "%2e%2e%2f",
    "n" * 3000,
    "%E5%BC%A0",
    "%ff",
    "'",
    "1e9",
    "-1",
    "370302;drop",
    SWEEP,
]


@pytest.mark.parametrize("operation", [o for o in OPERATIONS.values() if o.path.count("{")], ids=lambda o: o.id)
def test_an_odd_name_in_a_path_gets_an_answer_of_the_contract(world: World, operation: Any) -> None:
    names = [p["name"] for p in operation.parameters if p["in"] == "path"]
    phone = world.any_phone("inspector_a")
    for odd, name in itertools.product(ODD, names):
        made = request_of(operation, **{name: odd})
        assert phone.ask(made.pop("method"), made.pop("path"), **made).status_code < 500, odd


@pytest.mark.parametrize("operation", [o for o in OPERATIONS.values() if o.method == "get"], ids=lambda o: o.id)
def test_an_odd_parameter_gets_an_answer_of_the_contract(world: World, operation: Any) -> None:
    desk = world.desk("city")
    for name in [p["name"] for p in operation.parameters if p["in"] == "query"] or ["nobody"]:
        for query in [f"{name}={odd}" for odd in ODD] + [
            f"{name}=a&{name}=b",
            name,
            f"{name}[]=1",
            "&&&",
            "=",
            "%",
        ]:
            assert desk.open(**request_of(operation), query_string=query).status_code < 500, query


@pytest.mark.parametrize(
    "operation",
    [o for o in OPERATIONS.values() if o.id in ("uploads.create", "uploads.patch", "uploads.head")],
    ids=lambda o: o.id,
)
def test_an_odd_header_gets_an_answer_of_the_contract(world: World, operation: Any) -> None:
    phone = world.any_phone("inspector_a")
    made = request_of(operation)
    for name in made["headers"]:
        for odd in [
            "",
            "-1",
            "+1",
            "1.0",
            "0x1",
            "1e3",
            "９",
            "x",
            "1" * 16,
            "1" * 400,
            "sha256",
            "sha256 !!!",
            "sha256 " + "A" * 88,
            ",,,",
            "sha256 /w==",
            " ",
        ]:
            headers = made["headers"] | {name: odd.encode().decode("latin-1")}
            answer = phone.ask(
                made["method"],
                made["path"],
                **{k: v for k, v in made.items() if k in ("data", "content_type")},
                headers=headers,
            )
            assert 400 <= answer.status_code < 500, f"{name}: {odd}"


def test_the_wrong_values_hold_one_of_every_kind() -> None:
    assert {type(wrong) for wrong in WRONG} == {type(None), bool, int, float, str, list, dict}
