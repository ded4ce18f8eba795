// Goal: the proof's judge finds every kind of fault; a judge that lets one pass proves nothing.
// Method: evidence of a sound little run, then one thing at a time is made wrong.
import assert from "node:assert/strict";
import type { Evidence, StoredMessage, StoredRow } from "./evidence.ts";
import { bodyOf, type Kind, kindsOf, type LaneName, payloadOf, sharesOf } from "./expectation.ts";
import { checkAfterCrash, checkAtEnd, type InvariantName, type Testimony } from "./invariants.ts";
import type { SentFrame } from "./load.ts";
import type { Exchange } from "./witness.ts";

interface Run {
  messages: Mutable<StoredMessage>[];
  rows: Mutable<StoredRow>[];
  events: Map<number, string[]>;
  state: Map<string, string>;
  integrity: string;
  sent: SentFrame[];
  exchanges: Map<LaneName, Mutable<Exchange>[]>;
  endedInOrder: Set<number>;
}

type Mutable<T> = { -readonly [Key in keyof T]: T[Key] };

const kinds: readonly Kind[] = [
  ...["plain", "both", "throws", "filtered", "unrouted"] as const,
  ...["bad_bytes", "count", "count", "slow", "blocked", "plain"] as const,
];

/** Everything sent, stored, handed on and delivered once. */
function soundRun(): Run {
  const run: Run = {
    messages: [],
    rows: [],
    events: new Map(),
    state: new Map([["proof/count", "2"]]),
    integrity: "ok",
    sent: [],
    exchanges: new Map(),
    endedInOrder: new Set(),
  };
  let seq = 0;
  let count = 0;
  for (const [sequence, kind] of kinds.entries()) {
    const inbound = kind === "count"
      ? "IB_COUNT"
      : kindsOf.IB_FAST.includes(kind)
      ? "IB_FAST"
      : "IB_SLOW";
    const controlId = `${inbound}-${sequence}`;
    const body = bodyOf(kind, controlId, 20);
    const code = kind === "bad_bytes" ? "AR" : "AA";
    run.sent.push({ inbound, sender: inbound, sequence, kind, controlId, body, code });
    const messageSeq = ++seq;
    const shares = sharesOf[kind];
    const sends = shares.flatMap(({ sends }) => sends);
    run.messages.push({
      seq: messageSeq,
      channel: inbound,
      controlId: kind === "bad_bytes" ? undefined : controlId,
      status: kind === "bad_bytes" || kind === "throws"
        ? "error"
        : shares.length === 0
        ? "unrouted"
        : sends.length === 0
        ? "filtered"
        : "processed",
      error: undefined,
      raw: body,
    });
    const events = kind === "bad_bytes" ? [] : shares.length === 0 ? ["unrouted"] : ["routed"];
    if (shares.some(({ throws }) => !throws)) events.push("transformed");
    run.events.set(messageSeq, events);
    const common = { messageSeq, channel: inbound, attempts: 1, error: undefined };
    for (const { handler, throws, sends } of shares) {
      if (throws) {
        const row = { ...common, stage: "routed", lane: inbound, handler, status: "dead" };
        run.rows.push({ ...row, seq: ++seq, body });
        events.push("dead");
      }
      for (const { lane, tag } of sends) {
        const payload = payloadOf(body, kind === "count" ? `count.${++count}` : tag);
        const row = { ...common, stage: "outbound", lane, handler, status: "done" };
        run.rows.push({ ...row, seq: ++seq, body: payload });
        events.push("delivered");
        const key = `${controlId} ${payload.split("|")[2]}`;
        const seen = run.exchanges.get(lane) ?? [];
        run.exchanges.set(lane, seen);
        seen.push({ lane, key, text: payload, life: 1, overlaps: false, answer: "AA" });
      }
    }
  }
  return run;
}

function judge(run: Run, check = checkAtEnd): Set<InvariantName> {
  const evidence: Evidence = run;
  const testimony: Testimony = run;
  return new Set(check(evidence, testimony).map(({ invariant }) => invariant));
}

