"""Proofs about what was published: documents, periods and their restatements, draws, evaluations and their weights. Each against its
own digest, and against what the journal says was published. Read in a stream; nothing is changed or repaired."""

import json
from collections.abc import Callable, Iterator, Mapping
from typing import Any

import orjson
from sqlalchemy.orm import Session

from backend.access.scope import SYSTEM, visible
from backend.backups.tally import Finding, Tally
from backend.documents import queries as documents
from backend.documents.models import Document
from backend.evaluation import queries as evaluations
from backend.evaluation.models import Evaluation, EvaluationWeights
from backend.journal.models import JournalEntry
from backend.periods import queries as periods
from backend.periods.models import LedgerPeriod
from backend.sampling import rules as drawing
from backend.sampling.models import Sample, SampleItem

ALTERED = "is not what was digested"
# verb → the kind of thing that it published, and what of the summary names it
SAID: Mapping[str, tuple[str, tuple[str, ...]]] = {
    "document.issue": ("document", ("document",)), "ledger.publish": ("ledger", ("number",)), "ledger.restate": ("ledger", ("number",)),
    "sample.draw": ("sample", ("number",)), "sample.result": ("sample.result", ("sample", "problem")),
    "evaluation.publish": ("evaluation", ("number",)), "evaluation.weigh": ("weights", ("version",)),
}  # fmt: skip
Journalled = dict[tuple[str, ...], Mapping[str, Any]]


def published(session: Session, tally: Tally) -> Iterator[Finding]:
    """A figure that was changed since, a digest that is not the journal's, and what is there or gone against the journal."""
    said = _journalled(session)
    for proof in (_documents, _periods, _evaluations, _weights, _samples):
        yield from proof(session, said, tally)
    yield from ((" ".join(name), "is in the journal and not on record") for name in said)


def _journalled(session: Session) -> Journalled:
    """(kind, name…) → what the journal says of it."""
    found: Journalled = {}
    rows = visible(JournalEntry, SYSTEM).with_only_columns(JournalEntry.verb, JournalEntry.body)
    where = rows.where(JournalEntry.verb.in_(SAID)).order_by(JournalEntry.n)
    for verb, body in session.execute(where.execution_options(yield_per=1000)):
        told, (kind, names) = json.loads(body)["summary"], SAID[verb]
        if all(name in told for name in names):
            found[kind, *(str(told[name]) for name in names)] = told
    return found


def _against(
    name: tuple[str, ...], digest: str, said: Journalled, is_intact: Callable[[], bool], tally: Tally
) -> Iterator[Finding]:
    """One published thing against its own digest and the journal's."""
    tally.rows += 1
    told = said.pop(name, None)
    if not is_intact():
        yield " ".join(name), ALTERED
    if told is None:
        yield " ".join(name), "is not in the journal"
    elif told["digest"] != digest:
        yield " ".join(name), "has another digest than the journal says"


def _documents(session: Session, said: Journalled, tally: Tally) -> Iterator[Finding]:
    every = visible(Document, SYSTEM).order_by(Document.number).execution_options(yield_per=500)
    for each in session.scalars(every):
        yield from _against(("document", each.number), each.digest, said, lambda e=each: documents.is_intact(e), tally)  # type: ignore[misc]
        session.expunge(each)


def _periods(session: Session, said: Journalled, tally: Tally) -> Iterator[Finding]:
    for each in session.scalars(visible(LedgerPeriod, SYSTEM).order_by(LedgerPeriod.number)).all():
        name = ("ledger", each.number)
        yield from _against(name, each.digest, said, lambda e=each: periods.is_intact(session, e), tally)  # type: ignore[misc]


def _evaluations(session: Session, said: Journalled, tally: Tally) -> Iterator[Finding]:
    for each in session.scalars(visible(Evaluation, SYSTEM).order_by(Evaluation.number)).all():
        name = ("evaluation", each.number)
        yield from _against(name, each.digest, said, lambda e=each: evaluations.is_intact(session, e), tally)  # type: ignore[misc]


def _weights(session: Session, said: Journalled, tally: Tally) -> Iterator[Finding]:
    for each in session.scalars(visible(EvaluationWeights, SYSTEM).order_by(EvaluationWeights.version)).all():
        tally.rows += 1
        told = said.pop(("weights", str(each.version)), None)
        if told is None or told["weights"] != each.weights:
            yield f"weights {each.version}", "are not what the journal says"


def _samples(session: Session, said: Journalled, tally: Tally) -> Iterator[Finding]:
    """The draw is what seed and list make, its items are those drawn, and each result is the one that was recorded."""
    for each in session.scalars(visible(Sample, SYSTEM).order_by(Sample.number)).all():
        told = orjson.loads(each.content)
        yield from _against(("sample", each.number), each.digest, said, lambda e=each, t=told: _is_draw(e, t), tally)  # type: ignore[misc]
        rows = visible(SampleItem, SYSTEM).where(SampleItem.number == each.number)
        items = session.scalars(rows.order_by(SampleItem.problem_id)).all()
        kept = [{"id": i.problem_id, "stratum": i.stratum, "inspector": i.inspector_id} for i in items]
        if kept != told["drawn"]:
            yield f"sample {each.number}", "its items are not those that were drawn"
        for item in items:
            seen = said.pop(("sample.result", each.number, item.problem_id), {})
            if item.result != seen.get("result"):
                yield (
                    f"sample {each.number} {item.problem_id}",
                    f"its result is {item.result}, recorded was {seen.get('result')}",
                )


def _is_draw(found: Sample, told: Mapping[str, Any]) -> bool:
    kept = (found.digest, found.seed, found.percent, found.population)
    return kept == (told["digest"], told["seed"], told["percent"], len(told["population"])) and not drawing.faults(told)
