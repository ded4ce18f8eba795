import assert from "node:assert/strict";
import { ACK_CODES, type ArrivalLog, type SentLog } from "../../bench/columns.ts";
import { controlKey } from "../../bench/control_id.ts";
import { complaint, percentile, reconcile, type Routes } from "../../bench/reconcile.ts";

type SentRow = readonly [source: number, sequence: number, ack?: number];
type ArrivalRow = readonly [lane: number, source: number, sequence: number, at?: number];

const oneLane: Routes = [[0], [0]];

function sentOf(rows: readonly SentRow[]): SentLog {
  const column = (of: (row: SentRow, index: number) => number) => Float64Array.from(rows, of);
  return {
    length: rows.length,
    source: column(([source]) => source),
    sequence: column(([, sequence]) => sequence),
    sentAt: column((_, index) => index),
    ackAt: column((_, index) => index + 1),
    ack: column(([, , ack]) => ack ?? ACK_CODES.accepted),
  };
}

function arrivalsOf(rows: readonly ArrivalRow[]): ArrivalLog {
  return {
    length: rows.length,
    lane: Float64Array.from(rows, ([lane]) => lane),
    key: Float64Array.from(rows, ([, source, sequence]) => controlKey(source, sequence)),
    at: Float64Array.from(rows, ([, , , at], index) => at ?? 100 + index),
  };
}

function findings(sent: readonly SentRow[], arrivals: readonly ArrivalRow[], routes = oneLane) {
  return reconcile(sentOf(sent), arrivalsOf(arrivals), routes).findings;
}

const threeSent: SentRow[] = [[0, 0], [1, 0], [0, 1]];

Deno.test("reconcile() finds nothing when every message arrived once and in order", () => {
  const found = findings(threeSent, [[0, 0, 0], [0, 1, 0], [0, 0, 1]]);

  assert.equal(complaint(found), undefined);
  assert.deepEqual([found.sent, found.delivered], [3, 3]);
});

Deno.test("reconcile() does not take two sources passing each other for disorder", () => {
  const found = findings(threeSent, [[0, 1, 0], [0, 0, 0], [0, 0, 1]]);

  assert.equal(complaint(found), undefined);
});

Deno.test("reconcile() counts an acknowledged message that never arrived as lost", () => {
  const found = findings(threeSent, [[0, 0, 0], [0, 1, 0]]);

  assert.equal(found.lost, 1);
  assert.equal(complaint(found), "1 lost");
});

Deno.test("reconcile() counts each lane of a fan-out that a message missed", () => {
  const routes = [[0, 1], [1, 2]];
  const all: ArrivalRow[] = [[0, 0, 0], [1, 0, 0], [1, 1, 0], [2, 1, 0]];
  const sent: SentRow[] = [[0, 0], [1, 0]];

  assert.equal(complaint(findings(sent, all, routes)), undefined);
  assert.equal(findings(sent, all.slice(0, 3), routes).lost, 1);
  assert.equal(findings(sent, [], routes).lost, 4);
});

Deno.test("reconcile() owes nothing for a message that was refused or never answered", () => {
  const sent: SentRow[] = [[0, 0, ACK_CODES.refused], [0, 1, ACK_CODES.none], [0, 2]];
  const found = findings(sent, [[0, 0, 2]]);

  assert.deepEqual([found.lost, found.refused, found.unanswered], [0, 1, 1]);
  assert.notEqual(complaint(found), undefined, "a run with them still has no rate");
});

Deno.test("reconcile() counts every arrival beyond the first as duplicated", () => {
  const found = findings(threeSent, [[0, 0, 0], [0, 0, 0], [0, 1, 0], [0, 0, 1], [0, 0, 0]]);

  assert.deepEqual([found.duplicated, found.lost, found.outOfOrder], [2, 0, 0]);
});

Deno.test("reconcile() does not let a duplicate stand in for a lost message", () => {
  const found = findings(threeSent, [[0, 0, 0], [0, 0, 0], [0, 1, 0]]);

  assert.deepEqual([found.duplicated, found.lost], [1, 1]);
});

Deno.test("reconcile() counts a message that a later one of its source overtook", () => {
  const sent: SentRow[] = [[0, 0], [0, 1], [0, 2], [0, 3]];
  const found = findings(sent, [[0, 0, 1], [0, 0, 0], [0, 0, 3], [0, 0, 2]]);

  assert.deepEqual([found.outOfOrder, found.lost, found.duplicated], [2, 0, 0]);
});

Deno.test("reconcile() orders each lane of a source by itself", () => {
  const routes = [[0, 1]];
  const found = findings([[0, 0], [0, 1]], [[0, 0, 0], [0, 0, 1], [1, 0, 0], [1, 0, 1]], routes);

  assert.equal(complaint(found), undefined);
});

Deno.test("reconcile() counts arrivals nobody sent or routed there as foreign", () => {
  const sent: SentRow[] = [[0, 0], [1, 0]];
  const unsent = findings(sent, [[0, 0, 0], [0, 1, 0], [0, 1, 7], [0, 9, 0]]);
  const misrouted = findings(sent, [[0, 0, 0], [1, 1, 0]]);
  const unreadable = reconcile(
    sentOf(sent),
    { ...arrivalsOf([[0, 0, 0], [0, 1, 0], [0, 0, 0]]), key: Float64Array.of(0, 1e9, -1) },
    oneLane,
  ).findings;

  assert.deepEqual([unsent.foreign, unsent.lost], [2, 0]);
  assert.deepEqual([misrouted.foreign, misrouted.lost], [1, 1]);
  assert.deepEqual([unreadable.foreign, unreadable.lost], [1, 0]);
});

Deno.test("reconcile() counts an answer that names another message", () => {
  const found = findings([[0, 0, ACK_CODES.mismatched]], [[0, 0, 0]]);

  assert.equal(complaint(found), "1 mismatched");
});

Deno.test("reconcile() dates a fanned-out message by its last lane", () => {
  const { arrivedAt } = reconcile(
    sentOf([[0, 0], [0, 1]]),
    arrivalsOf([[0, 0, 0, 50], [1, 0, 0, 70], [0, 0, 1, 60]]),
    [[0, 1]],
  );

  assert.deepEqual([...arrivedAt], [70, 0]);
});

Deno.test("reconcile() refuses a log that numbers two messages alike", () => {
  assert.throws(() => findings([[0, 0], [0, 0]], []), /sequence 0 twice/);
});

Deno.test("complaint() does not accept a run that sent nothing", () => {
  assert.equal(complaint(findings([], [])), "nothing was sent");
});

Deno.test("percentile() takes the nearest rank", () => {
  const hundred = Float64Array.from({ length: 100 }, (_, index) => 100 - index);

  assert.equal(percentile(hundred, 0.5), 50);
  assert.equal(percentile(hundred, 0.99), 99);
  assert.equal(percentile(hundred, 1), 100);
  assert.equal(percentile(Float64Array.of(7), 0.99), 7);
  assert.equal(percentile(new Float64Array(), 0.5), undefined);
});
