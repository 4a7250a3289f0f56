"""Shapes: lines of an inbox, and what marks them as read."""

from marshmallow import RAISE, Schema, fields, validate

from backend.notices import rules


class Read(Schema):
    """Lines that were read: those of `ids`, or all, as far as they were on the screen (`until`: the `at` of the newest)."""

    class Meta:
        unknown = RAISE

    ids = fields.List(
        fields.Integer(strict=True, validate=validate.Range(1, 2**31 - 1)),
        load_default=None,
        allow_none=True,
        validate=validate.Length(1, 500),
    )
    until = fields.AwareDateTime(required=True)


class NoticeOut(Schema):
    """One line of an inbox."""

    id = fields.Integer()
    kind = fields.String()
    text = fields.Function(lambda n: {lang: rules.text(n.kind, lang, n.data, n.count) for lang in ("zh", "en")})
    is_urgent = fields.Function(lambda n: rules.KINDS[n.kind].is_urgent)
    ent_type = fields.String()
    ent_id = fields.String()
    problem = fields.String(attribute="problem_id", allow_none=True)
    count = fields.Integer()
    first_at = fields.AwareDateTime()
    at = fields.AwareDateTime()
    read_at = fields.AwareDateTime(allow_none=True)
    data = fields.Dict()
