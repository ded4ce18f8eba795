/**
 * What the intents do that name their rows: T0–T8 of spec pipeline-store-cluster §1.3, on the
 * working set. Those that look for rows are each backend's own.
 */
import type {
  HandOffResult,
  ReceiveResult,
  ReingressResult,
  ResolveResult,
  ResponseResult,
  RouteResult,
} from "./intent_results.ts";
import type {
  CompleteIntent,
  CompleteWithResponseIntent,
  DeadLetterIntent,
  HandOffIntent,
  Intent,
  NewDelivery,
  NewReentry,
  NextClaim,
  ReceiveIntent,
  RecordErrorIntent,
  ReingressIntent,
  ReleaseIntent,
  RetryIntent,
  RouteHandOffIntent,
  StateWrite,
  TransformHandOffIntent,
} from "./intents.ts";
import type { RegisterIntent } from "./registers/mod.ts";
import type { NewRow, WorkingSet, WorkMessage, WorkRow } from "./working_set.ts";

const NOT_MINE: HandOffResult = { mine: false, seqs: [] };
const UNRESOLVED: ResolveResult = { mine: false, nextClaimed: false };

/** Kinds of intents that name their rows. */
const rowKinds = [
  "receive",
  "record_error",
  "hand_off",
  "route_hand_off",
  "transform_hand_off",
  "complete",
  "complete_with_response",
  "reingress",
  "retry",
  "dead_letter",
  "release",
  "claim_row",
] as const satisfies readonly Intent["kind"][];
const isRowKind: ReadonlySet<Intent["kind"]> = new Set(rowKinds);

/** Intents that name their rows. */
export type RowIntent = Extract<Intent, { kind: (typeof rowKinds)[number] }>;

/** Intents that look for rows. */
export type TableIntent = Exclude<Intent, RowIntent | RegisterIntent>;

/** Intents that touch no message: `registers/commit.ts` carries them out. */
export function isRegisterIntent(intent: Intent): intent is RegisterIntent {
  return intent.kind === "register";
}

export function isRowIntent(intent: Intent): intent is RowIntent {
  return isRowKind.has(intent.kind);
}

/** Executes one intent and returns its answer, which holds once its commit is durable. */
export function execute(work: WorkingSet, intent: RowIntent): unknown {
  switch (intent.kind) {
    case "receive":
      return receive(work, intent);
    case "record_error":
      return recordError(work, intent);
    case "hand_off":
      return handOff(work, intent);
    case "route_hand_off":
      return routeHandOff(work, intent);
    case "transform_hand_off":
      return transformHandOff(work, intent);
    case "complete":
      return complete(work, intent);
    case "complete_with_response":
      return completeWithResponse(work, intent);
    case "reingress":
      return reingress(work, intent);
    case "retry":
      return retry(work, intent);
    case "dead_letter":
      return deadLetter(work, intent);
    case "release":
      return release(work, intent);
    case "claim_row":
      return { mine: claimRow(work, intent, intent.at), nextClaimed: false };
  }
}

// Intake.

function receive(
  work: WorkingSet,
  { message, token }: Pick<ReceiveIntent, "message" | "token">,
): ReceiveResult {
  const messageSeq = work.nextNumber();
  const entered = work.add(messageSeq, message, null);
  const seq = work.nextNumber();
  work.addRow(entered, {
    seq,
    messageSeq,
    stage: "ingress",
    lane: message.channel,
    channel: message.channel,
    handler: null,
    bodySeq: messageSeq,
    ...bornAs(token),
    dueAt: message.receivedAt,
    lastError: null,
    at: message.receivedAt,
  });
  return { messageSeq, seq };
}

function recordError(
  work: WorkingSet,
  { message, error }: Pick<RecordErrorIntent, "message" | "error">,
): ReceiveResult {
  const messageSeq = work.nextNumber();
  work.dispose(work.add(messageSeq, message, error), "error");
  return { messageSeq, seq: 0 };
}

