"""What was published, as a paper says it: a period, a restatement, an evaluation, as far as its issuer sees them. Figures are those
that were published; none is made here."""

from collections.abc import Mapping
from datetime import datetime
from typing import Any

from sqlalchemy.orm import Session

from backend.access.scope import Actor
from backend.documents.facts import About, place_of
from backend.documents.kinds import MAX_ROWS, Kind
from backend.errors import NotFound, Refused
from backend.evaluation import queries as evaluations
from backend.evaluation.rules import INDICATORS, SUBJECTS
from backend.ledgers import queries as ledgers
from backend.periods import queries as periods
from backend.periods import words
from backend.periods.models import LedgerPeriod
from backend.periods.rules import MEASURES
from backend.workdays import local_date

LABELS = [words.MEASURES_ZH[name] for name in MEASURES]


def of_period(session: Session, actor: Actor, kind: Kind, name: str, now: datetime) -> About:
    """The figures of a published period where the issuer's ledger begins. Raises Refused target_missing, guard_failed."""
    found = _first(session, actor, name)
    node, path, place = _home(session, actor)
    made = periods.rollup(session, actor, found, node, "area")
    lines = [*made["rows"], {**made["total"], "name": "合计"}]
    _fits(lines)
    rows = [[row["name"], *(str(row[measure]) for measure in MEASURES)] for row in lines]
    told = _told(session, actor, found)
    return About(("ledger", name), path, actor.department_id, {**told, "place": place, "columns": LABELS, "rows": rows})


def of_restatement(session: Session, actor: Actor, kind: Kind, name: str, now: datetime) -> About:
    """Then, now and why, as a restatement told it. Raises Refused target_missing, guard_failed."""
    later = periods.get(session, actor, name)
    if later is None or later.restates is None:
        raise Refused("target_missing", "no such restatement")
    first = _first(session, actor, later.restates)
    node, path, place = _home(session, actor)
    made = periods.restated(session, actor, first, later, node, "area")
    lines = [*made["rows"], {**made["total"], "name": "合计"}]
    _fits(lines)
    rows = [[row["name"], [_changed(row, measure) for measure in MEASURES]] for row in lines]
    said = {"first": _told(session, actor, first), "place": place, "rows": rows}
    return About(("ledger", name), path, actor.department_id, {**_told(session, actor, later), **said})


def _changed(row: Mapping[str, Any], measure: str) -> list[str]:
    gap = row["difference"][measure]
    told = [
        words.MEASURES_ZH[measure],
        str(row["then"][measure]),
        str(row["now"][measure]),
        f"{gap:+d}" if gap else "0",
    ]
    return [*told, words.why(row["why"], measure)]


def of_evaluation(session: Session, actor: Actor, kind: Kind, name: str, now: datetime) -> About:
    """Scores of the subjects that the issuer sees, with the shares that they were made of. Raises Refused target_missing, guard_failed."""
    found = evaluations.get(session, actor, name)
    if found is None:
        raise Refused("target_missing", "no such evaluation")
    _, path, place = _home(session, actor)
    scored = evaluations.scored(session, actor, name)
    _fits(scored)
    weights = evaluations.weights(session, found.weights_version)
    weighed = weights.weights if weights else {}
    used = [indicator for indicator in INDICATORS if weighed.get(indicator)]
    names = ledgers.names_of(session, actor, found.kind, {row["subject"]: row for row in scored})
    rows = [
        [names.get(row["subject"], row["subject"]), *(_share(row["figures"].get(each)) for each in used), _score(row)]
        for row in scored
    ]
    days = words.days({name: getattr(found, name) for name in ("period", "from_on", "to_on")})
    said = {
        "evaluation": found.number, "period": days, "at": local_date(found.at).isoformat(),
        "source_digest": found.digest, "place": place, "subjects": SUBJECTS[found.kind], "weights_version": found.weights_version,
        "columns": [f"{INDICATORS[each]}\n（权重 {weighed[each]}）" for each in used], "rows": rows,
        "is_small": any(row["is_small"] for row in scored),
    }  # fmt: skip
    return About(("evaluation", name), path, actor.department_id, said)


def _share(told: list[int] | None) -> str:
    return f"{told[0]}/{told[1]}\n{100 * told[0] / told[1]:.1f}%" if told and told[1] else "—"


def _score(row: Mapping[str, Any]) -> str:
    return "—" if row["score"] is None else f"{row['score']}{'*' if row['is_small'] else ''}"


def _first(session: Session, actor: Actor, name: str) -> LedgerPeriod:
    try:
        return periods.published(session, actor, name)
    except NotFound as fault:
        raise Refused("target_missing", "no such published period") from fault


def _home(session: Session, actor: Actor) -> tuple[str, str, str]:
    """(node, area path, name) where the issuer's ledger begins."""
    try:
        node = ledgers.home(session, actor)
    except NotFound as fault:
        raise Refused("target_missing", fault.detail) from fault
    return node, *place_of(session, actor, node)


def _fits(lines: list[Any]) -> None:
    if len(lines) > MAX_ROWS:
        raise Refused("guard_failed", f"more than {MAX_ROWS} rows: take an export")


def _told(session: Session, actor: Actor, found: LedgerPeriod) -> dict[str, Any]:
    """What a publication says of itself, as this issuer may see it."""
    told = periods.told(session, actor, found)
    return {
        "publication": found.number, "period": words.days(told), "at": local_date(found.at).isoformat(),
        "published_on": local_date(found.published_at).isoformat(), "source_digest": found.digest, "note": found.note,
        "completeness": words.complete(told["completeness"]),
    }  # fmt: skip
