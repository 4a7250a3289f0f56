"""marshmallow schemas as JSON Schema, as far as the two can say the same. Says differences; asserts nothing itself."""

from typing import Any

from marshmallow import RAISE, Schema, fields, validate

from backend.inspections.schemas import Answers, Texts
from backend.problems.schemas import Changes
from backend.shapes import Real
from backend.sync.schemas import Check, Count, Members, Mismatched, Resetting
from tests.contract import DOCUMENT, resolved

SUM: dict[str, Any] = {"type": "string", "pattern": "^[0-9a-f]{16}$"}
# Fields whose shape no generic rule can tell: as the contract writes them.
OWN: dict[type, dict[str, Any]] = {
    Answers: {"type": "object", "additionalProperties": {"enum": ["fail", "na", "pass", "unchecked"]}},
    Changes: {
        "type": "object",
        "minProperties": 1,
        "additionalProperties": {
            "type": "object", "additionalProperties": False, "required": ["now", "was"], "properties": {"was": {}, "now": {}},
        },
    },
    fields.Raw: {},
    Texts: {"type": "object", "additionalProperties": {"type": "string", "maxLength": 4000}},
    Resetting: {
        "oneOf": [
            {"type": "object", "additionalProperties": {"type": "integer", "minimum": 0}},
            {"type": "array", "items": {"type": "string"}},
        ]
    },
    Count: {},  # taken whatever it is: anything but a number says nothing
    Check: {"type": "array", "minItems": 2, "maxItems": 2, "prefixItems": [{"type": "integer", "minimum": 0}, SUM]},
    Members: {"type": "array", "maxItems": 200, "items": {"type": "array", "minItems": 3, "maxItems": 4}},
    Mismatched: {
        "type": "object",
        "additionalProperties": {
            "type": "array", "minItems": 3, "maxItems": 3,
            "prefixItems": [{"type": "integer"}, {"type": "integer", "minimum": 0}, SUM],
        },
    },
}  # fmt: skip
PLAIN: tuple[tuple[type, dict[str, Any]], ...] = (
    (fields.AwareDateTime, {"type": "string", "format": "date-time"}),
    (fields.Date, {"type": "string", "format": "date"}),
    (fields.Boolean, {"type": "boolean"}),
    (fields.Integer, {"type": "integer"}),
    (Real, {"type": "number"}),
    (fields.String, {"type": "string"}),
)
# What says nothing about a shape.
WORDS = {"description", "example", "examples", "title", "default"}


def of_schema(schema: Schema) -> dict[str, Any]:
    """The JSON Schema that a marshmallow schema amounts to."""
    made: dict[str, Any] = {
        "type": "object",
        "properties": {name: of_field(f) for name, f in schema.fields.items()},
    }
    required = sorted(name for name, field in schema.fields.items() if field.required)
    if required:
        made["required"] = required
    if schema.unknown == RAISE:
        made["additionalProperties"] = False
    return made


def of_field(field: fields.Field[Any]) -> dict[str, Any]:
    """One field, with its validators."""
    made = dict(_bare(field))
    for validator in field.validators:
        made |= _validated(validator, made)
    if field.allow_none and "type" in made:
        made["type"] = [made["type"], "null"]
    if "enum" in made:
        made.pop("type", None)
    return made


def _bare(field: fields.Field[Any]) -> dict[str, Any]:
    if type(field) in OWN:
        return OWN[type(field)]
    if isinstance(field, fields.Nested):
        return of_schema(field.schema)
    if isinstance(field, fields.List):
        return {"type": "array", "items": of_field(field.inner)}
    if isinstance(field, fields.Dict):
        inner = field.value_field
        return (
            {"type": "object"}
            if inner is None
            else {"type": "object", "additionalProperties": of_field(inner)}
        )
    return next(shape for kind, shape in PLAIN if isinstance(field, kind))


def _validated(validator: Any, made: dict[str, Any]) -> dict[str, Any]:
    if isinstance(validator, validate.Length):
        unit = "Items" if made.get("type") == "array" else "Length"
        shortest, longest = (validator.equal, validator.equal) if validator.equal else (validator.min, validator.max)
        both = {f"min{unit}": shortest, f"max{unit}": longest}
        return {name: value for name, value in both.items() if value is not None}
    if isinstance(validator, validate.Range):
        both = {"minimum": validator.min, "maximum": validator.max}
        return {name: value for name, value in both.items() if value is not None}
    if isinstance(validator, validate.OneOf):
        return {"enum": sorted(validator.choices)}
    assert isinstance(validator, validate.Regexp), f"{validator} has no counterpart in a contract yet"
    return {"pattern": validator.regex.pattern.replace(r"\Z", "$")}


def of_contract(name: str) -> dict[str, Any]:
    """A component of the contract in the same form: references followed, words left out, lists in order."""
    found: dict[str, Any] = _followed(DOCUMENT["components"]["schemas"][name])
    return found


def _followed(node: Any) -> Any:
    if isinstance(node, list):
        return [_followed(each) for each in node]
    if not isinstance(node, dict):
        return node
    whole = resolved(node)
    if not all(isinstance(v, dict) for v in whole.values()):  # a schema, not a map of schemas
        whole = {key: value for key, value in whole.items() if key not in WORDS}
    made = {key: _followed(value) for key, value in whole.items()}
    for key in ("required", "enum"):
        if isinstance(made.get(key), list):
            made[key] = sorted(made[key])
    if made.get("additionalProperties") is True:  # as where nothing is said
        del made["additionalProperties"]
    return made


def differences(ours: Any, theirs: Any, at: str = "") -> list[str]:
    """Where a schema (ours) and the contract (theirs) disagree, place by place."""
    if isinstance(ours, dict) and isinstance(theirs, dict):
        return [
            fault
            for key in sorted(set(ours) | set(theirs))
            for fault in differences(ours.get(key), theirs.get(key), f"{at}/{key}")
        ]
    return [] if ours == theirs else [f"{at}: the schema says {ours!r}, the contract {theirs!r}"]
