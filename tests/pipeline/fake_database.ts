/**
 * The rows as the spec means them (pipeline-store-cluster §1.3–1.5, §3.1, §3.6), in a map: what a
 * store's commit does, without a store. It outlives the `FakeStore`s opened on it, as a file would.
 */
import { StoreError } from "../../src/store/errors.ts";
import type {
  CancelResult,
  ClaimResult,
  EdgeChange,
  HandOffResult,
  QueueRow,
  ReceiveResult,
  ReingressResult,
  ReplayResult,
  ResolveResult,
  ResponseResult,
  TouchedLane,
} from "../../src/store/intent_results.ts";
import type {
  AnswerRef,
  CancelIntent,
  ClaimIntent,
  CompleteWithResponseIntent,
  Disposition,
  HandOffIntent,
  Intent,
  NewDelivery,
  NewMessage,
  NewReentry,
  NextClaim,
  ReingressIntent,
  ReplayDeadIntent,
  ReplayIntent,
  RouteHandOffIntent,
  RowStatus,
  Stage,
  StateWrite,
  SweepMissingIntent,
  TransformHandOffIntent,
} from "../../src/store/intents.ts";

export interface FakeMessage {
  readonly seq: number;
  readonly id: string;
  readonly channel: string;
  readonly receivedAt: number;
  readonly raw: string;
  readonly metadata: string | undefined;
  status: Disposition;
  error: string | undefined;
}

export interface FakeRow {
  readonly seq: number;
  readonly messageSeq: number;
  readonly stage: Stage;
  readonly lane: string;
  readonly channel: string;
  readonly handler: string | undefined;
  readonly body: string;
  readonly createdAt: number;
  status: RowStatus;
  attempts: number;
  /** Microseconds. */
  dueAt: number;
  token: number | undefined;
  error: string | undefined;
  /** Of a row that takes a partner's answer in. */
  answer: AnswerRef | undefined;
  /** Times an operator requeued it. */
  replays: number;
  /** `retry` resolutions since it was made or replayed. */
  retries: number;
}

export interface FakeResponse {
  readonly messageSeq: number;
  readonly destination: string;
  readonly responseSeq: number;
  readonly outcome: string;
  readonly body: string | undefined;
  /** The delivery it answers. */
  readonly row: number;
}

const NOT_MINE: HandOffResult = { mine: false, seqs: [] };
const UNRESOLVED: ResolveResult = { mine: false, nextClaimed: false };

export class FakeDatabase {
  readonly messages = new Map<number, FakeMessage>();
  /** In the order of their numbers; rows of other stages than outbound go when handed off. */
  readonly rows = new Map<number, FakeRow>();
  readonly state = new Map<string, string>();
  /** What partners answered, in order. */
  readonly responses: FakeResponse[] = [];
  /** Rows whose content no key opens. */
  readonly unreadable = new Set<number>();
  /** Lanes one of whose hand-offs failed: later ones would overtake it until they are counted. */
  readonly closedLanes = new Set<string>();
  #nextSeq = 1;
  #nextToken = 1;

  nextToken(count: number): number {
    const token = this.#nextToken;
    this.#nextToken += count;
    return token;
  }

  /** What opening the store after the end of a process does; returns the rows it re-pends. */
  recover(at: number): number {
    let recovered = 0;
    for (const row of this.open()) {
      if (row.status !== "inflight") continue;
      this.#repend(row);
      row.dueAt = at;
      recovered += 1;
    }
    this.closedLanes.clear();
    return recovered;
  }

  /** Pending and in-flight rows in order, of one lane or of all. */
  open(stage?: Stage, lane?: string): FakeRow[] {
    const rows: FakeRow[] = [];
    for (const row of this.rows.values()) {
      if (row.status !== "pending" && row.status !== "inflight") continue;
      if (stage !== undefined && (row.stage !== stage || row.lane !== lane)) continue;
      rows.push(row);
    }
    return rows;
  }

  stateEntries(): StateWrite[] {
    return [...this.state].map(([name, value]) => {
      const [namespace, key] = name.split(" ");
      return { namespace: namespace!, key: key!, value };
    });
  }

  rowsOf(messageSeq: number): FakeRow[] {
    return [...this.rows.values()].filter((row) => row.messageSeq === messageSeq);
  }

