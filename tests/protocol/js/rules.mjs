// The rules of PROTOCOL.md that a client needs, written a second time from the text: no line of it is shared with the Python.
// Only what Node itself brings. Each function names its rule.

import { createHash, createHmac } from "node:crypto";

export const GENESIS = "0".repeat(64);
export const MAX_SUB = 2 ** 30;

const sha256 = (...parts) => parts.reduce((hash, part) => hash.update(part), createHash("sha256")).digest();

// P3
export const fingerprint = (body) => sha256(Buffer.from(body, "utf8")).toString("hex");

// P4
export function chainHead(prev, replica, seq, fp) {
  const number = Buffer.alloc(8);
  number.writeBigUInt64BE(BigInt(seq));
  return sha256(Buffer.from(prev, "hex"), Buffer.from(replica, "utf8"), number, Buffer.from(fp, "hex")).toString("hex");
}

// P2
export function uuid7(ms, rand) {
  let n = (BigInt(ms) << 80n) | BigInt(`0x${rand}`);
  n = (n & ~(0xfn << 76n)) | (0x7n << 76n);
  n = (n & ~(0x3n << 62n)) | (0x2n << 62n);
  const text = n.toString(16).padStart(32, "0");
  return [text.slice(0, 8), text.slice(8, 12), text.slice(12, 16), text.slice(16, 20), text.slice(20)].join("-");
}

// P14
export function readCursor(text, key) {
  const raw = Buffer.from(text, "base64url");
  if (raw.toString("base64url") !== text || raw.length < 17) throw new Error("cursor_invalid");
  const body = raw.subarray(0, -16);
  if (!createHmac("sha256", key).update(body).digest().subarray(0, 16).equals(raw.subarray(-16))) throw new Error("cursor_invalid");
  return JSON.parse(body.toString("utf8"));
}

const sorted = (value) =>
  value && typeof value === "object" && !Array.isArray(value)
    ? Object.fromEntries(Object.keys(value).sort().map((k) => [k, sorted(value[k])]))
    : value;

export function writeCursor(epoch, since, schema, key) {
  const body = Buffer.from(JSON.stringify(sorted({ v: 1, e: epoch, s: since, sc: schema })), "utf8");
  return Buffer.concat([body, createHmac("sha256", key).update(body).digest().subarray(0, 16)]).toString("base64url");
}

// P7–P10
export function take(head, op, knownFp) {
  const extends_ = op.seq === head.nextSeq && op.prev === head.head;
  const advance = () => {
    head.head = chainHead(head.head, head.replica, head.nextSeq, op.fp);
    head.nextSeq += 1;
  };
  if (knownFp !== undefined) {
    if (extends_) advance();
    return knownFp === op.fp ? "duplicate" : "incident";
  }
  if (!extends_) return "forked";
  advance();
  return "new";
}

const before = (a, b) => a[0] < b[0] || (a[0] === b[0] && a[1] < b[1]);

// P15–P17
export function plan(cursor, scope, horizons, resetting) {
  const since = {}, reset = [], began = Array.isArray(resetting) ? Object.fromEntries(resetting.map((b) => [b, null])) : resetting;
  for (const bucket of [...new Set(scope)].sort()) {
    let at = cursor[bucket] ?? [0, -1];
    const horizon = horizons[bucket] ?? 0;
    const knows = bucket in began ? (began[bucket] === null ? horizon : began[bucket] + 1) : 0;
    const passed = at[1] >= MAX_SUB ? at[0] + 1 : at[0];
    if (before([0, -1], at) && Math.max(passed, knows) < horizon) {
      reset.push(bucket);
      at = [0, -1];
    }
    since[bucket] = at;
  }
  return { since, drop: Object.keys(cursor).filter((b) => !scope.includes(b)).sort(), reset };
}

// P24
export function decide(at) {
  const verdict = (status, reason = null, flags = []) => ({ status, reason, flags });
  if (at.is_merged_elsewhere) return verdict("redirected");
  if (at.is_target_deleted) return verdict("parked", "target_deleted");
  if (at.is_allowed_to_actor === false) return verdict("parked", "forbidden");
  if (at.is_already_so) return verdict("noop");
  if (at.is_contradicted) return verdict("parked", "conflict");
  if (at.is_overtaken) return verdict("superseded");
  if (at.is_permitted && !(at.is_base_stale && at.needs_fresh_base)) return verdict("applied", null, at.is_base_stale ? ["rebased"] : []);
  if (at.is_claim) return verdict("proposed");
  return verdict("parked", at.is_permitted ? "conflict" : "guard_failed");
}

// P26
export function offset(t0, t1, t2, t3) {
  return [Math.floor((t1 - t0 + (t2 - t3)) / 2), Math.ceil((t3 - t0 - (t2 - t1)) / 2)];
}

