"""Shapes of problem ops and of problems as devices and the API see them."""

from collections.abc import Callable, Mapping
from datetime import date
from typing import Any

from marshmallow import INCLUDE, Schema, ValidationError, fields, validate, validates_schema

from backend.inspections.schemas import Fix
from backend.problems.fields import EDITABLE, MAX_TEXT, Editable
from backend.problems.rules import ACTIONS
from backend.problems.table import ACTS
from backend.shapes import SHA256, Real, Strict

_ELSEWHERE = {"assign", "merge", "danger"} | ACTS  # steps that come with more than a note: verbs of their own
OBSERVATIONS = ("danger", "work_stopped", "work_going_on")


class Act(Strict):
    """args of `problem.act`: one step of the table."""

    action = fields.String(required=True, validate=validate.OneOf([a for a in ACTIONS if a not in _ELSEWHERE]))
    note = fields.String(load_default="", validate=validate.Length(max=MAX_TEXT))
    photos = fields.List(fields.String(validate=SHA256), load_default=list)


class Merge(Strict):
    """args of `problem.merge`: the same hazard as another problem."""

    into = fields.String(required=True, validate=validate.Length(1, 200))
    note = fields.String(load_default="", validate=validate.Length(max=MAX_TEXT))


class Note(Strict):
    """args of `problem.note`: words, photos, or both."""

    text = fields.String(load_default="", validate=validate.Length(max=MAX_TEXT))
    photos = fields.List(fields.String(validate=SHA256), load_default=list)

    @validates_schema
    def _says_something(self, data: Mapping[str, Any], **_: Any) -> None:
        if not data.get("text", "").strip() and not data.get("photos"):
            raise ValidationError("say or show something", "text")


class Observe(Strict):
    """args of `problem.observe`: what was seen on the spot, and where the observer stood."""

    seen = fields.String(required=True, validate=validate.OneOf(OBSERVATIONS))
    note = fields.String(load_default="", validate=validate.Length(max=MAX_TEXT))
    photos = fields.List(fields.String(validate=SHA256), load_default=list)
    fix = fields.Nested(Fix, load_default=None, allow_none=True)


def _field(of: Editable) -> fields.Field[Any]:
    made: Mapping[str, Callable[[], fields.Field[Any]]] = {
        "text": lambda: fields.String(allow_none=of.is_optional, validate=validate.Length(0 if of.is_optional else 1, MAX_TEXT)),
        "date": lambda: fields.Date("%Y-%m-%d", allow_none=of.is_optional),
        "one": lambda: fields.String(validate=validate.OneOf(of.choices)),
        "some": lambda: fields.List(fields.String(validate=validate.OneOf(of.choices))),
    }  # fmt: skip
    return made[of.kind]()


_FIELDS = {name: _field(of) for name, of in EDITABLE.items()}


def loaded(name: str, given: Any) -> Any:
    """A field's value as its column takes it. Raises marshmallow.ValidationError."""
    return ordered(name, _FIELDS[name].deserialize(given))


def value(name: str, given: Any) -> Any:
    """A field's value as JSON has it, in its one spelling. Raises marshmallow.ValidationError."""
    found = loaded(name, given)
    return found.isoformat() if isinstance(found, date) else found


def ordered(name: str, given: Any) -> Any:
    """A set is a list in alphabetical order, each once, so that two spellings of one set are one value."""
    is_set = EDITABLE[name].kind == "some" and isinstance(given, list) and all(isinstance(v, str) for v in given)
    return sorted(set(given)) if is_set else given


class Changes(fields.Field[dict[str, dict[str, Any]]]):
    """{field: {was, now}} of fields that may be edited; `now` is valid, `was` is whatever its author saw."""

    def _deserialize(self, value: Any, attr: str | None, data: Any, **kwargs: Any) -> dict[str, dict[str, Any]]:
        if not isinstance(value, dict) or not value:
            raise ValidationError("must be an object of field to {was, now}")
        done, faults = {}, {}
        for name, change in value.items():
            try:
                done[name] = _change(name, change)
            except ValidationError as fault:
                faults[name] = fault.messages
        if faults:
            raise ValidationError(faults)
        return done