/** A row with a token is born in flight under it. */
function bornAs(token: number | undefined): Pick<NewRow, "status" | "attempts" | "token"> {
  return token === undefined
    ? { status: "pending", attempts: 0, token: null }
    : { status: "inflight", attempts: 1, token };
}

// Handoffs.

function handOff(work: WorkingSet, intent: HandOffIntent): HandOffResult {
  const row = held(work, intent);
  if (row === undefined) return NOT_MINE;
  const { messageSeq, channel, failures, at } = intent;
  const message = work.message(messageSeq);
  work.endRow(message, row);
  if (intent.handlers === 0) {
    work.addEvent(message, { at, event: "unrouted", destination: null, detail: null });
    work.dispose(message, "unrouted");
    return { mine: true, seqs: [] };
  }
  work.addEvent(message, { at, event: "routed", destination: null, detail: null });
  if (failures.length < intent.handlers) {
    work.addEvent(message, { at, event: "transformed", destination: null, detail: null });
  }
  const seqs = addDeliveries(work, message, intent);
  seqs.push(...addReentries(work, message, intent));
  for (const { handler, error } of failures) {
    work.addRow(message, {
      ...routedRow(work.nextNumber(), { messageSeq, channel, handler, at }),
      status: "dead",
      attempts: 1,
      lastError: error,
    });
    work.addEvent(message, { at, event: "dead", destination: handler, detail: error });
  }
  writeState(work, intent.state, at, messageSeq);
  // Every row of the message was made just now, so its disposition needs no counting.
  const status = seqs.length > 0 ? "routed" : failures.length > 0 ? "error" : "filtered";
  work.dispose(message, status, failures[0]?.error ?? message.error);
  return { mine: true, seqs };
}

function routeHandOff(work: WorkingSet, intent: RouteHandOffIntent): RouteResult {
  const row = held(work, intent);
  if (row === undefined) return NOT_MINE;
  const { messageSeq, channel, handlers, at } = intent;
  const message = work.message(messageSeq);
  work.endRow(message, row);
  const seqs = handlers.map((handler) => {
    const seq = work.nextNumber();
    work.addRow(message, routedRow(seq, { messageSeq, channel, handler, at }));
    return seq;
  });
  const event = handlers.length > 0 ? "routed" : "unrouted";
  work.addEvent(message, { at, event, destination: null, detail: null });
  work.dispose(message, event);
  return { mine: true, seqs };
}

/** A row of the durable split, pending. */
function routedRow(
  seq: number,
  { messageSeq, channel, handler, at }: {
    readonly messageSeq: number;
    readonly channel: string;
    readonly handler: string;
    readonly at: number;
  },
): NewRow {
  return {
    seq,
    messageSeq,
    stage: "routed",
    lane: channel,
    channel,
    handler,
    bodySeq: messageSeq,
    ...bornAs(undefined),
    dueAt: at,
    lastError: null,
    at,
  };
}

function transformHandOff(
  work: WorkingSet,
  intent: TransformHandOffIntent,
): HandOffResult {
  const row = held(work, intent);
  if (row === undefined) return NOT_MINE;
  const { messageSeq, at } = intent;
  const message = work.message(messageSeq);
  work.endRow(message, row);
  const seqs = addDeliveries(work, message, intent);
  seqs.push(...addReentries(work, message, intent));
  writeState(work, intent.state, at, messageSeq);
  work.addEvent(message, { at, event: "transformed", destination: null, detail: null });
  finalize(work, message);
  return { mine: true, seqs };
}

interface DeliverySet {
  readonly channel: string;
  readonly deliveries: readonly NewDelivery[];
  readonly at: number;
}