  execute(intent: Intent): unknown {
    switch (intent.kind) {
      case "receive":
        return this.#receive(intent.message, intent.token);
      case "record_error":
        return { messageSeq: this.#addMessage(intent.message, "error", intent.error), seq: 0 };
      case "hand_off":
        return this.#handOff(intent);
      case "route_hand_off":
        return this.#routeHandOff(intent);
      case "transform_hand_off":
        return this.#transformHandOff(intent);
      case "complete":
        return this.#resolve(intent, (row) => {
          row.status = "done";
          row.error = undefined;
        });
      case "complete_with_response":
        return this.#keepResponse(intent);
      case "reingress":
        return this.#reingress(intent);
      case "retry":
        return this.#resolve({ ...intent, next: undefined }, (row) => {
          row.status = "pending";
          row.dueAt = intent.dueAt;
          row.error = intent.error;
          row.retries += 1;
        });
      case "dead_letter":
        return this.#resolve(intent, (row) => this.#kill(row, intent.error));
      case "release":
        return this.#resolve({ ...intent, next: undefined }, (row) => {
          row.status = "pending";
          row.attempts -= 1;
        });
      case "claim_row":
        return { mine: this.#claimRow(intent), nextClaimed: false };
      case "claim":
        return intent.unordered ? this.#claimDue(intent) : this.#claimPrefix(intent);
      case "resync":
        return this.#resync(intent.stage, intent.lane);
      case "replay":
        return this.#replay(intent);
      case "replay_dead":
        return this.#replayDead(intent);
      case "cancel":
        return this.#cancel(intent);
      case "sweep_missing":
        return this.#sweepMissing(intent);
      case "note_event":
        return { found: [...this.messages.values()].some(({ id }) => id === intent.id) };
      case "connection_events":
        return {};
    }
  }

  /** Called for an intent that is not executed; throws what its submitter gets. */
  refuse(intent: Intent): StoreError {
    const lane = handOffLane(intent);
    if (lane !== undefined) this.closedLanes.add(lane);
    return new StoreError("store.io", "Cannot write to the store: the disk reported an error");
  }

  /** A hand-off behind one that failed would overtake it. */
  isClosed(intent: Intent): boolean {
    const lane = handOffLane(intent);
    return lane !== undefined && this.closedLanes.has(lane);
  }

  // Intake and hand-offs.

  #receive(message: NewMessage, token: number | undefined): ReceiveResult {
    const messageSeq = this.#addMessage(message, "received", undefined);
    const { channel, raw, receivedAt } = message;
    const row = this.#addRow({
      messageSeq,
      stage: "ingress",
      lane: channel,
      channel,
      handler: undefined,
      body: raw,
      token,
      at: receivedAt,
    });
    return { messageSeq, seq: row.seq };
  }

  #addMessage(message: NewMessage, status: "received" | "error", error: string | undefined) {
    const seq = this.#nextSeq++;
    const { id, channel, receivedAt, raw, metadata } = message;
    this.messages.set(seq, { seq, id, channel, receivedAt, raw, metadata, status, error });
    return seq;
  }

  #addRow(
    row: Pick<FakeRow, "messageSeq" | "stage" | "lane" | "channel" | "handler" | "body"> & {
      readonly token: number | undefined;
      readonly at: number;
    },
  ): FakeRow {
    const { at, token, ...given } = row;
    const made: FakeRow = {
      ...given,
      seq: this.#nextSeq++,
      createdAt: at,
      status: token === undefined ? "pending" : "inflight",
      attempts: token === undefined ? 0 : 1,
      dueAt: at,
      token,
      error: undefined,
      answer: undefined,
      replays: 0,
      retries: 0,
    };
    this.rows.set(made.seq, made);
    return made;
  }

  #handOff(intent: HandOffIntent): HandOffResult {
    if (!this.#consume(intent.seq, intent.token)) return NOT_MINE;
    const { messageSeq, channel, failures, at } = intent;
    const message = this.messages.get(messageSeq)!;
    if (intent.handlers === 0) {
      message.status = "unrouted";
      return { mine: true, seqs: [] };
    }
    message.status = "routed";
    const seqs = [...this.#addDeliveries(intent), ...this.#addReentries(intent)];
    for (const { handler, error } of failures) {
      const row = this.#addRow({
        messageSeq,
        stage: "routed",
        lane: channel,
        channel,
        handler,
        body: message.raw,
        token: undefined,
        at,
      });
      row.attempts = 1;
      this.#kill(row, error);
    }
    this.#writeState(intent.state);
    this.#finalize(messageSeq);
    return { mine: true, seqs };
  }

  #routeHandOff(intent: RouteHandOffIntent): HandOffResult {
    if (!this.#consume(intent.seq, intent.token)) return NOT_MINE;
    const { messageSeq, channel, handlers, at } = intent;
    const message = this.messages.get(messageSeq)!;
    const seqs = handlers.map((handler) =>
      this.#addRow({
        messageSeq,
        stage: "routed",
        lane: channel,
        channel,
        handler,
        body: message.raw,
        token: undefined,
        at,
      }).seq
    );
    message.status = handlers.length > 0 ? "routed" : "unrouted";
    return { mine: true, seqs };
  }

  #transformHandOff(intent: TransformHandOffIntent): HandOffResult {
    if (!this.#consume(intent.seq, intent.token)) return NOT_MINE;
    const seqs = [...this.#addDeliveries(intent), ...this.#addReentries(intent)];
    this.#writeState(intent.state);
    this.#finalize(intent.messageSeq);
    return { mine: true, seqs };
  }

  #consume(seq: number, token: number): boolean {
    return this.#mine(seq, token) !== undefined && this.rows.delete(seq);
  }

  #addDeliveries(
    { messageSeq, channel, deliveries, at }: {
      readonly messageSeq: number;
      readonly channel: string;
      readonly deliveries: readonly NewDelivery[];
      readonly at: number;
    },
  ): number[] {
    const { raw } = this.messages.get(messageSeq)!;
    return deliveries.map(({ destination, handler, payload, token }) =>
      this.#addRow({
        messageSeq,
        stage: "outbound",
        lane: destination,
        channel,
        handler,
        body: payload ?? raw,
        token,
        at,
      }).seq
    );
  }

  #addReentries(
    { messageSeq, channel, reentries = [], at }: {
      readonly messageSeq: number;
      readonly channel: string;
      readonly reentries?: readonly NewReentry[];
      readonly at: number;
    },
  ): number[] {
    const { raw } = this.messages.get(messageSeq)!;
    return reentries.map(({ lane, handler, payload, token }) =>
      this.#addRow({
        ...{ messageSeq, stage: "response", lane, channel, handler, token, at },
        body: payload ?? raw,
      }).seq
    );
  }

  /** T5r: what a partner answered, and the row that takes it in. */
  #keepResponse(intent: CompleteWithResponseIntent): ResponseResult {
    const { seq, messageSeq, destination, response, at } = intent;
    let reingressSeq: number | undefined;
    let responseSeq = 0;
    const resolved = this.#resolve(intent, (row) => {
      row.status = "done";
      row.error = undefined;
      const former = this.responses.filter((one) =>
        one.messageSeq === messageSeq && one.destination === destination
      );
      responseSeq = former.length + 1;
      const { outcome, body, reingress } = response;
      this.responses.push({ messageSeq, destination, responseSeq, outcome, body, row: seq });
      if (reingress === undefined || body === undefined) return;
      const { lane, token } = reingress;
      const made = this.#addRow({
        ...{ messageSeq, stage: "response", lane, channel: row.channel, handler: destination },
        ...{ body, token, at },
      });
      made.answer = { seq: responseSeq, outcome };
      reingressSeq = made.seq;
    });
    return { ...resolved, responseSeq, reingressSeq };
  }

  /** T9. */
  #reingress(intent: ReingressIntent): ReingressResult {
    const { seq, token, messageSeq, isAnswer, message, error, ingressToken } = intent;
    const row = this.#mine(seq, token);
    if (row === undefined) return { mine: false, messageSeq: 0, seq: 0 };
    if (isAnswer) {
      this.rows.delete(seq);
    } else {
      row.status = "done";
      row.token = undefined;
    }
    this.#finalize(messageSeq);
    const entered = error === undefined
      ? this.#receive(message, ingressToken)
      : { messageSeq: this.#addMessage(message, "error", error), seq: 0 };
    return { mine: true, ...entered };
  }

  #writeState(state: readonly StateWrite[]): void {
    for (const { namespace, key, value } of state) this.state.set(`${namespace} ${key}`, value);
  }

  // Resolutions.

  #mine(seq: number, token: number): FakeRow | undefined {
    const row = this.rows.get(seq);
    return row?.status === "inflight" && row.token === token ? row : undefined;
  }

  #resolve(
    intent: {
      readonly seq: number;
      readonly token: number;
      readonly at: number;
      readonly next?: NextClaim;
    },
    act: (row: FakeRow) => void,
  ): ResolveResult {
    const row = this.#mine(intent.seq, intent.token);
    if (!row) return UNRESOLVED;
    row.token = undefined;
    act(row);
    this.#finalize(row.messageSeq);
    const { next } = intent;
    return { mine: true, nextClaimed: next !== undefined && this.#claimRow(next) };
  }

  #kill(row: FakeRow, error: string): void {
    row.status = "dead";
    row.token = undefined;
    row.error = error;
    this.messages.get(row.messageSeq)!.error = error;
  }

  #claimRow({ seq, token }: NextClaim): boolean {
    const row = this.rows.get(seq);
    if (row?.status !== "pending") return false;
    row.status = "inflight";
    row.token = token;
    row.attempts += 1;
    return true;
  }

  #repend(row: FakeRow): void {
    row.status = "pending";
    row.token = undefined;
  }

  /** Spec §1.5. A replayed routed row leaves its message RECEIVED, which too ends as FILTERED. */
  #finalize(messageSeq: number): void {
    const message = this.messages.get(messageSeq)!;
    const rows = this.rowsOf(messageSeq);
    if (rows.some(({ status }) => status === "pending" || status === "inflight")) return;
    if (rows.some(({ status }) => status === "dead")) message.status = "error";
    else if (rows.some(({ stage }) => stage === "outbound" || stage === "response")) {
      message.status = "processed";
    } else if (message.status === "routed" || message.status === "received") {
      message.status = "filtered";
    }
  }

  // Claims from cold.

  #claimDue(intent: ClaimIntent): ClaimResult {
    const { stage, lane, limit, at, token } = intent;
    const open = this.open(stage, lane);
    const due = open.filter((row) => row.status === "pending" && row.dueAt <= at);
    const rows = due.slice(0, limit).map((row, index) => {
      this.#claimRow({ seq: row.seq, token: token + index });
      return this.#toQueueRow(row);
    });
    const pending = open.filter(({ status }) => status === "pending");
    const next = Math.min(...pending.map(({ dueAt }) => dueAt));
    return {
      rows,
      drained: rows.length === open.length,
      dueAt: rows.length === 0 && pending.length > 0 ? next : undefined,
      exhausted: 0,
      suspect: false,
    };
  }

  #claimPrefix(intent: ClaimIntent): ClaimResult {
    const { stage, lane, limit, readAhead, at, attemptsMax, suspects = false } = intent;
    const open = this.open(stage, lane);
    const rows: QueueRow[] = [];
    let claimed = 0;
    let exhausted = 0;
    let dueAt: number | undefined;
    let suspect = false;
    for (const row of open.slice(0, limit + readAhead)) {
      if (row.status !== "pending") break;
      if (row.dueAt > at) {
        dueAt = row.dueAt;
        break;
      }
      if (attemptsMax !== undefined && row.attempts >= attemptsMax) {
        this.#kill(row, "attempts exhausted");
        this.#finalize(row.messageSeq);
        exhausted += 1;
        continue;
      }
      const isSuspect = attemptsMax !== undefined && row.attempts >= 2;
      suspect = isSuspect && claimed === 0 && !suspects;
      if (isSuspect && (claimed > 0 || !suspects)) break;
      if (claimed < limit) {
        this.#claimRow({ seq: row.seq, token: intent.token + claimed });
        claimed += 1;
      }
      rows.push(this.#toQueueRow(row));
      if (isSuspect) break;
    }
    return {
      rows,
      drained: rows.length + exhausted === open.length,
      dueAt: claimed === 0 ? dueAt : undefined,
      exhausted,
      suspect,
    };
  }

  #toQueueRow(row: FakeRow): QueueRow {
    const message = this.messages.get(row.messageSeq)!;
    return {
      seq: row.seq,
      messageSeq: row.messageSeq,
      messageId: message.id,
      channel: row.channel,
      handler: row.handler,
      body: this.unreadable.has(row.seq) ? undefined : row.body,
      attempts: row.attempts,
      createdAt: row.createdAt,
      receivedAt: message.receivedAt,
      token: row.token,
      metadata: message.metadata,
      answer: row.answer,
    };
  }

  #resync(stage: Stage, lane: string): { readonly open: number } {
    this.closedLanes.delete(`${stage} ${lane}`);
    const open = this.open(stage, lane);
    for (const row of open) {
      if (row.status !== "inflight") continue;
      this.#repend(row);
      row.attempts -= 1;
    }
    return { open: open.length };
  }

  // Operators.

  #replay({ id, at }: ReplayIntent): ReplayResult {
    const message = [...this.messages.values()].find((candidate) => candidate.id === id);
    if (!message) return { found: false, requeued: 0, bodyPurged: false, lanes: [], edges: [] };
    const rows = this.rowsOf(message.seq);
    const isFinished = rows.every(({ status }) => status === "done" || status === "cancelled");
    const chosen = rows.filter(({ status }) =>
      isFinished ? status === "done" : status === "dead" || status === "pending"
    );
    if (chosen.length === 0) {
      return { found: true, requeued: 0, bodyPurged: false, lanes: [], edges: [] };
    }
    const edges = edgesOf(
      chosen.filter(({ stage, status }) => stage === "outbound" && status !== "pending"),
      1,
    );
    for (const row of chosen) this.#requeue(row, at);
    const reroutes = chosen.some(({ stage }) => stage !== "outbound");
    message.status = reroutes ? "received" : "routed";
    message.error = undefined;
    return {
      found: true,
      requeued: chosen.length,
      bodyPurged: false,
      lanes: lanesOf(chosen),
      edges,
    };
  }

  #replayDead({ channel, destination, at }: ReplayDeadIntent): ReplayResult {
    const chosen = [...this.rows.values()].filter((row) =>
      row.stage === "outbound" && row.status === "dead" &&
      (channel === undefined || row.channel === channel) &&
      (destination === undefined || row.lane === destination)
    );
    for (const row of chosen) {
      this.#requeue(row, at);
      const message = this.messages.get(row.messageSeq)!;
      if (message.status === "error") message.status = "routed";
    }
    return {
      found: true,
      requeued: chosen.length,
      bodyPurged: false,
      lanes: lanesOf(chosen),
      edges: edgesOf(chosen, 1),
    };
  }

  #requeue(row: FakeRow, at: number): void {
    this.#repend(row);
    row.attempts = 0;
    row.dueAt = at;
    row.error = undefined;
    row.replays += 1;
    row.retries = 0;
  }

  #cancel({ destination, scope, limit = Infinity }: CancelIntent): CancelResult {
    const open = this.open("outbound", destination);
    const chosen = (scope === "top" ? open.slice(0, 1) : open)
      .filter(({ status }) => status === "pending").slice(0, limit);
    for (const row of chosen) {
      row.status = "cancelled";
      this.#finalize(row.messageSeq);
    }
    return { cancelled: chosen.length, edges: edgesOf(chosen, -1) };
  }

  #sweepMissing({ destinations, handlers }: SweepMissingIntent): { readonly dead: number } {
    let dead = 0;
    for (const row of this.open()) {
      const isGone = row.stage === "outbound"
        ? !destinations.includes(row.lane)
        : row.stage === "routed" && !handlers.includes(row.handler!);
      if (!isGone) continue;
      this.#kill(row, row.stage === "outbound" ? "destination removed" : "handler removed");
      this.#finalize(row.messageSeq);
      dead += 1;
    }
    return { dead };
  }
}

function handOffLane(intent: Intent): string | undefined {
  switch (intent.kind) {
    case "hand_off":
    case "route_hand_off":
      return `ingress ${intent.channel}`;
    case "transform_hand_off":
      return `routed ${intent.channel}`;
    case "reingress":
      return `response ${intent.message.channel}`;
    default:
      return undefined;
  }
}

function lanesOf(rows: readonly FakeRow[]): TouchedLane[] {
  const lanes = new Map(rows.map(({ stage, lane }) => [`${stage} ${lane}`, { stage, lane }]));
  return [...lanes.values()];
}

function edgesOf(rows: readonly FakeRow[], each: 1 | -1): EdgeChange[] {
  const edges = new Map<string, EdgeChange>();
  for (const { channel, lane: destination } of rows) {
    const key = `${channel} ${destination}`;
    edges.set(key, { channel, destination, rows: (edges.get(key)?.rows ?? 0) + each });
  }
  return [...edges.values()];
}
