/**
 * What must hold of the evidence after a crash and at the end. Pure: evidence in, violations out.
 *
 * The numbers are those of the specification, pipeline-store-cluster §10.
 */
import type { Evidence, StoredMessage, StoredRow } from "./evidence.ts";
import {
  controlIdOf,
  type HandlerShare,
  kindOf,
  type LaneName,
  lanes,
  orderedLanes,
  payloadOf,
  sharesOf,
  tagOf,
} from "./expectation.ts";
import type { SentFrame } from "./load.ts";
import type { Exchange } from "./witness.ts";

export const invariantNames = {
  I1: "every message that was acknowledged is stored",
  I3: "nobody is acknowledged whose commit failed",
  I4: "every answered frame has exactly one row",
  I7: "raw is kept byte for byte",
  I10: "every unfinished message has an open row",
  I11: "a hand-off is there whole or not at all",
  I13: "what was run again came out the same",
  I14: "attempts are durable before a send starts",
  I15: "only what ends the process is given up for it",
  I18: "a disposition is terminal when no row is open, and then it is the right one",
  I25: "lanes deliver in the order of insertion, inbounds in the order of arrival",
  I26: "a head that was not taken blocks its lane",
  I27: "a blocked lane stops no other",
  I28: "one delivery of a lane is on the wire at a time",
  I30: "nothing but AR is a dead letter of a lane",
  I35: "a crash doubles at most one row a lane, and nothing else doubles",
  I55: "state counts every message once",
  I66: "everything drains, and no row stays in flight",
  I75: "what partners took is what the store says was delivered",
  integrity: "the store's file is whole",
} as const;

export type InvariantName = keyof typeof invariantNames;

export interface Violation {
  readonly invariant: InvariantName;
  readonly detail: string;
}

/** What the outside knows. */
export interface Testimony {
  readonly sent: readonly SentFrame[];
  /** By lane, in order of arrival. */
  readonly exchanges: ReadonlyMap<LaneName, readonly Exchange[]>;
  /** Lives of the engine that ended in order; no duplicate may follow them. */
  readonly endedInOrder: ReadonlySet<number>;
}

const accepted = new Set(["AA"]);
const openStates = new Set(["pending", "inflight"]);

/** Collects violations; a hundred of one kind say no more than three. */
class Verdict {
  readonly violations: Violation[] = [];
  readonly #counts = new Map<InvariantName, number>();