/** Makes outbound rows in order; equal bodies are stored once. */
function addDeliveries(
  work: WorkingSet,
  message: WorkMessage,
  { channel, deliveries, at }: DeliverySet,
): number[] {
  let bodies: Map<string, number> | undefined;
  const seqs: number[] = [];
  for (const { destination, handler, payload, token, isChanges = false } of deliveries) {
    const seq = work.nextNumber();
    let bodySeq = message.seq;
    if (payload !== undefined) {
      // A payload may read like the changes of another.
      const form = deliveries.length > 1 ? `${isChanges} ${payload}` : payload;
      const shared = bodies?.get(form);
      if (shared === undefined) {
        bodySeq = seq;
        work.addBody(message, bodySeq, payload, isChanges ? message.seq : null);
        if (deliveries.length > 1) (bodies ??= new Map()).set(form, bodySeq);
      } else {
        bodySeq = shared;
      }
    }
    work.addRow(message, {
      seq,
      messageSeq: message.seq,
      stage: "outbound",
      lane: destination,
      channel,
      handler,
      bodySeq,
      ...bornAs(token),
      dueAt: at,
      lastError: null,
      at,
    });
    seqs.push(seq);
  }
  return seqs;
}

interface ReentrySet {
  readonly channel: string;
  readonly reentries?: readonly NewReentry[];
  readonly at: number;
}

/** Makes the rows of what goes to loopbacks, behind the deliveries. */
function addReentries(
  work: WorkingSet,
  message: WorkMessage,
  { channel, reentries = [], at }: ReentrySet,
): number[] {
  return reentries.map(({ lane, handler, payload, token }) => {
    const seq = work.nextNumber();
    const bodySeq = payload === undefined ? message.seq : seq;
    if (payload !== undefined) work.addBody(message, bodySeq, payload, null);
    work.addRow(message, {
      seq,
      messageSeq: message.seq,
      stage: "response",
      lane,
      channel,
      handler,
      bodySeq,
      ...bornAs(token),
      dueAt: at,
      lastError: null,
      at,
    });
    return seq;
  });
}

function writeState(
  work: WorkingSet,
  state: readonly StateWrite[],
  at: number,
  messageSeq: number,
): void {
  for (const { namespace, key, value } of state) {
    work.setState({ namespace, key, value, at, messageSeq });
  }
}

// Resolutions.

function complete(work: WorkingSet, intent: CompleteIntent): ResolveResult {
  const row = held(work, intent);
  if (row === undefined) return UNRESOLVED;
  const { messageSeq, next, at } = intent;
  const message = work.message(messageSeq);
  deliver(work, message, row, intent);
  finalize(work, message);
  return { mine: true, nextClaimed: next !== undefined && claimRow(work, next, at) };
}

function deliver(
  work: WorkingSet,
  message: WorkMessage,
  row: WorkRow,
  { destination, simulated, at }: Omit<CompleteIntent, "kind">,
): void {
  row.status = "done";
  row.token = null;
  row.lastError = null;
  work.changed(message, row, at);
  const event = simulated === true ? "simulated" : "delivered";
  work.addEvent(message, { at, event, destination, detail: null });
}

function completeWithResponse(
  work: WorkingSet,
  intent: CompleteWithResponseIntent,
): ResponseResult {
  const row = held(work, intent);
  if (row === undefined) return { ...UNRESOLVED, responseSeq: 0, reingressSeq: undefined };
  const { messageSeq, destination, next, response, at } = intent;
  const { outcome, detail = null, body, reingress } = response;
  const message = work.message(messageSeq);
  deliver(work, message, row, intent);
  const bodySeq = body === undefined ? 0 : work.nextNumber();
  if (body !== undefined) work.addBody(message, bodySeq, body, null);
  const responseSeq = work.addResponse(message, { destination, outcome, detail, bodySeq, at });
  let reingressSeq: number | undefined;
  if (reingress !== undefined && body !== undefined) {
    reingressSeq = work.nextNumber();
    work.addRow(message, {
      seq: reingressSeq,
      messageSeq,
      stage: "response",
      lane: reingress.lane,
      channel: row.channel,
      handler: destination,
      bodySeq,
      ...bornAs(reingress.token),
      dueAt: at,
      lastError: null,
      at,
    });
  }
  finalize(work, message);
  const nextClaimed = next !== undefined && claimRow(work, next, at);
  return { mine: true, nextClaimed, responseSeq, reingressSeq };
}

