/**
 * A model of the rows in memory, as spec pipeline-store-cluster §1.3 to §1.5, §3.1 and §3.6 tell
 * it: every act says what it changes and what its caller is told.
 */
import type { Disposition, RowStatus, Stage } from "../../../src/store/intents.ts";

export interface ModelMessage {
  readonly id: string;
  readonly channel: string;
  /** Set once the store has answered. */
  messageSeq: number;
  status: Disposition;
  error: string | null;
  readonly events: string[];
  readonly receivedAt: number;
  /** Empty once it is purged. */
  raw: string;
  isPurged: boolean;
}

export interface ModelRow {
  readonly message: ModelMessage;
  readonly stage: Stage;
  readonly lane: string;
  readonly handler: string | undefined;
  /** Set once the store has answered. */
  seq: number;
  status: RowStatus;
  attempts: number;
  dueAt: number;
  token: number | undefined;
  error: string | null;
  /** What it means; empty once it is purged. */
  body: string;
  /** When it last became dead. */
  diedAt: number;
}

export interface ModelDelivery {
  readonly destination: string;
  readonly handler: string;
  readonly token: number | undefined;
  /** Undefined: the message itself. */
  readonly payload: string | undefined;
}

const isOpen = ({ status }: ModelRow) => status === "pending" || status === "inflight";

export class Model {
  readonly messages: ModelMessage[] = [];
  /** In the order they were made, which is the order of every lane. */
  rows: ModelRow[] = [];
  readonly state = new Map<string, string>();
  /** The moment of every act. */
  now = 0;

  rowsOf(message: ModelMessage): ModelRow[] {
    return this.rows.filter((row) => row.message === message);
  }

  openOf(stage: Stage, lane: string): ModelRow[] {
    return this.rows.filter((row) => row.stage === stage && row.lane === lane && isOpen(row));
  }

  receive(id: string, channel: string, token: number | undefined, raw: string): ModelRow {
    const message = this.#enter(id, channel, { status: "received", error: null, raw });
    const at = this.now;
    return this.#add(message, "ingress", channel, { token, at });
  }

  recordError(id: string, channel: string, error: string, raw: string): ModelMessage {
    return this.#enter(id, channel, { status: "error", error, raw });
  }

  /** Spec §5, passes 1 and 2. */
  purge(of: "messages" | "dead_letters", before: number): void {
    const isDeadDelivery = ({ stage, status }: ModelRow) =>
      stage === "outbound" && status === "dead";
    if (of === "dead_letters") {
      for (const row of this.rows.filter(isDeadDelivery)) {
        if (row.diedAt < before) Object.assign(row, { body: "", error: null });
      }
      return;
    }
    for (const message of this.messages) {
      const rows = this.rowsOf(message);
      if (message.isPurged || message.receivedAt >= before || rows.some(isOpen)) continue;
      Object.assign(message, { raw: "", error: null, isPurged: true });
      for (const row of rows) {
        if (!isDeadDelivery(row)) Object.assign(row, { body: "", error: null });
      }
    }
  }

