"""Installing a pack version. An installed version is never altered."""

from datetime import datetime

from sqlalchemy import insert
from sqlalchemy.orm import Session

from backend.access.scope import Actor
from backend.effects import Changed, Effect, Event, OpLike
from backend.errors import Invalid, Refused
from backend.programmes import queries
from backend.programmes.models import Programme
from backend.programmes.packs import check_body, pack_from_body
from backend.territory import queries as territory


def install(session: Session, op: OpLike, actor: Actor, now: datetime) -> Effect:
    """`pack.install`: keep a new version; the same body again is a noop, another body under the same version is refused.

    Raises Invalid naming every fault of the body, as `pack check` does.
    """
    faults = check_body(op.args["body"], territory.department_ids(session) or None)
    if faults:
        pointers = ["/body" + "".join(f"/{step}" for step in where) for where, _ in faults]
        told = [
            {"pointer": pointer, "code": "invalid", "detail": why}
            for pointer, (_, why) in zip(pointers, faults, strict=True)
        ]
        raise Invalid(errors=told)
    made = pack_from_body(op.args["body"])
    there = queries.pack(session, made.programme, made.version)
    if there is not None and there.digest == made.digest:
        return Effect(status="noop")
    if there is not None:
        raise Refused(
            "conflict", f"{made.programme} v{made.version} is installed with other content: raise its version"
        )
    session.execute(insert(Programme).values(
        programme=made.programme, version=made.version, name_zh=made.name_zh, name_en=made.name_en,
        body=made.body, digest=made.digest, valid_from_on=made.valid_from))  # fmt: skip
    changed = Changed("template", f"{made.programme}:{made.version}", made.version, ("global",))
    event = Event("pack.installed", {"cause": op.id})
    summary = {"programme": made.programme, "version": made.version}
    return Effect(changes=[changed], events=[event], summary=summary)