/**
 * The row of an answer is consumed. What a handler sent to the loopback stays as a delivery that is
 * done: a message whose handlers sent it there and nowhere else has gone somewhere all the same.
 */
function reingress(work: WorkingSet, intent: ReingressIntent): ReingressResult {
  const row = held(work, intent);
  if (row === undefined) return { mine: false, messageSeq: 0, seq: 0 };
  const { messageSeq, message: entry, error, ingressToken: token, isAnswer, at } = intent;
  const origin = work.message(messageSeq);
  work.addEvent(origin, { at, event: "reingressed", destination: row.lane, detail: null });
  if (isAnswer) {
    work.endRow(origin, row);
  } else {
    row.status = "done";
    row.token = null;
    work.changed(origin, row, at);
  }
  finalize(work, origin);
  const entered = error === undefined
    ? receive(work, { message: entry, token })
    : recordError(work, { message: entry, error });
  return { mine: true, ...entered };
}

function retry(work: WorkingSet, intent: RetryIntent): ResolveResult {
  const row = held(work, intent);
  if (row === undefined) return UNRESOLVED;
  const { messageSeq, destination, dueAt, error, at } = intent;
  row.status = "pending";
  row.token = null;
  row.dueAt = dueAt;
  row.lastError = error;
  const message = work.message(messageSeq);
  work.changed(message, row, at);
  work.addEvent(message, { at, event: "failed", destination, detail: error });
  return { mine: true, nextClaimed: false };
}

function deadLetter(work: WorkingSet, intent: DeadLetterIntent): ResolveResult {
  const row = held(work, intent);
  if (row === undefined) return UNRESOLVED;
  const { messageSeq, destination = null, error, next, at } = intent;
  const message = work.message(messageSeq);
  row.status = "dead";
  row.token = null;
  row.lastError = error;
  work.changed(message, row, at);
  work.addEvent(message, { at, event: "dead", destination, detail: error });
  work.dispose(message, message.status, error);
  finalize(work, message);
  return { mine: true, nextClaimed: next !== undefined && claimRow(work, next, at) };
}

function release(work: WorkingSet, intent: ReleaseIntent): ResolveResult {
  const row = held(work, intent);
  if (row === undefined) return UNRESOLVED;
  row.status = "pending";
  row.token = null;
  row.attempts -= 1;
  work.changed(work.message(row.messageSeq), row, intent.at);
  return { mine: true, nextClaimed: false };
}

/** Claims a row by number; loses to whoever changed it meanwhile. */
function claimRow(work: WorkingSet, next: NextClaim, at: number): boolean {
  const row = work.row(next.seq);
  if (row?.status !== "pending") return false;
  row.status = "inflight";
  row.token = next.token;
  row.attempts += 1;
  work.changed(work.message(row.messageSeq), row, at);
  return true;
}

/** The row of an intent, if it is in flight under the intent's token. */
function held(
  work: WorkingSet,
  { seq, token }: { readonly seq: number; readonly token: number },
): WorkRow | undefined {
  const row = work.row(seq);
  return row?.status === "inflight" && row.token === token ? row : undefined;
}

/**
 * The finalizer, sole authority for terminal dispositions (spec §1.5); the statement of the same
 * name is the same on the tables. Leaves the message alone while any row is open. What went to a
 * loopback was delivered. A replayed routed row leaves its message RECEIVED, so that status too ends
 * as FILTERED.
 */
function finalize(work: WorkingSet, message: WorkMessage): void {
  let isDead = false;
  let hasDelivery = false;
  for (const { status, stage } of message.rows) {
    if (status === "pending" || status === "inflight") return;
    isDead ||= status === "dead";
    hasDelivery ||= stage === "outbound" || stage === "response";
  }
  if (isDead) work.dispose(message, "error");
  else if (hasDelivery) work.dispose(message, "processed");
  else if (message.status === "routed" || message.status === "received") {
    work.dispose(message, "filtered");
  } else work.dispose(message, message.status);
}