export function estimate(anchor, boot, mono, after, received) {
  const middle = Math.floor((after + received) / 2);
  if (anchor === null || anchor[0] !== boot) return [middle, after, received, "bracketed"];
  const [, monoThen, server, uncertainty] = anchor;
  const since = mono - monoThen, around = uncertainty + Math.ceil((Math.abs(since) * 100) / 1e6), guess = server + since;
  const low = Math.max(guess - around, after), high = Math.min(guess + around, received);
  if (low > high) return [middle, after, received, "suspect"];
  return [Math.min(Math.max(guess, low), high), low, high, "anchored"];
}

// the checksum of a bucket: sum of the first 8 bytes of sha256(type|id|ver) mod 2^64
export function checksum(members) {
  const sum = members.reduce((total, [type, id, ver]) => total + sha256(`${type}|${id}|${ver}`).readBigUInt64BE(0), 0n);
  return (sum % 2n ** 64n).toString(16).padStart(16, "0");
}

// P40
export function unpack(tables) {
  return tables.flatMap((table) => {
    const ids = column(table.id, table.n, null);
    const common = { b: table.b, t: table.t, op: table.op };
    if (table.op === "remove") return ids.map((id) => ({ ...common, id }));
    const vers = column(table.ver, table.n, ids);
    const columns = Object.entries(table.data).map(([name, told]) => [name, column(told, table.n, ids)]);
    return ids.map((id, n) => ({ ...common, id, ver: vers[n], data: Object.fromEntries(columns.map(([name, cells]) => [name, cells[n]])) }));
  });
}

function column(told, count, ids) {
  const found = Array.isArray(told) ? told : read(told, count, ids);
  if (found.length !== count) throw new Error("a column is longer or shorter than its table");
  return found;
}

function read(told, count, ids) {
  if ("all" in told) return Array(count).fill(told.all);
  if ("as" in told) return ids;
  if ("of" in told) return told.at.map((n) => told.of[n]);
  if ("num" in told) return told.num.flatMap(([head, tail, digits, steps]) => summed(steps).map((n) => `${head}${String(n).padStart(digits, "0")}${tail}`));
  return lists(told, count);
}

function summed(steps) {
  let total = 0;
  return steps.map((step) => (total += step));
}

function lists(told, count) {
  const numbers = line(told.line);
  if (told.dec === undefined) {
    const sizes = Array.isArray(told.n) ? told.n : Array(count).fill(told.n);
    let at = 0;
    return sizes.map((size) => numbers.slice(at, (at += size)));
  }
  const width = told.n ?? 1;
  const lines = [...Array(width).keys()].map((k) => summed(numbers.filter((_, n) => n % width === k)).map((n) => n / 10 ** told.dec));
  return told.n === null || told.n === undefined ? lines[0] : lines[0].map((_, n) => lines.map((each) => each[n]));
}

function line(text) {
  const numbers = [];
  let n = 0, place = 1;
  for (const letter of Buffer.from(text, "ascii")) {
    n += ((letter - 63) % 32) * place;
    place *= 32;
    if (letter < 95) {
      numbers.push(n % 2 === 0 ? n / 2 : -Math.floor(n / 2) - 1);
      n = 0;
      place = 1;
    }
  }
  return numbers;
}

// P25
export function same(a, b) {
  if (Array.isArray(a) && Array.isArray(b)) return a.length === b.length && a.every((v, n) => same(v, b[n]));
  if (a && b && typeof a === "object" && typeof b === "object" && !Array.isArray(a) && !Array.isArray(b)) {
    const keys = Object.keys(a);
    return keys.length === Object.keys(b).length && keys.every((k) => k in b && same(a[k], b[k]));
  }
  return a === b;
}

const holds = (values, wanted) => values.some((value) => same(value, wanted));

// what stands, and whether it is one value of both (P72)
function choose(policy, was, theirs, mine) {
  if (policy === "device") return [mine, false];
  if (policy === "max" && typeof theirs === "number" && typeof mine === "number") return [Math.max(theirs, mine), true];
  if (policy === "union" && [was, theirs, mine].every((v) => v === null || v === undefined || Array.isArray(v))) {
    const [w, t, m] = [was ?? [], theirs ?? [], mine ?? []];
    return [[...t.filter((v) => holds(m, v) || !holds(w, v)), ...m.filter((v) => !holds(t, v) && !holds(w, v))], true];
  }
  return [theirs, false];
}

export function merge(theirs, edits, policies) {
  const apply = {}, conflicts = [];
  for (const field of Object.keys(edits).sort()) {
    const present = theirs[field] ?? null, { was, now } = edits[field];
    if (same(present, now)) continue;
    if (same(present, was)) {
      apply[field] = now;
      continue;
    }
    const policy = policies[field] ?? "server";
    const [chosen, isJoined] = choose(policy, was, present, now);
    conflicts.push([field, was, present, now, policy, chosen, isJoined]);
    if (!same(chosen, present)) apply[field] = chosen;
  }
  return { apply, conflicts };
}