  /** Undefined: not mine. */
  handOff(row: ModelRow, token: number, at: number, parts: {
    handlers: number;
    deliveries: readonly ModelDelivery[];
    failures: readonly { handler: string; error: string }[];
  }): ModelRow[] | undefined {
    if (!this.#consume(row, token)) return undefined;
    const { message } = row;
    if (parts.handlers === 0) {
      message.events.push("unrouted");
      message.status = "unrouted";
      return [];
    }
    message.status = "routed";
    message.events.push("routed");
    if (parts.failures.length < parts.handlers) message.events.push("transformed");
    const made = parts.deliveries.map((delivery) => this.#deliver(message, delivery, at));
    for (const { handler, error } of parts.failures) {
      const dead = this.#add(message, "routed", message.channel, { handler, token: undefined, at });
      Object.assign(dead, { status: "dead", attempts: 1, error, diedAt: this.now });
      message.events.push(`dead ${handler}`);
    }
    if (parts.failures[0]) message.error = parts.failures[0].error;
    this.#finalize(message);
    return made;
  }

  routeHandOff(row: ModelRow, token: number, at: number, handlers: readonly string[]) {
    if (!this.#consume(row, token)) return undefined;
    const { message } = row;
    const status = handlers.length > 0 ? "routed" : "unrouted";
    message.events.push(status);
    message.status = status;
    return handlers.map((handler) =>
      this.#add(message, "routed", message.channel, { handler, token: undefined, at })
    );
  }

  transformHandOff(
    row: ModelRow,
    token: number,
    at: number,
    deliveries: readonly ModelDelivery[],
  ): ModelRow[] | undefined {
    if (!this.#consume(row, token)) return undefined;
    const made = deliveries.map((delivery) => this.#deliver(row.message, delivery, at));
    row.message.events.push("transformed");
    this.#finalize(row.message);
    return made;
  }

  complete(row: ModelRow, token: number, destination: string): boolean {
    if (!this.#isMine(row, token)) return false;
    Object.assign(row, { status: "done", token: undefined, error: null });
    row.message.events.push(`delivered ${destination}`);
    this.#finalize(row.message);
    return true;
  }

  retry(row: ModelRow, token: number, destination: string, dueAt: number, error: string): boolean {
    if (!this.#isMine(row, token)) return false;
    Object.assign(row, { status: "pending", token: undefined, dueAt, error });
    row.message.events.push(`failed ${destination}`);
    return true;
  }

  bury(row: ModelRow, token: number, meantFor: string | undefined, error: string): boolean {
    if (!this.#isMine(row, token)) return false;
    this.#kill(row, meantFor, error);
    return true;
  }

  release(row: ModelRow, token: number): boolean {
    if (!this.#isMine(row, token)) return false;
    this.#giveBack(row);
    return true;
  }

  claimRow(row: ModelRow, token: number): boolean {
    if (row.status !== "pending" || !this.rows.includes(row)) return false;
    this.#take(row, token);
    return true;
  }

  claim(stage: Stage, lane: string, ask: {
    limit: number;
    readAhead: number;
    token: number;
    at: number;
    attemptsMax: number | undefined;
    suspects: boolean;
  }) {
    const open = this.openOf(stage, lane);
    const rows: ModelRow[] = [];
    let [claimed, exhausted] = [0, 0];
    let dueAt: number | undefined;
    let suspect = false;
    for (const row of open.slice(0, ask.limit + ask.readAhead)) {
      if (row.status === "inflight") break;
      if (row.dueAt > ask.at) {
        if (claimed === 0) dueAt = row.dueAt;
        break;
      }
      if (ask.attemptsMax !== undefined && row.attempts >= ask.attemptsMax) {
        this.#kill(row, row.handler, "attempts exhausted");
        exhausted += 1;
        continue;
      }
      const isSuspect = ask.attemptsMax !== undefined && row.attempts >= 2;
      if (isSuspect && (claimed > 0 || !ask.suspects)) {
        suspect = claimed === 0;
        break;
      }
      rows.push(row);
      if (claimed === ask.limit) continue;
      this.#take(row, ask.token + claimed);
      claimed += 1;
      if (isSuspect) break;
    }
    const drained = rows.length + exhausted === open.length;
    return { rows, claimed, drained, dueAt, exhausted, suspect };
  }

  claimDue(stage: Stage, lane: string, ask: { limit: number; token: number; at: number }) {
    const open = this.openOf(stage, lane);
    const due = open.filter(({ status, dueAt }) => status === "pending" && dueAt <= ask.at);
    const rows = due.slice(0, ask.limit);
    const rest = open.filter(({ status }) => status === "pending").map(({ dueAt }) => dueAt);
    for (const [index, row] of rows.entries()) this.#take(row, ask.token + index);
    return {
      rows,
      claimed: rows.length,
      drained: rows.length === open.length,
      dueAt: rows.length > 0 || rest.length === 0 ? undefined : Math.min(...rest),
      exhausted: 0,
      suspect: false,
    };
  }

  resync(stage: Stage, lane: string): number {
    const open = this.openOf(stage, lane);
    for (const row of open) {
      if (row.status === "inflight") this.#giveBack(row);
    }
    return open.length;
  }

  replay(message: ModelMessage, at: number): number {
    const rows = this.rowsOf(message);
    const isFinished = rows.every(({ status }) => status === "done" || status === "cancelled");
    const chosen = rows.filter(({ status, body }) =>
      body !== "" &&
      (isFinished ? status === "done" : status === "dead" || status === "pending")
    );
    if (chosen.length === 0) return 0;
    message.isPurged = false;
    for (const row of chosen) this.#requeue(row, at);
    message.events.push("replayed");
    const isRerun = chosen.some(({ stage }) => stage !== "outbound");
    Object.assign(message, { status: isRerun ? "received" : "routed", error: null });
    return chosen.length;
  }

  replayDead(channel: string | undefined, destination: string | undefined, at: number): number {
    const chosen = this.rows.filter((row) =>
      row.stage === "outbound" && row.status === "dead" && row.body !== "" &&
      (channel === undefined || row.message.channel === channel) &&
      (destination === undefined || row.lane === destination)
    );
    for (const row of chosen) this.#requeue(row, at);
    for (const message of new Set(chosen.map((row) => row.message))) {
      message.isPurged = false;
      message.events.push(destination === undefined ? "replayed" : `replayed ${destination}`);
      if (message.status === "error") message.status = "routed";
      const stillDead = this.rowsOf(message).find(({ status }) => status === "dead");
      message.error = stillDead?.error ?? null;
    }
    return chosen.length;
  }

  cancel(destination: string, scope: "all" | "top", limit: number | undefined): number {
    const open = this.openOf("outbound", destination);
    const looked = scope === "top" ? open.slice(0, 1) : open;
    const chosen = looked.filter(({ status }) => status === "pending").slice(0, limit);
    for (const row of chosen) {
      row.status = "cancelled";
      row.message.events.push(`cancelled ${destination}`);
      this.#finalize(row.message);
    }
    return chosen.length;
  }

  sweep(destinations: readonly string[], handlers: readonly string[]): void {
    const open = this.rows.filter(isOpen);
    const stranded = open.filter(({ stage, lane }) =>
      stage === "outbound" && !destinations.includes(lane)
    );
    for (const row of stranded.toSorted((a, b) => a.lane < b.lane ? -1 : a.lane > b.lane ? 1 : 0)) {
      this.#kill(row, row.lane, "destination removed");
    }
    for (const row of open) {
      if (row.stage !== "routed" || handlers.includes(row.handler!)) continue;
      this.#kill(row, row.handler, "handler removed");
    }
  }

  #enter(
    id: string,
    channel: string,
    { status, error, raw }: {
      readonly status: "received" | "error";
      readonly error: string | null;
      readonly raw: string;
    },
  ): ModelMessage {
    const message = {
      ...{ id, channel, messageSeq: 0, status, error, events: [status] },
      ...{ receivedAt: this.now, raw, isPurged: false },
    };
    this.messages.push(message);
    return message;
  }

  #add(message: ModelMessage, stage: Stage, lane: string, parts: {
    handler?: string;
    token: number | undefined;
    at: number;
    body?: string;
  }): ModelRow {
    const { handler, token, at, body = message.raw } = parts;
    const isHot = token !== undefined;
    const status = isHot ? "inflight" : "pending";
    const attempts = isHot ? 1 : 0;
    const row: ModelRow = {
      ...{ message, stage, lane, handler, token, status, attempts },
      ...{ seq: 0, dueAt: at, error: null, body, diedAt: 0 },
    };
    this.rows.push(row);
    return row;
  }

  #deliver(
    message: ModelMessage,
    { destination, handler, token, payload: body }: ModelDelivery,
    at: number,
  ) {
    return this.#add(message, "outbound", destination, { handler, token, at, body });
  }

  #isMine(row: ModelRow, token: number): boolean {
    return this.rows.includes(row) && row.status === "inflight" && row.token === token;
  }

  #consume(row: ModelRow, token: number): boolean {
    if (!this.#isMine(row, token)) return false;
    this.rows = this.rows.filter((other) => other !== row);
    return true;
  }

  #take(row: ModelRow, token: number): void {
    Object.assign(row, { status: "inflight", token, attempts: row.attempts + 1 });
  }

  #giveBack(row: ModelRow): void {
    Object.assign(row, { status: "pending", token: undefined, attempts: row.attempts - 1 });
  }

  #requeue(row: ModelRow, at: number): void {
    Object.assign(row, {
      status: "pending",
      token: undefined,
      attempts: 0,
      dueAt: at,
      error: null,
    });
  }

  #kill(row: ModelRow, meantFor: string | undefined, error: string): void {
    Object.assign(row, { status: "dead", token: undefined, error, diedAt: this.now });
    row.message.events.push(meantFor === undefined ? "dead" : `dead ${meantFor}`);
    row.message.error = error;
    this.#finalize(row.message);
  }

  /** Spec §1.5; RECEIVED counts with ROUTED, for a replayed handler may end a message so. */
  #finalize(message: ModelMessage): void {
    const rows = this.rowsOf(message);
    if (rows.some(isOpen)) return;
    if (rows.some(({ status }) => status === "dead")) message.status = "error";
    else if (rows.some(({ stage }) => stage === "outbound")) message.status = "processed";
    else if (message.status === "routed" || message.status === "received") {
      message.status = "filtered";
    }
  }
}
