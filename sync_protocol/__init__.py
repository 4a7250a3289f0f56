"""FSP/1, the field sync protocol (PROTOCOL.md), as pure functions: no clock, no randomness, no web, no
database.

Only `sync_protocol.client` does input and output.
"""

PROTO = 1
