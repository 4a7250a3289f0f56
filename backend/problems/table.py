"""A problem's life as one table: state → action → where to, who may, what must be so, what it needs, what is printed. Pure.

A domain expert can proof-read STEPS and WAITS. Acts that are records of their own (an extension, a listing) stand here as
well: what they do to the problem is a step like any other. Never a database, a clock's days or a text of law.
"""

from collections.abc import Mapping
from dataclasses import dataclass, replace

INSPECTS = frozenset({"inspector", "expert", "district", "city", "system"})
SUPERVISES = frozenset({"district", "department", "city", "system"})
VERIFIES = frozenset({"district", "city", "system"})  # not the department: nobody confirms their own fix
FIXES = frozenset({"school", "township", "department", "district", "inspector", "system"})
UNIT = frozenset({"school", "township", "department", "system"})  # the unit itself, or who speaks in its stead (代报)
DIRECTS = frozenset({"city", "system"})
BY_ITSELF = frozenset({"system"})  # what follows from the clock
ASSIGNS = SUPERVISES | {"township"}
FIELD = INSPECTS | SUPERVISES

EVIDENCE, NO_STOP = "evidence", "no_stop"  # every photo that is spoken of is here; no stop-work is in force
ACCEPTED, UNLISTED, LISTED = (
    "accepted",
    "unlisted",
    "listed",
)  # of listed supervision: acceptance passed, where it is listed
MAJOR, CANDIDATE = "major", "candidate"
FREE, EXTENSION, ACCEPTANCE = "free", "extension", "acceptance"  # what application the problem waits with, if any


@dataclass(frozen=True, slots=True, kw_only=True)
class Step:
    """One permitted step. `to` None: the state stays. `told`: who hears of it besides whoever is next (WAITS).

    `waits`: the application that is open from then on ("": none any more). `releases`: it holds only for what its author
    saw. `document`: the kind that is printed (documents/kinds.py). `limit`: the clock of its own that begins (limits.v1.yaml).
    """

    to: str | None
    who: frozenset[str]
    must: tuple[str, ...] = ()
    needs_note: bool = False
    needs_photo: bool = False
    stops_work: bool | None = None
    told: tuple[str, ...] = ()
    waits: str | None = None
    releases: bool = False
    document: str | None = None
    limit: str | None = None


@dataclass(frozen=True, slots=True)
class Wait:
    """Who must act next, and the limit that runs ("fix": the problem's own day, due_on)."""

    next_actor: str
    clock: str


# Exactly one who is next and one clock, for every state in which somebody still has to act …
WAITS: Mapping[str, Wait] = {
    "found": Wait("supervisor", "assign"),
    "confirmed": Wait("supervisor", "assign"),
    "assigned": Wait("department", "fix"),
    "returned": Wait("supervisor", "assign"),
    "fixing": Wait("department", "fix"),
    "fix_reported": Wait("inspector", "reinspect"),
    "to_verify": Wait("supervisor", "reinspect"),
}
# … and while an application is open, before the state's own.
APPLICATIONS: Mapping[str, Wait] = {
    EXTENSION: Wait("supervisor", "decide_extension"),
    ACCEPTANCE: Wait("supervisor", "visit_acceptance"),
}
LEVELS = ("township", "district", "city")  # an overdue clock is told of upwards, one after the other

ASSIGN = Step(to="assigned", who=ASSIGNS)
HAND_OVER = Step(
    to=None, who=ASSIGNS, needs_note=True, document="handover", limit="reply"
)  # 移交: an assign follows at once
REPORT_FIXED = Step(to="fix_reported", who=FIXES, needs_photo=True)
CLOSE = Step(to="closed", who=INSPECTS, must=(EVIDENCE, NO_STOP, ACCEPTED), document="reinspection")
REFUSE_FIX = Step(to="fixing", who=INSPECTS, needs_note=True, document="reinspection")
REFUSE_AGAIN = replace(REFUSE_FIX, told=("supervisor",))
STOP_AGAIN = Step(to="assigned", who=FIELD, needs_note=True, stops_work=True, told=("supervisor",))
DELIST = Step(to=None, who=DIRECTS, must=(LISTED, ACCEPTED), needs_note=True, releases=True, limit="publish_delisting")

