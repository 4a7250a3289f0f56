"""Shapes of the ops of this room, and of proceedings as the API shows them."""

from collections.abc import Mapping
from typing import Any

from marshmallow import Schema, ValidationError, fields, validate, validates_schema

from backend.problems.fields import MAX_TEXT
from backend.problems.table import LEVELS
from backend.shapes import Strict

MIN_POSTS = 3  # of a collective decision (消防监督检查规定 21; domain.md)
TEXT = validate.Length(max=MAX_TEXT)
SOME_TEXT = validate.Length(1, MAX_TEXT)
ID = validate.Length(1, 64)


class AskExtension(Strict):
    """args of `extension.ask`."""

    until = fields.Date("%Y-%m-%d", required=True)
    reason = fields.String(required=True, validate=SOME_TEXT)
    measures = fields.String(load_default="", validate=TEXT)


class DecideExtension(Strict):
    """args of `extension.decide`; `until` left out: the day that was asked for."""

    verdict = fields.String(required=True, validate=validate.OneOf(["granted", "refused"]))
    until = fields.Date("%Y-%m-%d", load_default=None, allow_none=True)
    opinion = fields.String(load_default="", validate=TEXT)


class AskAcceptance(Strict):
    """args of `acceptance.ask`."""

    done_on = fields.Date("%Y-%m-%d", required=True)
    summary = fields.String(required=True, validate=SOME_TEXT)
    funds = fields.String(load_default="", validate=TEXT)
    self_check = fields.String(load_default="", validate=TEXT)


class DecideAcceptance(Strict):
    """args of `acceptance.decide`."""

    verdict = fields.String(required=True, validate=validate.OneOf(["passed", "failed"]))
    opinion = fields.String(load_default="", validate=TEXT)
    visited_on = fields.Date("%Y-%m-%d", load_default=None, allow_none=True)
    experts = fields.String(load_default="", validate=TEXT)


class SendTransfer(Strict):
    """args of `transfer.send`: 抄告 inform, 移交 hand_over, 协查函 assist."""

    kind = fields.String(required=True, validate=validate.OneOf(["inform", "hand_over", "assist"]))
    department_id = fields.String(required=True, validate=ID)
    area_id = fields.String(load_default=None, allow_none=True, validate=ID)
    note = fields.String(required=True, validate=SOME_TEXT)


class ReceiveTransfer(Strict):
    """args of `transfer.receive`."""

    opinion = fields.String(load_default="", validate=TEXT)


class AnswerTransfer(Strict):
    """args of `transfer.answer`."""

    result = fields.String(required=True, validate=SOME_TEXT)
    done_on = fields.Date("%Y-%m-%d", load_default=None, allow_none=True)


class Consult(Strict):
    """args of `major.consult`: what the experts are asked."""

    note = fields.String(required=True, validate=SOME_TEXT)


class DecideMajor(Strict):
    """args of `major.decide`: who has decided, by post; what was said; what the experts think where they were asked."""

    verdict = fields.String(required=True, validate=validate.OneOf(["general", "major"]))
    posts = fields.List(
        fields.String(validate=validate.Length(1, 120)), required=True, validate=validate.Length(MIN_POSTS, 50)
    )
    minutes = fields.String(required=True, validate=SOME_TEXT)
    expert_opinion = fields.String(load_default="", validate=TEXT)

    @validates_schema
    def _are_different(self, data: Mapping[str, Any], **_: Any) -> None:
        if len({post.strip() for post in data.get("posts", ())} - {""}) < len(data.get("posts", ())):
            raise ValidationError("each post once, and none without a name", "posts")


class OrderListing(Strict):
    """args of `listing.order`."""

    level = fields.String(required=True, validate=validate.OneOf(["city", "district"]))
    finish_by = fields.Date("%Y-%m-%d", required=True)
    plan_by = fields.Date("%Y-%m-%d", load_default=None, allow_none=True)
    demand = fields.String(load_default="", validate=TEXT)


class ReportListing(Strict):
    """args of `listing.report`."""

    text = fields.String(required=True, validate=SOME_TEXT)


class EndListing(Strict):
    """args of `listing.end`."""

    reason = fields.String(required=True, validate=SOME_TEXT)


class Escalate(Strict):
    """args of `problem.escalate`: which clock has run out, and who is told."""

    level = fields.String(required=True, validate=validate.OneOf(LEVELS))
    clock_n = fields.Integer(required=True, strict=True, validate=validate.Range(0, 2**31 - 1))


class ProceedingOut(Schema):
    """A proceeding. `stands`: whether it still waits for somebody (an application that a step has overtaken does not)."""

    id = fields.String()
    kind = fields.String()
    problem = fields.String(attribute="problem_id")
    status = fields.String()
    by = fields.String(attribute="opened_by")
    at = fields.AwareDateTime(attribute="opened_at")
    due_on = fields.Date(allow_none=True)
    due_reason = fields.Dict()
    said = fields.Dict()
    received_by = fields.String(allow_none=True)
    received_at = fields.AwareDateTime(allow_none=True)
    ended_by = fields.String(allow_none=True)
    ended_at = fields.AwareDateTime(allow_none=True)
    answer = fields.Dict()
    ver = fields.Integer()
