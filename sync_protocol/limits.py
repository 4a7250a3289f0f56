"""Limits that a server states in /hello, and the statuses and reasons an op can end with. Data only."""

STATUSES = ("applied", "noop", "proposed", "superseded", "redirected", "parked", "blocked", "incident")
REASONS = (
    "invalid", "forbidden", "scope_lost", "conflict", "target_missing", "target_deleted", "guard_failed",
    "unknown_type", "schema_too_new", "op_id_reused", "handler_error",
)  # fmt: skip
MAX_OPS = 200
CHUNK_OPS = 100
MAX_UNACKED = 200
MAX_PAGE = 500
UPLOAD_CHUNK_BYTES = 262_144
MAX_SEQ = 2**53 - 1  # what JavaScript counts to
MAX_V = 32_767
MAX_DEPTH = 32  # objects and lists inside one another in a body, the body counted
