"""Limits that a server states in /hello, and the statuses and reasons an op can end with. Data only."""

STATUSES = (
    "applied", "noop", "proposed", "superseded", "redirected", "discarded", "parked", "blocked", "incident",
)  # fmt: skip
REASONS = (
    "invalid", "forbidden", "scope_lost", "conflict", "target_missing", "target_deleted", "guard_failed",
    "unknown_type", "schema_too_new", "op_id_reused", "handler_error", "dep_missing", "txn_failed",
)  # fmt: skip
MAX_OPS = 200
MAX_OP_BYTES = 65_536
CHUNK_OPS = 100
MAX_UNACKED = 200
MAX_PAGE = 500
UPLOAD_CHUNK_BYTES = 262_144
PROTO_MIN = 1  # the oldest way of pulling; pushing has none (P27)
SCHEMA = 2  # the newest form of rows; a pull without `schema` is of SCHEMA_MIN
SCHEMA_MIN = 1
TABLES_SINCE = 2  # from this schema on rows may come as tables
BUNDLES_SINCE = 2  # and bundles may be offered
MAX_DEPS = 20
MAX_SEQ = 2**53 - 1  # what JavaScript counts to
MAX_V = 32_767
MAX_DEPTH = 32  # objects and lists inside one another in a body, the body counted
