"""`python -m sync_protocol.client`: the reference client on the command line. Parsing and printing only."""

import argparse
import json
import sys
from pathlib import Path

from sync_protocol.client.session import FieldClient
from sync_protocol.client.transport import Offline, Refused, ServerBusy


def main(argv: list[str] | None = None) -> int:
    """Run one command; 0 done, 1 refused, 3 no connection."""
    parser = argparse.ArgumentParser(prog="python -m sync_protocol.client")
    parser.add_argument("--home", type=Path, required=True, help="folder of this installation")
    parser.add_argument("--url", default="http://127.0.0.1:8000")
    commands = parser.add_subparsers(dest="command", required=True)
    enrol = commands.add_parser("enrol")
    enrol.add_argument("code")
    record = commands.add_parser("record")
    record.add_argument("verb")
    record.add_argument("ent", help="type:id")
    record.add_argument("args", help="JSON")
    record.add_argument("photos", nargs="*", type=Path)
    for name in ("push", "pull", "upload", "sync", "status"):
        commands.add_parser(name)
    view = commands.add_parser("view")
    view.add_argument("type")
    given = parser.parse_args(argv)
    try:
        print(json.dumps(run(given), ensure_ascii=False, indent=2))
    except (Refused, ServerBusy) as refusal:
        print(refusal, file=sys.stderr)
        return 1
    except Offline as fault:
        print(f"offline: {fault}", file=sys.stderr)
        return 3
    return 0


def run(given: argparse.Namespace) -> object:
    """One command against one installation."""
    client = FieldClient(given.home, given.url)
    try:
        if given.command == "enrol":
            return {
                k: v for k, v in client.enrol(given.code, str(given.home.resolve())).items() if k != "token"
            }
        if given.command == "record":
            kind, _, ent_id = given.ent.partition(":")
            return {"op": client.record(given.verb, (kind, ent_id), json.loads(given.args), given.photos)}
        if given.command == "view":
            return client.rows(given.type)
        done = getattr(client, given.command)()
        return done if given.command == "status" else {"done": done, **client.status()}
    finally:
        client.close()


if __name__ == "__main__":
    sys.exit(main())