function messageOf(run: Run, kind: Kind): Mutable<StoredMessage> {
  return run.messages.find(({ raw }) => raw.includes(`|${kind}|`))!;
}

function rowsOf(run: Run, kind: Kind): Mutable<StoredRow>[] {
  const { seq } = messageOf(run, kind);
  return run.rows.filter(({ messageSeq }) => messageSeq === seq);
}

const faults: readonly (readonly [string, InvariantName, (run: Run) => void])[] = [
  ["an acknowledged message that is gone", "I1", (run) => {
    const { seq } = messageOf(run, "plain");
    run.messages = run.messages.filter((message) => message.seq !== seq);
    run.rows = run.rows.filter(({ messageSeq }) => messageSeq !== seq);
  }],
  ["a message stored twice", "I4", (run) => {
    run.messages.push({ ...messageOf(run, "unrouted"), seq: 900 });
    run.events.set(900, ["unrouted"]);
  }],
  ["a message nobody sent", "I4", (run) => {
    run.sent = run.sent.filter(({ kind }) => kind !== "unrouted");
  }],
  ["a refusal of a good message", "I4", (run) => run.sent[0]!.code = "AR"],
  ["a byte changed", "I7", (run) => messageOf(run, "filtered").raw += "Z"],
  ["a payload the partner saw differently", "I7", (run) => {
    const [exchange] = run.exchanges.get("OB_A")!;
    exchange!.text += "Z";
  }],
  ["a message without a row that is not finished", "I10", (run) => {
    messageOf(run, "filtered").status = "routed";
  }],
  ["a hand-off without one of its rows", "I11", (run) => {
    const [, second] = rowsOf(run, "both");
    run.rows.splice(run.rows.indexOf(second!), 1);
  }],
  ["a hand-off that kept its ingress row", "I11", (run) => {
    run.rows.push({ ...rowsOf(run, "plain")[0]!, seq: 900, stage: "ingress", status: "done" });
  }],
  ["a hand-off without its event", "I11", (run) => {
    run.events.set(messageOf(run, "plain").seq, ["transformed", "delivered"]);
  }],
  ["a delivery without its event", "I11", (run) => {
    run.events.set(messageOf(run, "plain").seq, ["routed", "transformed"]);
  }],
  ["a handler that threw and left nothing", "I11", (run) => {
    const dead = rowsOf(run, "throws").find(({ stage }) => stage === "routed")!;
    run.rows.splice(run.rows.indexOf(dead), 1);
  }],
  ["another payload than the handler makes", "I13", (run) => {
    rowsOf(run, "slow")[0]!.body += "Z";
  }],
  ["more frames than attempts", "I14", (run) => rowsOf(run, "plain")[0]!.attempts = 0],
  ["an innocent given up", "I15", (run) => {
    const message = messageOf(run, "plain");
    const [row] = rowsOf(run, "plain");
    Object.assign(row!, { stage: "routed", status: "dead", error: "attempts exhausted" });
    message.status = "error";
  }],
  ["a disposition that does not fit the rows", "I18", (run) => {
    messageOf(run, "throws").status = "processed";
  }],
  [
    "a finished message with an open row",
    "I18",
    (run) => rowsOf(run, "plain")[0]!.status = "pending",
  ],
  ["two deliveries that changed places", "I25", (run) => {
    const seen = run.exchanges.get("OB_A")!;
    [seen[0], seen[1]] = [seen[1]!, seen[0]!];
  }],
  ["rows of an inbound that changed places", "I25", (run) => {
    const rows = run.rows.filter(({ lane }) => lane === "OB_A");
    [rows[0]!.messageSeq, rows[3]!.messageSeq] = [rows[3]!.messageSeq, rows[0]!.messageSeq];
  }],
  ["a sender's frames stored in another order", "I25", (run) => run.sent.reverse()],
  ["a row that went past a refused head", "I26", (run) => {
    const seen = run.exchanges.get("OB_A")!;
    seen.unshift({ ...seen[0]!, answer: "AE" }, { ...seen[1]!, answer: "AA", life: 1 });
  }],
  ["two on the wire", "I28", (run) => run.exchanges.get("OB_B")![0]!.overlaps = true],
  ["a dead letter nobody refused", "I30", (run) => {
    rowsOf(run, "plain")[0]!.status = "dead";
    messageOf(run, "plain").status = "error";
  }],
  ["a double without a crash", "I35", (run) => {
    const seen = run.exchanges.get("OB_C")!;
    seen.push({ ...seen[1]! });
  }],
  ["a double after a stop in order", "I35", (run) => {
    const seen = run.exchanges.get("OB_C")!;
    seen.push({ ...seen[1]!, life: 2 });
    run.endedInOrder.add(1);
  }],
  ["two doubles of one crash", "I35", (run) => {
    const seen = run.exchanges.get("OB_C")!;
    seen.push({ ...seen[0]!, life: 2 }, { ...seen[1]!, life: 2 });
  }],
  ["a state update that is lost", "I55", (run) => run.state.set("proof/count", "1")],
  ["a number given twice", "I55", (run) => {
    const [, second] = run.rows.filter(({ lane }) => lane === "OB_C");
    second!.body = second!.body.replace("count.2", "count.1");
  }],
  ["a row that stays in flight", "I66", (run) => rowsOf(run, "blocked")[0]!.status = "inflight"],
  ["a delivery nobody took", "I75", (run) => run.exchanges.set("OB_B", [])],
  ["a frame of no row", "I75", (run) => {
    const seen = run.exchanges.get("OB_C")!;
    seen.push({ ...seen[1]!, key: "X-1 count.9" });
  }],
  ["a damaged file", "integrity", (run) => run.integrity = "row 1 missing from index"],
];

