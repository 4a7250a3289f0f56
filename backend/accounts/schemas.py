"""Shapes of account ops."""

from marshmallow import RAISE, Schema, fields, validate

from backend.access.roles import ROLES


class AddUser(Schema):
    """args of `user.add`. The password arrives hashed: no op ever holds one in clear."""

    class Meta:
        unknown = RAISE

    login = fields.String(required=True, validate=validate.Regexp(r"^[a-z0-9][a-z0-9._-]{1,60}$"))
    name = fields.String(required=True, validate=validate.Length(1, 80))
    role = fields.String(required=True, validate=validate.OneOf([r for r in ROLES if r != "system"]))
    areas = fields.List(fields.String(), load_default=list)
    department_id = fields.String(load_default=None, allow_none=True)
    password_hash = fields.String(load_default=None, allow_none=True)
    language = fields.String(load_default="zh", validate=validate.OneOf(["zh", "en"]))


class ChangeUser(Schema):
    """args of `user.change`: what is named changes. `is_active` false: the person has left; what they still send is kept."""

    class Meta:
        unknown = RAISE

    name = fields.String(validate=validate.Length(1, 80))
    role = fields.String(validate=validate.OneOf([r for r in ROLES if r != "system"]))
    areas = fields.List(fields.String())
    department_id = fields.String(allow_none=True)
    language = fields.String(validate=validate.OneOf(["zh", "en"]))
    is_active = fields.Boolean()


class HoldPost(Schema):
    """args of `post.hold`: a person takes a post from a day on; `user_id`: the account that signs for them."""

    class Meta:
        unknown = RAISE

    person = fields.String(required=True, validate=validate.Length(1, 80))
    from_on = fields.Date(required=True)
    user_id = fields.String(load_default=None, allow_none=True, validate=validate.Length(1, 64))


class LeavePost(Schema):
    """args of `post.leave`: the holder's last day; until somebody takes the post it is vacant."""

    class Meta:
        unknown = RAISE

    to_on = fields.Date(required=True)
    note = fields.String(load_default="", validate=validate.Length(max=400))


class AwayFromPost(Schema):
    """args of `post.away`: a deputy acts for the holder on these days, both included."""

    class Meta:
        unknown = RAISE

    deputy = fields.String(required=True, validate=validate.Length(1, 80))
    from_on = fields.Date(required=True)
    to_on = fields.Date(required=True)
    note = fields.String(load_default="", validate=validate.Length(max=400))


class BackAtPost(Schema):
    """args of `post.back`: the first day on which the holder is there again."""

    class Meta:
        unknown = RAISE

    on = fields.Date(required=True)
