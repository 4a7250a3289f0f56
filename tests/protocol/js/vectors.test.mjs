// The vectors of sync_protocol/vectors under Node: `node --test tests/protocol/js`. No values of their own are kept here.

import assert from "node:assert/strict";
import { readFileSync, readdirSync } from "node:fs";
import { test } from "node:test";

import * as rules from "./rules.mjs";

const FOLDER = new URL("../../../sync_protocol/vectors/", import.meta.url);
const load = (name) => JSON.parse(readFileSync(new URL(`${name}.json`, FOLDER), "utf8"));

test("P2: an op id is a UUID of version seven", () => {
  for (const { ms, rand, id } of load("uuid7").cases) assert.equal(rules.uuid7(ms, rand), id);
});

test("P3: a fingerprint is of the bytes", () => {
  for (const { body, fp } of load("fingerprint").bodies) assert.equal(rules.fingerprint(body), fp);
});

test("P4: the chain is the same everywhere", () => {
  const { replica, ops } = load("chain");
  let head = rules.GENESIS;
  for (const { seq, fp, head: expected } of ops) assert.equal((head = rules.chainHead(head, replica, seq, fp)), expected);
});

test("P7–P10: ops are new, known, forked or an incident", () => {
  const { replica, traces } = load("ordering");
  for (const trace of traces) {
    const head = { replica, nextSeq: trace.start_seq ?? 1, head: rules.GENESIS };
    const verdicts = trace.ops.map(({ seq, body, prev }) => {
      const known = trace.known[body];
      return rules.take(head, { seq, prev: prev ?? head.head, fp: rules.fingerprint(body) }, known === undefined ? undefined : rules.fingerprint(known));
    });
    assert.deepEqual([verdicts.slice(0, trace.verdicts.length), head.nextSeq], [trace.verdicts, trace.next_seq], trace.name);
  }
});

test("P14: a cursor has one spelling, and an altered one is refused", () => {
  const { epoch, since, schema, key, text } = load("cursor");
  assert.equal(rules.writeCursor(epoch, since, schema, key), text);
  assert.deepEqual(rules.readCursor(text, key), { v: 1, e: epoch, s: since, sc: schema });
  for (let n = 0; n < text.length; n++)
    for (const other of "AB!=") if (text[n] !== other) assert.throws(() => rules.readCursor(text.slice(0, n) + other + text.slice(n + 1), key));
});

test("P15–P17: a pull starts where the plan says", () => {
  for (const { cursor, scope, horizons, resetting, since, drop, reset } of load("plan").cases)
    assert.deepEqual(rules.plan(cursor, scope, horizons, resetting), { since, drop, reset });
});

test("P24: an intent comes to what the table says", () => {
  for (const { at, status, reason, flags } of load("workflow").cases) assert.deepEqual(rules.decide(at), { status, reason, flags });
});

test("P25: edits merge by field and keep what they override", () => {
  for (const { theirs, edits, policies, apply, conflicts } of load("merge").cases) assert.deepEqual(rules.merge(theirs, edits, policies), { apply, conflicts });
});

test("P26: an exchange gives offset and uncertainty, an estimate its interval", () => {
  const { offsets, estimates } = load("clock");
  for (const { t, offset, uncertainty } of offsets) assert.deepEqual(rules.offset(...t), [offset, uncertainty]);
  for (const e of estimates) assert.deepEqual(rules.estimate(e.anchor, e.boot, e.mono, e.known_after, e.received), [e.at, e.low, e.high, e.quality]);
});

test("the checksum of a bucket", () => {
  const { members, sum } = load("checksum");
  assert.equal(rules.checksum(members), sum);
  assert.equal(rules.checksum([]), "0".repeat(16));
});

test("P40: tables hold the rows", () => {
  const { rows, tables } = load("tables");
  assert.deepEqual(rules.unpack(tables), rows);
});

test("every vector that a client needs is run here", () => {
  const servers = ["upcasts", "time", "lineage"]; // what the server alone decides
  const run = ["uuid7", "fingerprint", "chain", "ordering", "cursor", "plan", "workflow", "merge", "clock", "checksum", "tables"];
  const there = readdirSync(FOLDER).filter((name) => name.endsWith(".json")).map((name) => name.slice(0, -5));
  assert.deepEqual(there.filter((name) => !run.includes(name) && !servers.includes(name)), []);
});