Deno.test("the judge has nothing to say of a sound run", () => {
  assert.deepEqual(judge(soundRun()), new Set());
  assert.deepEqual(judge(soundRun(), checkAfterCrash), new Set());
});

Deno.test("the judge takes unfinished messages after a crash for what they are", () => {
  const run = soundRun();
  // Stored and not routed; delivered to one of two; one of two handlers still to run.
  const waiting = messageOf(run, "plain");
  const [row] = rowsOf(run, "plain");
  Object.assign(row!, {
    stage: "ingress",
    handler: undefined,
    status: "pending",
    body: waiting.raw,
  });
  waiting.status = "received";
  run.events.set(waiting.seq, []);
  rowsOf(run, "both")[2]!.status = "inflight";
  messageOf(run, "both").status = "routed";
  run.events.get(messageOf(run, "both").seq)!.pop();
  const [, more] = rowsOf(run, "slow");
  Object.assign(more!, { stage: "routed", status: "pending", body: messageOf(run, "slow").raw });
  messageOf(run, "slow").status = "routed";
  run.events.get(messageOf(run, "slow").seq)!.pop();
  assert.deepEqual(judge(run, checkAfterCrash), new Set());
  assert.ok(judge(run).has("I66"), "at the end they would be faults");
});

Deno.test("the judge allows each lane one double a crash", () => {
  const run = soundRun();
  for (const lane of ["OB_A", "OB_C"] as const) {
    const seen = run.exchanges.get(lane)!;
    seen.push({ ...seen.at(-1)!, life: 2 });
  }
  for (const row of run.rows) row.attempts = 2;
  assert.deepEqual(judge(run), new Set());
});

Deno.test("the judge blames a double on the life that took the row first", () => {
  const run = soundRun();
  for (const row of run.rows) row.attempts = 2;
  // Life 1 crashed, life 2 was stopped in order before it came to the row, life 3 sent it again.
  run.exchanges.get("OB_C")!.push({ ...run.exchanges.get("OB_C")!.at(-1)!, life: 3 });
  run.endedInOrder.add(2);
  assert.deepEqual(judge(run), new Set());
  run.endedInOrder.add(1);
  assert.deepEqual(judge(run), new Set(["I35"]));
});

for (const [name, invariant, spoil] of faults) {
  Deno.test(`the judge finds ${name}`, () => {
    const run = soundRun();
    spoil(run);
    assert.ok(judge(run).has(invariant), `${invariant} among ${[...judge(run)].join(", ")}`);
  });
}
