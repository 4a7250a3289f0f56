"""Shapes of account ops."""

from marshmallow import fields, validate

from backend.access.roles import ROLES
from backend.shapes import Strict


class AddUser(Strict):
    """args of `user.add`. The password arrives hashed: no op ever holds one in clear."""

    login = fields.String(required=True, validate=validate.Regexp(r"^[a-z0-9][a-z0-9._-]{1,60}$"))
    name = fields.String(required=True, validate=validate.Length(1, 80))
    role = fields.String(required=True, validate=validate.OneOf([r for r in ROLES if r != "system"]))
    areas = fields.List(fields.String(), load_default=list)
    department_id = fields.String(load_default=None, allow_none=True)
    password_hash = fields.String(load_default=None, allow_none=True)
    language = fields.String(load_default="zh", validate=validate.OneOf(["zh", "en"]))


class ChangeUser(Strict):
    """args of `user.change`: what is named changes. `is_active` false: the person has left; what they still send is kept."""

    name = fields.String(validate=validate.Length(1, 80))
    role = fields.String(validate=validate.OneOf([r for r in ROLES if r != "system"]))
    areas = fields.List(fields.String())
    department_id = fields.String(allow_none=True)
    language = fields.String(validate=validate.OneOf(["zh", "en"]))
    is_active = fields.Boolean()


class HoldPost(Strict):
    """args of `post.hold`: a person takes a post from a day on; `user_id`: the account that signs for them."""

    person = fields.String(required=True, validate=validate.Length(1, 80))
    from_on = fields.Date(required=True)
    user_id = fields.String(load_default=None, allow_none=True, validate=validate.Length(1, 64))


class LeavePost(Strict):
    """args of `post.leave`: the holder's last day; until somebody takes the post it is vacant."""

    to_on = fields.Date(required=True)
    note = fields.String(load_default="", validate=validate.Length(max=400))


class AwayFromPost(Strict):
    """args of `post.away`: a deputy acts for the holder on these days, both included."""

    deputy = fields.String(required=True, validate=validate.Length(1, 80))
    from_on = fields.Date(required=True)
    to_on = fields.Date(required=True)
    note = fields.String(load_default="", validate=validate.Length(max=400))


class BackAtPost(Strict):
    """args of `post.back`: the first day on which the holder is there again."""

    on = fields.Date(required=True)
