"""Forms of the steps of a problem: which op carries an action out, and the fields that its args ask for, read off its schema.

Whether somebody may take a step is the table's (problems/table.py): never said here, never in a template. No SQL.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from typing import Any

from marshmallow import fields, validate

from backend.access.roles import may
from backend.ops.table import VERBS
from backend.problems.table import Step


@dataclass(frozen=True, slots=True)
class Way:
    """How an action is asked for. `about`: what its op names, the problem or the record of this kind that is open on it."""

    verb: str
    fixed: Mapping[str, Any] = field(default_factory=dict)
    about: str = "problem"
    left_out: frozenset[str] = frozenset()


# action of the table → its op; an action that is not here is `problem.act`
_WAYS: Mapping[str, Way] = {
    "assign": Way("problem.assign"),
    "merge": Way("problem.merge"),
    "danger": Way("problem.observe", {"seen": "danger"}, left_out=frozenset({"fix"})),
    "hand_over": Way("transfer.send", {"kind": "hand_over"}, left_out=frozenset({"area_id"})),
    "inform": Way("transfer.send", {"kind": "inform"}, left_out=frozenset({"area_id"})),
    "ask_help": Way("transfer.send", {"kind": "assist"}),
    "consult": Way("major.consult"),
    "decide_major": Way("major.decide", {"verdict": "major"}),
    "decide_general": Way("major.decide", {"verdict": "general"}),
    "list": Way("listing.order"),
    "delist": Way("listing.end", about="listing"),
    "ask_extension": Way("extension.ask"),
    "grant_extension": Way("extension.decide", {"verdict": "granted"}, "extension"),
    "refuse_extension": Way("extension.decide", {"verdict": "refused"}, "extension", frozenset({"until"})),
    "ask_acceptance": Way("acceptance.ask"),
    "pass_acceptance": Way("acceptance.decide", {"verdict": "passed"}, "acceptance"),
    "fail_acceptance": Way("acceptance.decide", {"verdict": "failed"}, "acceptance"),
}
# What is told or answered, and is no step: taken whatever state the problem is in.
_FACTS: Mapping[str, Way] = {
    "received": Way("transfer.receive", about="transfer"),
    "answered": Way("transfer.answer", about="transfer"),
    "progress": Way("listing.report", about="listing"),
    "note": Way("problem.note"),
}
_MUST_SAY = {"ask_help": frozenset({"area_id"})}  # what an action needs beyond its schema, which other actions share
ONE_LINE = frozenset({"into", "funds"})


@dataclass(frozen=True, slots=True)
class Field:
    """One field of a form. `kind`: text, line, lines, day, choice, department, area, photos."""

    name: str
    kind: str
    is_required: bool
    choices: Sequence[str] = ()
    most: int | None = None


@dataclass(frozen=True, slots=True)
class Form:
    """What a page offers: an action, what its op names, its fields. `is_step`: of the table."""

    action: str
    ent: tuple[str, str]
    fields: Sequence[Field]
    is_step: bool = True


def way_of(action: str) -> Way:
    """The op of an action of the table, or of a fact."""
    return _WAYS.get(action) or _FACTS.get(action) or Way("problem.act", {"action": action})


def is_allowed(role: str, action: str) -> bool:
    """Whether a role may ask for the op of an action at all."""
    return may(role, VERBS[way_of(action).verb].permission)


def form_of(action: str, name: str, step: Step | None = None) -> Form:
    """The form of an action about the record that is called `name`; `step`: the row of the table, where it is one."""
    way, found = way_of(action), fields_of(action)
    if step is not None:
        needs = {"note": step.needs_note, "opinion": step.needs_note, "photos": step.needs_photo}
        found = [replace(each, is_required=each.is_required or needs.get(each.name, False)) for each in found]
        if way.verb == "problem.act" and not step.needs_photo:
            found = [each for each in found if each.kind != "photos"]
    return Form(action, (way.about, name), found, step is not None)


def fields_of(action: str) -> list[Field]:
    """The fields of an action's args, as its schema has them, but those that the action itself decides."""
    way, must = way_of(action), _MUST_SAY.get(action, frozenset())
    shown = VERBS[way.verb].schema.fields.items()
    return [
        Field(name, _kind(name, each), each.required or name in must, _choices(each), _most(each))
        for name, each in shown if name not in way.fixed and name not in way.left_out
    ]  # fmt: skip


_BY_NAME = {"photos": "photos", "department_id": "department", "area_id": "area"}


def _kind(name: str, of: Any) -> str:
    if name in _BY_NAME:
        return _BY_NAME[name]
    if isinstance(of, fields.Date):
        return "day"
    if isinstance(of, fields.List):
        return "lines"
    return "choice" if _choices(of) else "line" if name in ONE_LINE else "text"


def _choices(of: Any) -> Sequence[str]:
    return next((list(each.choices) for each in of.validators if isinstance(each, validate.OneOf)), ())


def _most(of: Any) -> int | None:
    return next((each.max for each in of.validators if isinstance(each, validate.Length)), None)


def args_of(action: str, typed: Mapping[str, str], photos: Sequence[str]) -> dict[str, Any]:
    """What was typed, as the args of the op; an empty field is left out, so that the schema says whether it may be."""
    args = dict(way_of(action).fixed)
    for each in fields_of(action):
        text = typed.get(each.name, "").replace("\r\n", "\n")
        if each.kind == "photos":
            args |= {each.name: list(photos)} if photos else {}
        elif each.kind == "lines":
            args |= {each.name: [line.strip() for line in text.split("\n") if line.strip()]}
        elif text.strip():
            args[each.name] = text.strip() if each.kind != "text" else text
    return args


def left_empty(action: str, args: Mapping[str, Any]) -> list[str]:
    """The fields that an action cannot do without and that say nothing."""
    return [each.name for each in fields_of(action) if each.is_required and not args.get(each.name)]