def _change(name: str, change: Any) -> dict[str, Any]:
    if name not in EDITABLE:
        raise ValidationError("no such field, or not one that is edited")
    if not isinstance(change, dict) or set(change) != {"was", "now"}:
        raise ValidationError("must have exactly was and now")
    return {"was": ordered(name, change["was"]), "now": value(name, change["now"])}


class Edit(Strict):
    """args of `problem.edit`."""

    set = Changes(required=True)
    note = fields.String(load_default="", validate=validate.Length(max=MAX_TEXT))


class Resolve(Strict):
    """args of `conflict.resolve`: what stands now as its author saw it, and what shall stand."""

    was = fields.Raw(required=True, allow_none=True)
    now = fields.Raw(required=True, allow_none=True)
    note = fields.String(load_default="", validate=validate.Length(max=MAX_TEXT))


class NoteOut(Schema):
    """One of the newest facts on a problem's row."""

    class Meta:
        unknown = INCLUDE

    op = fields.String(allow_none=True)
    by = fields.String()
    at = fields.String()
    kind = fields.String()
    text = fields.String()
    photos = fields.Integer()
    is_cut = fields.Boolean()


class ProblemOut(Schema):
    """A problem as a device or the API sees it."""

    id = fields.String()
    number = fields.String()
    programme = fields.String()
    item = fields.String()
    category = fields.String()
    grade = fields.String()
    state = fields.String()
    site_id = fields.String(allow_none=True)
    district_id = fields.String(allow_none=True)
    township_id = fields.String(allow_none=True)
    department_id = fields.String(allow_none=True)
    lon = Real(allow_none=True)
    lat = Real(allow_none=True)
    description = fields.String()
    due_on = fields.Date(allow_none=True)
    report_count = fields.Integer()
    missing_photos = fields.Integer()
    is_near_boundary = fields.Boolean()
    unplaced_reason = fields.String(allow_none=True)
    next_actor = fields.String(allow_none=True)
    clock = fields.String(allow_none=True)
    clock_on = fields.Date(allow_none=True)
    escalated_level = fields.String(allow_none=True)
    waits_for = fields.String(allow_none=True)
    decide_by_on = fields.Date(allow_none=True)
    is_listed = fields.Boolean()
    listed_level = fields.String(allow_none=True)
    report_by_on = fields.Date(allow_none=True)
    is_accepted = fields.Boolean()
    recurs_id = fields.String(allow_none=True)
    recurrence = fields.Integer()
    is_work_stopped = fields.Boolean()
    merged_into = fields.String(allow_none=True)
    spot = fields.String(allow_none=True)
    causes = fields.List(fields.String())
    target = fields.String(allow_none=True)
    funds = fields.String(allow_none=True)
    people = fields.String(allow_none=True)
    time_limit = fields.String(allow_none=True)
    plan = fields.String(allow_none=True)
    notes = fields.List(fields.Nested(NoteOut))
    found_at = fields.AwareDateTime()
    found_quality = fields.String(allow_none=True)
    received_at = fields.AwareDateTime()
    ver = fields.Integer()


class LineOut(Schema):
    """One line of a problem's history."""

    class Meta:
        include = {"from": fields.String(attribute="from_state", allow_none=True)}

    action = fields.String()
    status = fields.String()
    to = fields.String(attribute="to_state")
    note = fields.String()
    photos = fields.List(fields.String())
    data = fields.Dict()
    at = fields.AwareDateTime()
    by = fields.String(attribute="actor_id")
    op = fields.String(attribute="op_id", allow_none=True)
    ver = fields.Integer()


class ConflictOut(Schema):
    """A field that two people edited differently: what it was, what the server had, what the other wanted, what stood then
    and stands now."""

    id = fields.String()
    op = fields.String(attribute="op_id")
    by = fields.String(attribute="actor_id")
    ent_type = fields.String()
    ent_id = fields.String()
    number = fields.String()
    field = fields.String()
    base = fields.Raw(allow_none=True)
    theirs = fields.Raw(allow_none=True)
    mine = fields.Raw(allow_none=True)
    kept = fields.Raw(allow_none=True)
    present = fields.Raw(allow_none=True)
    policy = fields.String()
    is_joined = fields.Boolean()
    at = fields.AwareDateTime()
    resolved_by = fields.String(allow_none=True)
    resolved_at = fields.AwareDateTime(allow_none=True)
