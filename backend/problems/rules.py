"""How an intent is judged by the table of a problem's life (table.py; PROTOCOL.md P24, P74). Pure.

Never a database, a clock or a text of law.
"""

from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass, replace

from backend.problems.table import (
    ACCEPTANCE,
    ACCEPTED,
    ACTS,
    ALWAYS,
    APPLICATIONS,
    CANDIDATE,
    EVIDENCE,
    EXTENSION,
    FIELD,
    FIXES,
    FREE,
    LISTED,
    MAJOR,
    NO_STOP,
    PROPOSED,
    QUIET,
    STEPS,
    SUPERVISES,
    UNLISTED,
    VERIFIES,
    WAITS,
    Step,
    Wait,
)
from sync_protocol.lineage import Seen, Version, unseen
from sync_protocol.workflow import Situation, Verdict, decide

__all__ = [
    "ACTS",
    "ALWAYS",
    "EVIDENCE",
    "FIELD",
    "FIXES",
    "NO_STOP",
    "PROPOSED",
    "STEPS",
    "SUPERVISES",
    "VERIFIES",
    "Step",
]

ENDED = frozenset({"closed", "refuted"})
AT_IT = frozenset({"assigned", "fixing", "fix_reported", "to_verify"})  # the department that is named has the matter
AWAY = frozenset({"merged", "deleted"})  # no longer a problem of its own: in no ledger, on no map
CLAIMS = frozenset({"report_fixed", "close"})  # about the world: never refused for coming late
# Of two rival decisions the server's stands: whoever did not know that the matter went to another is too late.
OVERTAKEN_BY: Mapping[str, frozenset[str]] = dict.fromkeys(
    ("assign", "accept", "return", "hand_over"), frozenset({"assign"})
)
NAMES_ANOTHER = frozenset(
    {"assign", "merge", "hand_over", "list", "delist"}
)  # to whom, into which, what it is: `is_same` says whether it is so already
DANGER = frozenset({"raise", "report", "danger", "reopen", "refuse_fix", "stop_work", "joined", "restore", "separate"})
FACTS = frozenset(
    {"note", "photo", "work_stopped", "work_going_on", "unmerged_edit", "received", "answered", "progress"}
)
EDITS = frozenset({"edit", "resolve"})
# Where an action's effect is there already, besides the state that it leads to.
ALREADY: Mapping[str, frozenset[str]] = {
    "report_fixed": frozenset({"fix_reported", "to_verify"}) | ENDED,
    "close": ENDED,
    "confirm": AT_IT | {"returned", "closed"},
    "accept": frozenset({"fix_reported", "to_verify"}),
    "refuse_fix": frozenset({"found", "confirmed", "assigned", "returned"}),
    "reopen": frozenset(STEPS) - ENDED - AWAY,
}
ACTIONS = tuple(sorted({action for steps in STEPS.values() for action in steps}))
UNMET: Mapping[str, str] = {
    EVIDENCE: "photos of this problem are not here yet: {missing_photos}",
    NO_STOP: "work is stopped: the stop is lifted first",
    ACCEPTED: "a hazard under listed supervision is closed when its acceptance has passed",
    UNLISTED: "it is under listed supervision: it is delisted first",
    LISTED: "it is not under listed supervision",
    MAJOR: "it has not been judged a major hazard",
    CANDIDATE: "it is no candidate for a major hazard, or has been decided already",
    FREE: "an application is open already",
    EXTENSION: "no application for an extension is open",
    ACCEPTANCE: "no application for acceptance is open",
}


@dataclass(frozen=True, slots=True)
class Present:
    """A problem as it is now. `said`: what was recorded since, that the author of an intent had not seen.

    `is_same`: the intent asks for what is there already (the same department). `awaits_own`: photos that the intent
    itself brings are not here yet.
    """

    state: str
    is_work_stopped: bool = False
    missing_photos: int = 0
    said: frozenset[str] = frozenset()
    is_base_known: bool = True
    is_same: bool = False
    awaits_own: bool = False
    waits_for: str | None = None
    grade: str = "general"
    is_candidate: bool = False
    is_listed: bool = False
    is_accepted: bool = False


@dataclass(frozen=True, slots=True)
class Judgement:
    """What an intent comes to, the step that is taken (None: the problem stays as it is), and why not, in words."""

    verdict: Verdict
    step: Step | None = None
    why: str = ""


