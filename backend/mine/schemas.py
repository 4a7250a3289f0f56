"""What is whose today, as the API tells of it."""

from marshmallow import Schema, fields


class MineProblem(Schema):
    """A problem that waits for the asker."""

    id = fields.String()
    number = fields.String()
    description = fields.String()
    state = fields.String()
    grade = fields.String()
    site = fields.String()
    due_on = fields.Date(allow_none=True)
    urgency = fields.String()
    no_day = fields.String(allow_none=True, metadata={"description": "why there is no day, where there is none"})
    next_actor = fields.String(allow_none=True)
    clock = fields.String(allow_none=True)
    escalated_level = fields.String(allow_none=True)
    missing_photos = fields.Integer()


class MineAct(Schema):
    """Something of a larger ring that the asker is to do."""

    ring = fields.String()
    id = fields.String()
    name = fields.String()
    what = fields.String()
    title = fields.String()
    due_on = fields.Date(allow_none=True)
    urgency = fields.String()
