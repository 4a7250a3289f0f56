"""Names of things: op ids, fingerprints, the chain of a replica. Pure; time and random bytes come in
(rules P2–P4)."""

import hashlib

GENESIS = "0" * 64


def uuid7(now_ms: int, rand: bytes) -> str:
    """RFC 9562 UUIDv7 from milliseconds since 1970 and ten random bytes. Nobody trusts the time in it."""
    if len(rand) != 10 or not 0 <= now_ms < 1 << 48:
        raise ValueError("ten random bytes and a 48-bit time are needed")
    n = now_ms << 80 | int.from_bytes(rand, "big")
    n = n & ~(0xF << 76) | 0x7 << 76
    n = n & ~(0x3 << 62) | 0x2 << 62
    text = f"{n:032x}"
    return f"{text[:8]}-{text[8:12]}-{text[12:16]}-{text[16:20]}-{text[20:]}"


def fingerprint(body: str) -> str:
    """P3: SHA-256 of the body's UTF-8 bytes, exactly as its author wrote them."""
    return hashlib.sha256(body.encode()).hexdigest()


def chain_head(prev: str, replica: str, seq: int, fp: str) -> str:
    """P4: head of a replica's log after op `seq`: sha256(prev ‖ replica ‖ be64(seq) ‖ fp)."""
    return hashlib.sha256(
        bytes.fromhex(prev) + replica.encode() + seq.to_bytes(8, "big") + bytes.fromhex(fp)
    ).hexdigest()