def judge(action: str, role: str, now: Present) -> Judgement:
    """Judge an intent by the table and the present; depends on nothing else (I16)."""
    step = STEPS[now.state].get(action)
    unmet = [name for name in (step.must if step else ()) if not _MUST[name](now)]
    waits = now.awaits_own and step is not None and EVIDENCE in step.must
    ends, is_so = releases(action, step), is_already_so(action, now)
    is_away = now.state in AWAY and step is None and not is_so
    is_stale, is_late = now.is_base_known and bool(now.said - FACTS), bool(now.said - FACTS - EDITS - QUIET)
    verdict = decide(
        Situation(
            is_already_so=is_so,
            is_permitted=step is not None and not unmet and not waits,
            is_allowed_to_actor=role in (step.who if step else _who(action)),
            is_target_deleted=is_away and now.state == "deleted",
            is_merged_elsewhere=is_away and now.state == "merged",
            is_base_stale=is_stale,
            needs_fresh_base=ends and is_late,
            is_contradicted=ends and bool(now.said & DANGER),
            is_overtaken=now.is_base_known and bool(now.said & OVERTAKEN_BY.get(action, frozenset())),
            is_claim=action in CLAIMS and (not unmet or (is_stale and is_late)),
        )
    )
    taken = {"applied": step, "proposed": PROPOSED}.get(verdict.status)
    return Judgement(verdict, taken, _why(action, now, verdict, unmet))


def steps_open_to(role: str, now: Present) -> dict[str, Step]:
    """The steps of the table that a role can take now, having seen all of it: what a page may offer, and nothing else."""
    so_already = {"list": replace(now, is_same=now.is_listed)}
    judged = {action: judge(action, role, so_already.get(action, now)) for action in STEPS[now.state]}
    return {action: found.step for action, found in judged.items() if found.step and found.verdict.status == "applied"}


def releases(action: str, step: Step | None) -> bool:
    """Whether an action ends a danger as far as the record goes; such a one holds only for what its author saw."""
    steps = [step] if step else [row[action] for row in STEPS.values() if action in row]
    return any(s.releases or s.stops_work is False or (s.to is not None and s.to in ENDED | AWAY) for s in steps)


def is_already_so(action: str, now: Present) -> bool:
    """Whether the effect of an action is there."""
    if action in NAMES_ANOTHER:
        return now.is_same
    if action in ("stop_work", "lift_stop"):
        return is_open(now.state) and now.is_work_stopped == (action == "stop_work")
    step = STEPS[now.state].get(action)
    leads_here = any(row[action].to == now.state for row in STEPS.values() if action in row)
    return step is None and (leads_here or now.state in ALREADY.get(action, ()))


def redirected(action: str, role: str, now: Present) -> Step | None:
    """What an intent for a problem that was merged does to the survivor `now`: its author has never seen that one.

    A claim is for a person to look at, danger takes effect, anything else is only told of (P74).
    """
    if action in CLAIMS:
        return PROPOSED if is_open(now.state) else None
    found = judge(action, role, now) if action in DANGER else None
    return found.step if found and found.verdict.status == "applied" else None


def assignment(state: str, is_by_person: bool) -> Step | None:
    """The step that follows when somebody is made responsible; None: the state stays. A rule that finds the
    department does not undo a fix that is reported already."""
    is_kept = state == "fix_reported" and not is_by_person
    return None if is_kept else STEPS[state].get("assign")


def is_open(state: str) -> bool:
    """Whether a problem in this state still needs somebody."""
    return state not in ENDED | AWAY


def said_since(events: Iterable[tuple[Version, str, str]], had: Seen) -> frozenset[str]:
    """The actions of (version, action, status) that the author of an op `had` not seen (P73).

    What changed nothing counts only where it says that there is danger.
    """
    kept = [e for e in events if e[2] in ("applied", "proposed") or (e[2] != "superseded" and e[1] in DANGER)]
    fresh = {version.ver for version in unseen([version for version, _, _ in kept], had)}
    return frozenset(action for version, action, _ in kept if version.ver in fresh)


def waits(state: str, waits_for: str | None) -> Wait | None:
    """Who is next and which clock runs; None where nobody has to act any more."""
    return (APPLICATIONS.get(waits_for or "") or WAITS[state]) if is_open(state) else None


_MUST: Mapping[str, Callable[[Present], bool]] = {
    EVIDENCE: lambda now: now.missing_photos == 0,
    NO_STOP: lambda now: not now.is_work_stopped,
    ACCEPTED: lambda now: not now.is_listed or now.is_accepted,
    UNLISTED: lambda now: not now.is_listed,
    LISTED: lambda now: now.is_listed,
    MAJOR: lambda now: now.grade == "major",
    CANDIDATE: lambda now: now.is_candidate,
    FREE: lambda now: now.waits_for is None,
    EXTENSION: lambda now: now.waits_for == EXTENSION,
    ACCEPTANCE: lambda now: now.waits_for == ACCEPTANCE,
}


def _who(action: str) -> frozenset[str]:
    return frozenset().union(*(row[action].who for row in STEPS.values() if action in row))


def _why(action: str, now: Present, verdict: Verdict, unmet: list[str]) -> str:
    if verdict.reason == "conflict":
        newer = ", ".join(sorted(now.said - FACTS - QUIET)) or "nothing is known"
        return f"{action} holds only for what its author saw; since then: {newer}"
    if unmet and verdict.reason == "guard_failed":
        return "; ".join(UNMET[name].format(missing_photos=now.missing_photos) for name in unmet)
    return f"{action} does not fit state {now.state}"
