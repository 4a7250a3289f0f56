"""`python -m sync_protocol.client`: the reference client on the command line. Parsing and printing only."""

import argparse
import dataclasses
import json
import sys
import time
from pathlib import Path
from random import Random
from typing import Any

from sync_protocol.client import listening, rounds
from sync_protocol.client.session import FieldClient, NotEnrolled
from sync_protocol.client.transport import TIMEOUT_S, Offline, Refused, ServerBusy


def main(argv: list[str] | None = None) -> int:
    """Run one command and print its result as JSON; 0 done, 1 refused or not possible, 3 no connection."""
    given = _parser().parse_args(argv)
    try:
        print(json.dumps(run(given), ensure_ascii=False, indent=2, default=dataclasses.asdict))
    except (Refused, ServerBusy, NotEnrolled, ValueError, OSError) as refusal:
        print(refusal, file=sys.stderr)
        return 1
    except Offline as fault:
        print(f"offline: {fault}", file=sys.stderr)
        return 3
    return 0


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(prog="python -m sync_protocol.client")
    parser.add_argument("--home", type=Path, required=True, help="folder of this installation")
    parser.add_argument("--url", default="http://127.0.0.1:8000")
    parser.add_argument("--timeout", type=float, default=TIMEOUT_S, help="seconds to wait for an answer")
    commands = parser.add_subparsers(dest="command", required=True)
    enrol = commands.add_parser("enrol")
    enrol.add_argument("code")
    enrol.add_argument("--install-id", help="made up once and kept where it is not given")
    commands.add_parser("renew", help="enrol again, keeping everything").add_argument("code")
    record = commands.add_parser("record")
    record.add_argument("verb")
    record.add_argument("ent", help="type:id")
    record.add_argument("args", help="JSON")
    record.add_argument("photos", nargs="*", type=Path)
    record.add_argument("--urgent", action="store_true", help="danger: sent at once, by a lane of its own")
    for name in ("push", "pull", "upload", "rescue", "status"):
        commands.add_parser(name)
    sync = commands.add_parser("sync")
    sync.add_argument(
        "--patient", action="store_true", help="as a phone in a pocket: starts within two minutes, waits long"
    )
    watch = commands.add_parser("watch", help="sync now, then whenever the server says that something has changed")
    watch.add_argument("--seconds", type=float, default=3600.0, help="for how long")
    for name in ("view", "pending"):
        commands.add_parser(name).add_argument("type")
    return parser


def run(given: argparse.Namespace) -> object:
    """One command against one installation."""
    client = FieldClient(given.home, given.url, timeout_s=given.timeout)
    try:
        if given.command == "enrol":
            return _without_token(client.enrol(given.code, given.install_id))
        if given.command == "renew":
            return _without_token(client.renew(given.code))
        if given.command == "record":
            kind, _, ent_id = given.ent.partition(":")
            args = json.loads(given.args)
            return {"op": client.record(given.verb, (kind, ent_id), args, given.photos, urgent=given.urgent)}
        if given.command == "sync" and given.patient:
            time.sleep(rounds.start_delay_s(client.has_urgent(), Random()))
            return {"done": client.sync(pace=rounds.PATIENT), **client.status()}
        if given.command == "watch":
            client.sync()
            return {**listening.watch(client, given.seconds, Random()), **client.status()}
        if given.command == "view":
            return client.rows(given.type)
        if given.command == "pending":
            return client.pending(given.type)
        done = getattr(client, given.command)()
        return done if given.command == "status" else {"done": done, **client.status()}
    finally:
        client.close()


def _without_token(answer: dict[str, Any]) -> dict[str, Any]:
    return {k: v for k, v in answer.items() if k != "token"}


if __name__ == "__main__":
    sys.exit(main())