ALWAYS: Mapping[str, Step] = {  # in every state in which somebody still has to act
    "stop_work": Step(to=None, who=FIELD, needs_note=True, stops_work=True),
    "lift_stop": Step(to=None, who=SUPERVISES, needs_note=True, stops_work=False),
    "merge": Step(to="merged", who=VERIFIES, must=(UNLISTED,), needs_note=True),
    "delete": Step(to="deleted", who=DIRECTS, must=(NO_STOP, UNLISTED), needs_note=True),
    "hand_over": HAND_OVER,
    "inform": Step(to=None, who=ASSIGNS, needs_note=True, document="handover", limit="reply"),
    "ask_help": Step(to=None, who=SUPERVISES, needs_note=True, document="handover", limit="reply"),
    "escalate": Step(to=None, who=BY_ITSELF, told=LEVELS),
    "consult": Step(to=None, who=VERIFIES, must=(CANDIDATE,), needs_note=True, limit="expert_opinion"),
    "decide_major": Step(to=None, who=VERIFIES, limit="notice_major"),
    "decide_general": Step(to=None, who=VERIFIES, must=(UNLISTED,), releases=True),
    "list": Step(to=None, who=DIRECTS, must=(MAJOR,), document="supervision", limit="progress_report"),
}
ASK_EXTENSION = Step(
    to=None,
    who=UNIT,
    must=(FREE,),
    needs_note=True,
    waits=EXTENSION,
    document="extension_request",
    limit="decide_extension",
)
_EXTENDS: Mapping[str, Step] = {
    "ask_extension": ASK_EXTENSION,
    "grant_extension": Step(to=None, who=VERIFIES, must=(EXTENSION,), waits="", document="extension_decision"),
    "refuse_extension": Step(
        to=None, who=VERIFIES, must=(EXTENSION,), needs_note=True, waits="", document="extension_decision"
    ),
}
_ACCEPTS: Mapping[str, Step] = {
    "ask_acceptance": Step(
        to=None, who=UNIT, must=(FREE,), waits=ACCEPTANCE, document="acceptance_request", limit="visit_acceptance"
    ),
    "pass_acceptance": Step(
        to=None,
        who=VERIFIES,
        must=(ACCEPTANCE, EVIDENCE, NO_STOP),
        waits="",
        releases=True,
        document="acceptance_opinion",
    ),
    "fail_acceptance": Step(
        to="fixing", who=VERIFIES, must=(ACCEPTANCE,), needs_note=True, document="acceptance_opinion"
    ),
}
STEPS: Mapping[str, Mapping[str, Step]] = {
    "found": {
        "confirm": Step(to="confirmed", who=SUPERVISES),
        "assign": ASSIGN,
        "report_fixed": REPORT_FIXED,
        "refute": Step(to="refuted", who=SUPERVISES, must=(NO_STOP, UNLISTED), needs_note=True),
        **ALWAYS,
    },
    "confirmed": {"assign": ASSIGN, "report_fixed": REPORT_FIXED, **ALWAYS},
    "assigned": {
        "assign": ASSIGN,
        "accept": Step(to="fixing", who=FIXES),
        "return": Step(to="returned", who=FIXES, needs_note=True),
        "report_fixed": REPORT_FIXED,
        **_EXTENDS,
        **ALWAYS,
    },
    "returned": {"assign": ASSIGN, **ALWAYS},
    "fixing": {"assign": ASSIGN, "report_fixed": REPORT_FIXED, **_EXTENDS, **ALWAYS},
    "fix_reported": {
        "refuse_fix": REFUSE_FIX,
        "close": CLOSE,
        "assign": ASSIGN,
        **_ACCEPTS,
        "delist": DELIST,
        **ALWAYS,
    },
    "to_verify": {  # a claim came late: a person decides, having seen what had happened meanwhile
        "confirm_fix": Step(to="closed", who=VERIFIES, must=(EVIDENCE, NO_STOP, ACCEPTED)),
        "close": CLOSE,
        "refuse_fix": REFUSE_FIX,
        "assign": Step(to=None, who=ASSIGNS, told=("department",)),
        **_ACCEPTS,
        "delist": DELIST,
        **ALWAYS,
    },
    "closed": {
        "reopen": Step(to="assigned", who=INSPECTS, needs_note=True),
        "danger": Step(to="assigned", who=FIELD | FIXES, told=("supervisor",)),
        "stop_work": STOP_AGAIN,
        "refuse_fix": REFUSE_AGAIN,
        "delist": DELIST,
        "delete": ALWAYS["delete"],
    },
    "refuted": {
        "reopen": Step(to="found", who=INSPECTS, needs_note=True),
        "danger": Step(to="found", who=FIELD | FIXES),
        "stop_work": STOP_AGAIN,
        "confirm": Step(to="confirmed", who=SUPERVISES),
        "delete": ALWAYS["delete"],
    },
    "merged": {"separate": Step(to="found", who=VERIFIES, needs_note=True)},
    "deleted": {"restore": Step(to="found", who=DIRECTS, needs_note=True)},
}
PROPOSED = Step(to="to_verify", who=FIELD | FIXES, told=("department",))
# Acts that are records of their own, and what follows from the clock: asked for by verbs of their own.
ACTS = frozenset(
    {"hand_over", "inform", "ask_help", "escalate", "consult", "decide_major", "decide_general", "list", "delist"}
) | (_EXTENDS.keys() | _ACCEPTS.keys())
# Of these, what says nothing of the danger and takes nothing from anybody: whoever closes need not have seen it (P70).
QUIET = frozenset(
    {
        "inform",
        "ask_help",
        "escalate",
        "consult",
        "ask_extension",
        "grant_extension",
        "refuse_extension",
        "ask_acceptance",
    }
)
