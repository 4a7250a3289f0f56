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
    """args of `post.hold`: a person takes a post from a day on."""

    class Meta:
        unknown = RAISE

    person = fields.String(required=True, validate=validate.Length(1, 80))
    from_on = fields.Date(required=True)
