"""Every verb there is: schema, permission, handler. A row here and a handler make a new verb; no branches anywhere."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any

from marshmallow import Schema

from backend.accounts import handlers as accounts
from backend.accounts import schemas as account_schemas
from backend.documents import handlers as documents
from backend.documents import schemas as document_schemas
from backend.evaluation import handlers as evaluation
from backend.evaluation import schemas as evaluation_schemas
from backend.evidence import handlers as evidence
from backend.feed import handlers as feed
from backend.feed import schemas as feed_schemas
from backend.geotags import handlers as geotags
from backend.geotags import schemas as geotag_schemas
from backend.handovers import handlers as handovers
from backend.handovers import schemas as handover_schemas
from backend.inspections import handlers as inspections
from backend.inspections import schemas as inspection_schemas
from backend.notices import handlers as notices
from backend.notices import schemas as notice_schemas
from backend.ops import repair, schemas
from backend.periods import handlers as periods
from backend.periods import schemas as period_schemas
from backend.photos import handlers as photos
from backend.photos import schemas as photo_schemas
from backend.problems import edits, facts, steps
from backend.problems import handlers as problems
from backend.problems import schemas as problem_schemas
from backend.programmes import handlers as programmes
from backend.programmes import schemas as programme_schemas
from backend.responsibility import handlers as responsibility
from backend.responsibility import posts
from backend.responsibility import schemas as responsibility_schemas
from backend.rings import handlers as rings
from backend.rings import schemas as ring_schemas
from backend.rings import steps as ring_steps
from backend.sampling import handlers as sampling
from backend.sampling import schemas as sample_schemas
from backend.shapes import Nothing
from backend.supervision import applications, majors, transfers
from backend.supervision import schemas as supervision_schemas
from backend.sweeps import handlers as sweeps
from backend.sweeps import schemas as sweep_schemas
from backend.territory import handlers as territory
from backend.territory import schemas as territory_schemas


@dataclass(frozen=True, slots=True)
class Verb:
    """What an op may ask for. `v` is the newest version of its args; `prepare` reads what a lot of such ops looks for,
    `locks` names what it changes beside its own entity."""

    schema: Schema
    permission: str
    handler: Callable[..., Any]
    v: int = 1
    prepare: tuple[Callable[..., None], ...] = ()
    locks: Callable[..., list[str]] = lambda session, op: []


VERBS: Mapping[str, Verb] = {
    "city.load": Verb(territory_schemas.Load(), "city.load", territory.load),
    "pack.install": Verb(programme_schemas.Install(), "pack.install", programmes.install),
    "user.add": Verb(account_schemas.AddUser(), "user.add", accounts.add_user),
    "post.hold": Verb(account_schemas.HoldPost(), "post.hold", accounts.hold_post),
    "duty.publish": Verb(responsibility_schemas.PublishDuty(), "duty.publish", responsibility.publish_duty),
    "post.leave": Verb(account_schemas.LeavePost(), "post.hold", accounts.leave_post),
    "post.away": Verb(account_schemas.AwayFromPost(), "post.hold", accounts.go_away),
    "post.back": Verb(account_schemas.BackAtPost(), "post.hold", accounts.come_back),
    "post.settle": Verb(Nothing(), "server.keep", posts.settle),
    "post.accept": Verb(responsibility_schemas.AcceptPost(), "post.accept", posts.accept),
    "user.change": Verb(account_schemas.ChangeUser(), "user.add", accounts.change_user),
    "sweep.open": Verb(sweep_schemas.OpenSweep(), "sweep.open", sweeps.open_sweep),
    "sweep.close": Verb(ring_schemas.CloseSweep(), "sweep.open", rings.close_sweep),
    "order.issue": Verb(ring_schemas.IssueOrder(), "order.issue", rings.issue_order),
    "order.take": Verb(ring_schemas.TakeSweeps(), "order.issue", rings.take_sweeps),
    "order.reply": Verb(ring_schemas.ReplyOrder(), "handover.answer", rings.reply_order),
    "order.close": Verb(ring_schemas.Closing(), "order.issue", rings.close_order),
    "year.close": Verb(ring_schemas.Closing(), "order.issue", rings.close_year),
    "sector.act": Verb(ring_schemas.ActOfSector(), "sector.act", ring_steps.act),
    "team.change": Verb(sweep_schemas.ChangeTeam(), "team.form", sweeps.change_team),
    "task.move": Verb(sweep_schemas.MoveTasks(), "team.form", sweeps.move_tasks),
    "task.excuse": Verb(sweep_schemas.ExcuseTask(), "task.excuse", sweeps.excuse),
    "inspection.submit": Verb(
        inspection_schemas.Submit(),
        "inspection.submit",
        inspections.submit,
        v=2,
        prepare=(sweeps.prepare, photos.prepare, problems.prepare, responsibility.prepare),
    ),  # fmt: skip
    "problem.report": Verb(
        inspection_schemas.Report(),
        "problem.report",
        inspections.report,
        prepare=(photos.prepare, problems.prepare, responsibility.prepare),
    ),  # fmt: skip
    "problem.act": Verb(problem_schemas.Act(), "problem.act", steps.act),
    "problem.merge": Verb(problem_schemas.Merge(), "problem.act", steps.merge),
    "problem.note": Verb(problem_schemas.Note(), "problem.act", facts.note),
    "problem.observe": Verb(problem_schemas.Observe(), "problem.act", facts.observe),
    "problem.edit": Verb(problem_schemas.Edit(), "problem.act", edits.edit),
    "conflict.resolve": Verb(problem_schemas.Resolve(), "conflict.resolve", edits.resolve),
    "problem.assign": Verb(responsibility_schemas.Reassign(), "problem.assign", responsibility.reassign),
    "problem.place": Verb(geotag_schemas.Place(), "problem.place", geotags.place),
    "extension.ask": Verb(supervision_schemas.AskExtension(), "problem.act", applications.ask_extension),
    "extension.decide": Verb(supervision_schemas.DecideExtension(), "problem.act", applications.decide_extension),
    "acceptance.ask": Verb(supervision_schemas.AskAcceptance(), "problem.act", applications.ask_acceptance),
    "acceptance.decide": Verb(supervision_schemas.DecideAcceptance(), "problem.act", applications.decide_acceptance),
    "transfer.send": Verb(supervision_schemas.SendTransfer(), "problem.act", transfers.send),
    "transfer.receive": Verb(supervision_schemas.ReceiveTransfer(), "transfer.answer", transfers.receive),
    "transfer.answer": Verb(supervision_schemas.AnswerTransfer(), "transfer.answer", transfers.answer),
    "major.consult": Verb(supervision_schemas.Consult(), "problem.act", majors.consult),
    "major.decide": Verb(supervision_schemas.DecideMajor(), "problem.act", majors.decide),
    "listing.order": Verb(supervision_schemas.OrderListing(), "problem.act", majors.order),
    "listing.report": Verb(supervision_schemas.ReportListing(), "problem.act", majors.report),
    "listing.end": Verb(supervision_schemas.EndListing(), "problem.act", majors.delist),
    "problem.escalate": Verb(supervision_schemas.Escalate(), "problem.escalate", majors.escalate),
    "clock.escalate": Verb(notice_schemas.RanOut(), "problem.escalate", notices.ran_out),
    "photo.attach": Verb(photo_schemas.Attach(), "photo.attach", evidence.attach),
    "photo.receive": Verb(photo_schemas.Receive(), "photo.receive", photos.receive),
    "photo.lose": Verb(photo_schemas.Lose(), "photo.receive", photos.lose),
    "document.issue": Verb(document_schemas.Issue(), "document.issue", documents.issue),
    "handover.issue": Verb(handover_schemas.IssueHandover(), "handover.issue", handovers.issue),
    "handover.sign": Verb(handover_schemas.Noted(), "handover.answer", handovers.sign),
    "handover.reply": Verb(handover_schemas.Reply(), "handover.answer", handovers.reply),
    "handover.judge": Verb(handover_schemas.Judge(), "handover.issue", handovers.judge),
    "handover.close": Verb(handover_schemas.Noted(), "handover.issue", handovers.close),
    "handover.withdraw": Verb(handover_schemas.Withdraw(), "handover.issue", handovers.withdraw),
    "ledger.publish": Verb(period_schemas.Publish(), "ledger.publish", periods.publish),
    "ledger.restate": Verb(period_schemas.Restate(), "ledger.publish", periods.restate),
    "webhook.subscribe": Verb(notice_schemas.Subscribe(), "webhook.subscribe", notices.subscribe),
    "webhook.end": Verb(Nothing(), "webhook.subscribe", notices.end_webhook),
    "notice.address": Verb(notice_schemas.Address(), "user.add", notices.set_address),
    "sample.draw": Verb(sample_schemas.Draw(), "sample.draw", sampling.draw),
    "sample.result": Verb(sample_schemas.Result(), "sample.result", sampling.result),
    "evaluation.weigh": Verb(evaluation_schemas.Weigh(), "evaluation.publish", evaluation.weigh),
    "evaluation.publish": Verb(evaluation_schemas.Evaluate(), "evaluation.publish", evaluation.publish),
    "epoch.begin": Verb(feed_schemas.BeginEpoch(), "server.keep", feed.begin),
    "backup.note": Verb(feed_schemas.NoteBackup(), "server.keep", feed.note_backup),
    "op.retry": Verb(Nothing(), "op.repair", repair.retry, locks=repair.locks),
    "op.edit": Verb(schemas.Edit(), "op.repair", repair.edit, locks=repair.locks),
    "op.redirect": Verb(schemas.Redirect(), "op.repair", repair.redirect, locks=repair.locks),
    "op.restore": Verb(Nothing(), "op.repair", repair.restore, locks=repair.locks),
    "op.discard": Verb(schemas.Discard(), "op.repair", repair.discard),
    "op.hand_over": Verb(Nothing(), "op.repair", repair.hand_over),
}
# entity type → how an entity that was given up comes back (op.restore)
RESTORERS: Mapping[str, Callable[..., Any]] = {"problem": steps.restore}
