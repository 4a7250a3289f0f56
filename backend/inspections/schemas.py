"""Shapes of what an inspector sends. Whether an item exists is asked of the template in handlers, in one pass."""

from typing import Any

from marshmallow import RAISE, Schema, ValidationError, fields, validate

ANSWERS = frozenset({"pass", "fail", "na", "unchecked"})
MAX_TEXT = 4000


class Answers(fields.Field[dict[str, str]]):
    """The compact map {item code: answer}; one pass instead of a nested object per answer (a measured tenfold)."""

    def _deserialize(self, value: Any, attr: str | None, data: Any, **kwargs: Any) -> dict[str, str]:
        if not isinstance(value, dict):
            raise ValidationError("must be an object of item code to answer")
        if not ANSWERS.issuperset(
            value.values() if all(isinstance(v, str) for v in value.values()) else [None]
        ):
            bad = [
                code for code, answer in value.items() if not isinstance(answer, str) or answer not in ANSWERS
            ]
            raise ValidationError({code: ["must be pass, fail, na or unchecked"] for code in bad})
        return value


class Texts(fields.Field[dict[str, str]]):
    """{item code: text a person typed}."""

    def _deserialize(self, value: Any, attr: str | None, data: Any, **kwargs: Any) -> dict[str, str]:
        if not isinstance(value, dict):
            raise ValidationError("must be an object of item code to text")
        bad = [k for k, v in value.items() if not isinstance(v, str) or len(v) > MAX_TEXT]
        if bad:
            raise ValidationError({code: [f"must be text of at most {MAX_TEXT} characters"] for code in bad})
        return value


class Fix(Schema):
    """A position as the device gave it; `crs` says in which of the three systems of China."""

    class Meta:
        unknown = RAISE

    lon = fields.Float(required=True)
    lat = fields.Float(required=True)
    accuracy_m = fields.Float(
        load_default=None, allow_none=True, validate=validate.Range(min=0, max=1_000_000)
    )
    crs = fields.String(load_default="wgs84", validate=validate.OneOf(["wgs84", "gcj02", "bd09"]))


_SHA = validate.Regexp(r"^[0-9a-f]{64}$")


class Submit(Schema):
    """args of `inspection.submit`."""

    class Meta:
        unknown = RAISE

    task_id = fields.String(load_default=None, allow_none=True, validate=validate.Length(max=200))
    site_id = fields.String(required=True, validate=validate.Length(max=64))
    programme = fields.String(required=True, validate=validate.Length(max=64))
    template_version = fields.Integer(required=True, strict=True)
    team_id = fields.String(load_default=None, allow_none=True, validate=validate.Length(max=64))
    started_at = fields.AwareDateTime(load_default=None, allow_none=True)
    ended_at = fields.AwareDateTime(load_default=None, allow_none=True)
    fix = fields.Nested(Fix, load_default=None, allow_none=True)
    answers = Answers(required=True)
    remarks = Texts(load_default=dict)
    values = fields.Dict(fields.String(), fields.Float(), load_default=dict)
    photos = fields.Dict(fields.String(), fields.List(fields.String(validate=_SHA)), load_default=dict)
    on_the_spot = fields.List(fields.String(), load_default=list)


class Report(Schema):
    """args of `problem.report`: a hazard seen without a checklist."""

    class Meta:
        unknown = RAISE

    item = fields.String(required=True, validate=validate.Length(max=16))
    programme = fields.String(required=True, validate=validate.Length(max=64))
    template_version = fields.Integer(required=True, strict=True)
    site_id = fields.String(load_default=None, allow_none=True, validate=validate.Length(max=64))
    team_id = fields.String(load_default=None, allow_none=True, validate=validate.Length(max=64))
    fix = fields.Nested(Fix, load_default=None, allow_none=True)
    remark = fields.String(load_default="", validate=validate.Length(max=MAX_TEXT))
    photos = fields.List(fields.String(validate=_SHA), load_default=list)


class InspectionOut(Schema):
    """An inspection as devices and the API see it."""

    id = fields.String()
    task_id = fields.String(allow_none=True)
    site_id = fields.String()
    programme = fields.String()
    template_version = fields.Integer()
    team_id = fields.String(allow_none=True)
    failed = fields.Integer()
    missing_photos = fields.Integer()
    received_at = fields.AwareDateTime()