  require(holds: boolean, invariant: InvariantName, detail: () => string): void {
    if (holds) return;
    const count = (this.#counts.get(invariant) ?? 0) + 1;
    this.#counts.set(invariant, count);
    if (count <= 3) this.violations.push({ invariant, detail: detail() });
  }
}

/** Checks what a crash left behind, while nothing runs. */
export function checkAfterCrash(evidence: Evidence, testimony: Testimony): readonly Violation[] {
  const verdict = new Verdict();
  checkStorage(evidence, testimony, verdict);
  for (const [message, rows] of byMessage(evidence)) {
    checkMessage(message, { rows, events: evidence.events.get(message.seq) ?? [] }, verdict);
  }
  checkState(evidence, verdict);
  checkAttempts(evidence, testimony, verdict);
  return verdict.violations;
}

/** Checks a round at its end: all of the above, and that everything is over. */
export function checkAtEnd(evidence: Evidence, testimony: Testimony): readonly Violation[] {
  const verdict = new Verdict();
  verdict.violations.push(...checkAfterCrash(evidence, testimony));
  for (const row of evidence.rows) {
    verdict.require(!openStates.has(row.status), "I66", () => `row ${row.seq} is ${row.status}`);
  }
  for (const name of lanes) checkLane(name, evidence, testimony, verdict);
  checkArrival(evidence, testimony, verdict);
  return verdict.violations;
}

function byMessage({ messages, rows }: Evidence): Map<StoredMessage, StoredRow[]> {
  const bySeq = new Map(messages.map((message) => [message.seq, message]));
  const grouped = new Map<StoredMessage, StoredRow[]>(messages.map((message) => [message, []]));
  for (const row of rows) grouped.get(bySeq.get(row.messageSeq)!)?.push(row);
  return grouped;
}

/** I1, I4, I7: frames and rows. */
function checkStorage(
  { messages, integrity }: Evidence,
  { sent }: Testimony,
  verdict: Verdict,
): void {
  verdict.require(integrity === "ok", "integrity", () => integrity);
  const stored = new Map<string, StoredMessage[]>();
  for (const message of messages) {
    const id = controlIdOf(message.raw);
    const list = stored.get(id);
    if (list) list.push(message);
    else stored.set(id, [message]);
  }
  const known = new Set<string>();
  for (const { controlId, body, code, inbound, kind } of sent) {
    known.add(controlId);
    const found = stored.get(controlId) ?? [];
    if (code === "AA") {
      verdict.require(found.length >= 1, "I1", () => `${controlId} was answered AA and is gone`);
    }
    if (code !== undefined) {
      verdict.require(found.length === 1, "I4", () => `${controlId}: ${found.length} rows`);
      const wanted = kind === "bad_bytes" ? "AR" : "AA";
      verdict.require(code === wanted, "I4", () => `${controlId} was answered ${code}`);
    }
    verdict.require(found.length <= 1, "I4", () => `${controlId}: ${found.length} rows`);
    for (const { raw, channel } of found) {
      verdict.require(raw === body, "I7", () => `${controlId} differs from what was sent`);
      verdict.require(channel === inbound, "I4", () => `${controlId} is of ${channel}`);
    }
  }
  for (const id of stored.keys()) {
    verdict.require(known.has(id), "I4", () => `${id} is stored and was never sent`);
  }
}

/** I10, I11, I13, I18: one message against what its handlers do. */
function checkMessage(
  message: StoredMessage,
  { rows, events }: { rows: readonly StoredRow[]; events: readonly string[] },
  verdict: Verdict,
): void {
  const { status, raw } = message;
  const id = controlIdOf(raw);
  const kind = kindOf(raw);
  const isOpen = rows.some((row) => openStates.has(row.status));
  const whole = (holds: boolean, what: string) =>
    verdict.require(holds, "I11", () => `${id} (${kind}, ${status}): ${what}`);
  if (status === "received" || status === "routed") {
    verdict.require(isOpen, "I10", () => `${id} is ${status} without an open row`);
  } else {
    verdict.require(!isOpen, "I18", () => `${id} is ${status} with an open row`);
  }
  if (kind === "bad_bytes") {
    whole(status === "error" && rows.length === 0 && events.length === 0, "was taken further");
    return;
  }
  const ingress = rows.filter((row) => row.stage === "ingress");
  if (ingress.length > 0) {
    whole(rows.length === 1 && events.every((event) => event === "dead"), "rows of two stages");
    whole(openStates.has(ingress[0]!.status) === (status === "received"), "another status");
    checkGivenUp(ingress[0]!, kind === "poison", verdict);
    return;
  }
  whole(status !== "received", "its ingress row is gone");
  const shares = sharesOf[kind] ?? [];
  const routed = events.filter((event) => event === "routed").length;
  const unrouted = events.filter((event) => event === "unrouted").length;
  whole(routed === (shares.length > 0 ? 1 : 0), "routed events");
  whole(unrouted === (shares.length > 0 ? 0 : 1), "unrouted events");
  for (const share of shares) checkShare(message, { share, rows, kind }, verdict);
  const ran = shares.some(({ handler, throws }) =>
    !throws && !rows.some((row) => row.handler === handler && row.stage === "routed")
  );
  whole(events.includes("transformed") === ran, "transformed events");
  const handlers = new Set(shares.map(({ handler }) => handler));
  whole(rows.every(({ handler }) => handlers.has(handler ?? "")), "rows of a handler not chosen");
  for (const event of ["delivered", "dead"]) {
    const ended = rows.filter(({ status }) => status === (event === "dead" ? "dead" : "done"));
    whole(events.filter((name) => name === event).length === ended.length, `${event} events`);
  }
  if (isOpen) return;
  const wanted = dispositionOf(shares, rows);
  verdict.require(status === wanted, "I18", () => `${id} is ${status}, not ${wanted}`);
}

/** One handler's rows: waiting to run, or all of its sends in order and nothing else. */
function checkShare(
  message: StoredMessage,
  { share, rows, kind }: {
    share: HandlerShare;
    rows: readonly StoredRow[];
    kind: string;
  },
  verdict: Verdict,
): void {
  const id = controlIdOf(message.raw);
  const mine = rows.filter(({ handler }) => handler === share.handler);
  const routed = mine.filter(({ stage }) => stage === "routed");
  const outbound = mine.filter(({ stage }) => stage === "outbound");
  const whole = (holds: boolean, what: string) =>
    verdict.require(holds, "I11", () => `${id}, handler ${share.handler}: ${what}`);
  if (routed.length > 0) {
    whole(routed.length === 1 && outbound.length === 0, "routed and outbound rows at once");
    if (routed[0]!.status === "dead" && !share.throws) {
      checkGivenUp(routed[0]!, kind === "poison", verdict);
    }
    return;
  }
  whole(!share.throws, "threw and left no dead row");
  whole(
    outbound.length === share.sends.length,
    `${outbound.length} of ${share.sends.length} sends`,
  );
  for (const [index, { lane, tag }] of share.sends.entries()) {
    const row = outbound[index];
    if (row === undefined) continue;
    whole(row.lane === lane, `send ${index + 1} went to ${row.lane}`);
    const wanted = kind === "count" ? tagOf(row.body) : tag;
    verdict.require(
      row.body === payloadOf(message.raw, wanted),
      "I13",
      () => `${id} ${tag}: another payload`,
    );
  }
}

/** A row claimed too often: right for what ends the process, wrong for everybody beside it. */
function checkGivenUp(row: StoredRow, isPoison: boolean, verdict: Verdict): void {
  if (row.status !== "dead") return;
  verdict.require(
    isPoison && row.error === "attempts exhausted",
    "I15",
    () => `row ${row.seq} (${controlIdOf(row.body)}) died of "${row.error}"`,
  );
}

function dispositionOf(shares: readonly HandlerShare[], rows: readonly StoredRow[]): string {
  if (shares.length === 0) return "unrouted";
  if (rows.some(({ status }) => status === "dead")) return "error";
  return rows.some(({ stage }) => stage === "outbound") ? "processed" : "filtered";
}

/** I55: the counter is the number of messages handed on, and each of them got its own number. */
function checkState({ messages, rows, state }: Evidence, verdict: Verdict): void {
  const counted = messages.filter(({ channel, status }) =>
    channel === "IB_COUNT" && status !== "received"
  );
  const value = Number(state.get("proof/count") ?? 0);
  verdict.require(value === counted.length, "I55", () => `${value} for ${counted.length} messages`);
  const numbers = rows.filter(({ stage, channel }) =>
    stage === "outbound" && channel === "IB_COUNT"
  )
    .map(({ body }) => tagOf(body));
  for (const [index, tag] of numbers.entries()) {
    verdict.require(tag === `count.${index + 1}`, "I55", () => `message ${index + 1} got ${tag}`);
  }
}

/** I14: a partner never saw a frame of a row more often than the row was claimed. */
function checkAttempts({ rows }: Evidence, { exchanges }: Testimony, verdict: Verdict): void {
  const seen = new Map<string, number>();
  for (const [lane, list] of exchanges) {
    for (const { key } of list) seen.set(`${lane} ${key}`, (seen.get(`${lane} ${key}`) ?? 0) + 1);
  }
  for (const row of rows) {
    if (row.stage !== "outbound") continue;
    const key = `${row.lane} ${keyOf(row)}`;
    const frames = seen.get(key) ?? 0;
    verdict.require(
      row.attempts >= frames,
      "I14",
      () => `${key}: ${frames} frames, ${row.attempts} attempts`,
    );
  }
}

/** I25, I26, I28, I30, I35, I75: one lane's rows against what its partner saw. */
function checkLane(
  name: LaneName,
  evidence: Evidence,
  { exchanges, endedInOrder }: Testimony,
  verdict: Verdict,
): void {
  const rows = evidence.rows.filter(({ stage, lane }) => stage === "outbound" && lane === name);
  const seen = exchanges.get(name) ?? [];
  const bodies = new Map(rows.map((row) => [keyOf(row), row]));
  const taken = new Map<string, number>();
  const refused = new Set<string>();
  for (const exchange of seen) {
    const { key, text, answer } = exchange;
    const row = bodies.get(key);
    verdict.require(row !== undefined, "I75", () => `${name}: ${key} came out of nowhere`);
    verdict.require(row === undefined || row.body === text, "I7", () => `${name}: ${key} differs`);
    if (answer === "AR") refused.add(key);
    if (answer !== undefined && accepted.has(answer)) taken.set(key, (taken.get(key) ?? 0) + 1);
  }
  for (const row of rows) {
    const key = keyOf(row);
    if (row.status === "done") {
      verdict.require(taken.has(key), "I75", () => `${name}: ${key} is done and was never taken`);
    } else if (row.status === "dead") {
      verdict.require(refused.has(key), "I30", () => `${name}: ${key} died of "${row.error}"`);
    }
  }
  checkDoubles(name, { seen, endedInOrder }, verdict);
  if (!orderedLanes.includes(name)) return;
  for (const { key, overlaps } of seen) {
    verdict.require(!overlaps, "I28", () => `${name}: ${key} while another was on the wire`);
  }
  const firsts = [...new Set(seen.map(({ key }) => key))];
  for (const [index, row] of rows.entries()) {
    const first = firsts[index];
    verdict.require(
      first === keyOf(row),
      "I25",
      () => `${name}: delivery ${index + 1} was ${first}, not ${keyOf(row)}`,
    );
  }
  for (const [index, { key, answer }] of seen.entries()) {
    const next = seen[index + 1];
    if (next === undefined || next.key === key || answer === "AA" || answer === "AR") continue;
    verdict.require(false, "I26", () => `${name}: ${next.key} after ${key} was answered ${answer}`);
  }
}

/** I35: what was taken again was taken before by a life that crashed, and that left one such row. */
function checkDoubles(
  name: LaneName,
  { seen, endedInOrder }: {
    seen: readonly Exchange[];
    endedInOrder: ReadonlySet<number>;
  },
  verdict: Verdict,
): void {
  const takenIn = new Map<string, number>();
  const doublesOf = new Map<number, number>();
  for (const { key, life, answer } of seen) {
    if (answer === undefined || !accepted.has(answer)) continue;
    const before = takenIn.get(key);
    takenIn.set(key, life);
    if (before === undefined) continue;
    verdict.require(before < life, "I35", () => `${name}: ${key} twice in life ${life}`);
    verdict.require(
      before === life || !endedInOrder.has(before),
      "I35",
      () => `${name}: ${key} was taken in life ${before}, which ended in order`,
    );
    doublesOf.set(before, (doublesOf.get(before) ?? 0) + 1);
  }
  for (const [life, doubles] of doublesOf) {
    verdict.require(doubles <= 1, "I35", () => `${name}: ${doubles} doubles of life ${life}`);
  }
}

/** How many deliveries a lane's partner took more than once. */
export function doublesIn(exchanges: ReadonlyMap<LaneName, readonly Exchange[]>): number {
  let doubles = 0;
  for (const list of exchanges.values()) {
    const taken = list.filter(({ answer }) => answer === "AA").map(({ key }) => key);
    doubles += taken.length - new Set(taken).size;
  }
  return doubles;
}

/** I25, inwards: a sender's frames are stored as it sent them, a lane takes an inbound's in order. */
function checkArrival({ messages, rows }: Evidence, { sent }: Testimony, verdict: Verdict): void {
  const seqOf = new Map(messages.map(({ raw, seq }) => [controlIdOf(raw), seq]));
  const last = new Map<string, number>();
  for (const { sender, controlId } of sent) {
    const seq = seqOf.get(controlId);
    if (seq === undefined) continue;
    verdict.require(
      seq > (last.get(sender) ?? 0),
      "I25",
      () => `${controlId} is stored before an earlier frame of its sender`,
    );
    last.set(sender, seq);
  }
  const lastOf = new Map<string, number>();
  for (const { stage, lane, channel, messageSeq, body } of rows) {
    if (stage !== "outbound") continue;
    const edge = `${channel} to ${lane}`;
    verdict.require(
      messageSeq >= (lastOf.get(edge) ?? 0),
      "I25",
      () => `${edge}: ${controlIdOf(body)} is queued behind a later message`,
    );
    lastOf.set(edge, messageSeq);
  }
}

function keyOf({ body }: StoredRow): string {
  return `${controlIdOf(body)} ${tagOf(body)}`;
}
