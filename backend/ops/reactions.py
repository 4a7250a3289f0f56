"""What follows from what. The event graph is tested to have no cycle; a slow reaction is a job (LATER)."""

from collections.abc import Callable, Mapping
from typing import Any

from backend.accounts import handlers as accounts
from backend.geotags import handlers as geotags
from backend.inspections import handlers as inspections
from backend.notices import handlers as notices
from backend.photos import handlers as photos
from backend.problems import facts, steps
from backend.problems import handlers as problems
from backend.responsibility import handlers as responsibility
from backend.responsibility import posts
from backend.rings import handlers as rings
from backend.supervision import record as supervision
from backend.sweeps import handlers as sweeps

REACTIONS: Mapping[str, tuple[Callable[..., Any], ...]] = {
    "city.loaded": (accounts.take_posts,),
    "handover.issued": (rings.admit_handover,),
    "duty.published": (accounts.renew_roster,),
    "post.changed": (posts.follow,),
    "inspection.submitted": (sweeps.complete_task,),
    "finding.made": (geotags.locate,),
    "finding.located": (photos.settle, problems.raise_from),
    "problem.raised": (responsibility.assign, notices.of_raised),
    "responsibility.assigned": (problems.take_assignment, notices.of_assigned),
    "responsibility.stood": (steps.stand,),
    "photo.verified": (photos.tell, geotags.locate_by_photo),
    "photo.attached": (facts.hear_of_photos,),
    "evidence.changed": (inspections.note_evidence, problems.note_evidence),
    "finding.relocated": (photos.settle, problems.move),
    "problem.stepped": (notices.of_step,),
    "document.issued": (notices.of_document,),
    "sweep.opened": (notices.of_sweep,),
    "handover.stepped": (notices.of_paper,),
    "order.stepped": (notices.of_paper,),
    "transfer.stepped": (notices.of_paper,),
    "post.handed_on": (notices.of_post,),
    "post.deputed": (notices.of_deputy,),
    "op.parked": (notices.of_parked,),
    "problem.moved": (responsibility.assign, supervision.follow),
}

# event → (kind of job, member of the event that makes its key)
LATER: Mapping[str, tuple[tuple[str, str], ...]] = {
    "photo.verified": (("photo.derive", "sha256"),),
    "pack.installed": (("ops.after_release", "cause"),),
    "grants.changed": (("ops.after_grant", "cause"),),
    "problem.restored": (("ops.after_restore", "cause"),),
}
