/** Reads for people: rows become the shapes of `store.ts`, sealed cells are opened. */
import type { CellCipher } from "../crypto/cells.ts";
import { StoreError } from "./errors.ts";
import type { Disposition, ResponseOutcome, RowStatus } from "./intents.ts";
import type {
  ConnectionEventFilter,
  ConnectionEventRecord,
  DeadLetter,
  DeadLetterFilter,
  DeadLetterPage,
  MessageBody,
  MessageDetail,
  MessageFilter,
  MessagePage,
  MessageSummary,
  OpenRows,
  OutboundPayload,
  OutboxTotals,
  Page,
  StoredResponse,
  StoreTotals,
} from "./store.ts";
import { unfold } from "./fold.ts";
import { countsOf, type PurgeRecord } from "./purge.ts";
import type { QueryName } from "./query_names.ts";

type Value = string | number | null;
type Row = Record<string, Value>;
type RunQuery = (name: QueryName, values: readonly Value[]) => Promise<readonly Row[]>;

/** Shown in place of a cell that no configured key opens. */
const UNREADABLE = "[cannot be decrypted]";
const EVENTS_FRESH_MS = 10_000;
/** How far from a lane's head the oldest row of each inbound is looked for. */
const LANE_ROWS_LOOKED_AT = 1_000;

export class Reads {
  readonly #query: RunQuery;
  readonly #cipher: CellCipher;
  /** Counting the timeline reads all of it, so several askers share one count for a while. */
  #events: Promise<number> | undefined;
  #eventsAt = 0;

  constructor(query: RunQuery, cipher: CellCipher) {
    this.#query = query;
    this.#cipher = cipher;
  }

  async messages(filter: MessageFilter, page: Page): Promise<MessagePage> {
    const { select, count, values } = planMessages(filter);
    const [rows, totals] = await Promise.all([
      this.#query(select, [...values, page.limit, page.offset]),
      this.#query(count.name, count.values),
    ]);
    const opened = this.#open(rows, ["error", "metadata"]);
    return { total: Number(totals[0]?.total ?? 0), messages: opened.map(toSummary) };
  }

  async messageBodies(
    { channel, channels, status, messageType, controlId }: MessageFilter,
    { before, limit }: { readonly before: number | undefined; readonly limit: number },
  ): Promise<MessageBody[]> {
    const by = [channel ?? null, status ?? null, messageType ?? null, controlId ?? null];
    const rows = await this.#query("messageBodies", [
      ...by,
      before ?? Number.MAX_SAFE_INTEGER,
      limit,
      listOf(channels),
    ]);
    return this.#open(rows, ["error", "metadata", "body"]).map((row) => ({
      ...toSummary(row),
      raw: text(row.body) ?? "",
    }));
  }

  async bodiesOf(
    numbers: readonly number[],
    bytesMax: number,
  ): Promise<ReadonlyMap<number, string>> {
    const rows = await this.#query("bodiesOf", [JSON.stringify(numbers), bytesMax]);
    return new Map(this.#open(rows, ["body"]).map((row) => [Number(row.seq), String(row.body)]));
  }

  async message(id: string): Promise<MessageDetail | undefined> {
    const [row] = this.#open(
      await this.#query("message", [id]),
      ["error", "metadata", "body"],
    );
    if (!row) return undefined;
    const seq = row.seq!;
    const [rows, events] = await Promise.all([
      this.#query("rows", [seq]),
      this.#query("events", [seq]),
    ]);
    const openRows = this.#open(rows, ["last_error"]);
    const openEvents = this.#open(events, ["detail"]);
    return {
      ...toSummary(row),
      raw: text(row.body) ?? "",
      rows: openRows.map((r) => ({
        seq: Number(r.seq),
        stage: String(r.stage),
        destination: String(r.lane),
        handler: text(r.handler_name),
        status: r.status as RowStatus,
        attempts: Number(r.attempts),
        nextAttemptAt: Number(r.next_attempt_at),
        lastError: text(r.last_error),
      })),
      events: [
        entryEvent(row),
        ...openEvents.map((e) => ({
          at: Number(e.ts),
          event: String(e.event),
          destination: text(e.destination),
          detail: text(e.detail),
        })),
      ],
    };
  }

  async outboundOf(id: string): Promise<readonly OutboundPayload[] | undefined> {
    const [message] = await this.#query("message", [id]);
    if (!message) return undefined;
    const rows = this.#open(await this.#query("outbound", [message.seq!]), ["body", "base"]);
    return rows.map((row) => ({
      seq: Number(row.seq),
      destination: String(row.lane),
      status: row.status as RowStatus,
      payload: payloadOf(row),
    }));
  }

  async responsesOf(id: string): Promise<readonly StoredResponse[]> {
    const rows = this.#open(await this.#query("responses", [id]), ["detail", "body"]);
    const responses = rows.map((row) => ({
      destination: String(row.destination),
      responseSeq: Number(row.response_seq),
      outcome: row.outcome as ResponseOutcome,
      detail: text(row.detail),
      body: text(row.body),
      capturedAt: Number(row.captured_at),
    }));
    return responses.sort((a, b) => a.capturedAt - b.capturedAt);
  }

  async deadLetters(filter: DeadLetterFilter, page: Page): Promise<DeadLetterPage> {
    const values = [filter.channel ?? null, filter.destination ?? null];
    const channels = listOf(filter.channels);
    const [rows, count] = await Promise.all([
      this.#query("deadLetters", [...values, page.limit, page.offset, channels]),
      this.#query("countDead", [...values, channels]),
    ]);
    const opened = this.#open(rows, ["last_error"]);
    return { total: Number(count[0]?.total ?? 0), deadLetters: opened.map(toDeadLetter) };
  }

  async connectionEvents(filter: ConnectionEventFilter): Promise<ConnectionEventRecord[]> {
    const kinds = filter.kinds?.length ? ` ${filter.kinds.join(" ")} ` : null;
    const values = [filter.since ?? null, kinds, filter.limit, listOf(filter.inbounds)];
    const rows = this.#open(
      filter.connection === undefined
        ? await this.#query("connectionEvents", values)
        : await this.#query("connectionEventsOf", [...values, filter.connection]),
      ["reason"],
    );
    return rows.map((row) => ({
      id: Number(row.id),
      at: Number(row.ts),
      connection: String(row.connection),
      transport: String(row.transport),
      direction: row.direction === "inbound" ? "inbound" : "outbound",
      event: String(row.kind),
      peer: text(row.peer_host) ?? undefined,
      reason: text(row.reason) ?? undefined,
    }));
  }

  async outbox(): Promise<OutboxTotals> {
    const [row = {}] = await this.#query("outbox", []);
    return {
      deliveries: Number(row.deliveries),
      dead: Number(row.dead),
      cancelled: Number(row.cancelled),
    };
  }

  async openRows(): Promise<OpenRows> {
    const [row = {}] = await this.#query("openRows", []);
    return {
      inPipeline: Number(row.in_pipeline),
      pending: Number(row.pending),
      inflight: Number(row.inflight),
    };
  }

  async oldestOpen(destination: string): Promise<ReadonlyMap<string, number>> {
    const rows = await this.#query("oldestOpen", [destination, LANE_ROWS_LOOKED_AT]);
    return new Map(rows.map((row) => [String(row.channel_id), Number(row.created_at)]));
  }

  async oldestInLane(stage: string, lane: string): Promise<number | undefined> {
    const [row] = await this.#query("oldestInLane", [stage, lane]);
    return row === undefined ? undefined : Number(row.created_at);
  }

  /** @throws {StoreError} `store.unreadable`: a handler must not meet a value nobody wrote. */
  async state(): Promise<{ namespace: string; key: string; value: string }[]> {
    const rows = await this.#query("state", []);
    return rows.map((row) => {
      const namespace = String(row.namespace);
      const value = this.#cipher.open(String(row.value));
      if (value !== undefined) return { namespace, key: String(row.key), value };
      throw new StoreError(
        "store.unreadable",
        `Cannot read the state of namespace "${namespace}"`,
        {
          hint: "Configure the key it was sealed with among [store].encryption_keys_retired",
        },
      );
    });
  }

  async totals(): Promise<StoreTotals> {
    const now = performance.now();
    if (this.#events === undefined || now - this.#eventsAt > EVENTS_FRESH_MS) {
      this.#eventsAt = now;
      this.#events = this.#query("countEvents", []).then(([row]) => Number(row?.total ?? 0));
      this.#events.catch(() => this.#events = undefined);
    }
    const [[messages], events, [pages]] = await Promise.all([
      this.#query("countAll", []),
      this.#events,
      this.#query("pages", []),
    ]);
    return {
      messages: Number(messages?.total ?? 0),
      events,
      sizeBytes: Number(pages?.bytes ?? 0),
    };
  }

  async retention(): Promise<PurgeRecord> {
    const [row = {}] = await this.#query("retention", []);
    return {
      counts: countsOf(row),
      logsHoldPurged: row.logs_hold_purged === 1,
      reclaimedOn: text(row.reclaimed_on) ?? undefined,
    };
  }

  #open(rows: readonly Row[], cells: readonly string[]): Row[] {
    return rows.map((row) => {
      const plain = { ...row };
      for (const cell of cells) {
        const sealed = text(row[cell]);
        if (sealed !== null) plain[cell] = this.#cipher.open(sealed) ?? UNREADABLE;
      }
      return plain;
    });
  }
}

interface MessagePlan {
  readonly select: QueryName;
  readonly values: readonly Value[];
  readonly count: { readonly name: QueryName; readonly values: readonly Value[] };
}

/** The narrowest look-up a filter allows. */
function payloadOf(row: Row): string {
  const [body, base] = [text(row.body), text(row.base)];
  if (body === null) return "";
  return unfold(body, base ?? undefined, row.base_seq !== null) ?? UNREADABLE;
}

function planMessages(filter: MessageFilter): MessagePlan {
  const { channel, status, messageType, controlId } = filter;
  const shared = [status ?? null, messageType ?? null];
  const isFiltered = shared.some((value) => value !== null);
  if (filter.channels !== undefined) {
    const channels = channel === undefined
      ? filter.channels
      : filter.channels.filter((name) => name === channel);
    if (isUnprocessed(status)) {
      return planStatus([status, messageType ?? null, controlId ?? null, listOf(channels)]);
    }
    const values = [listOf(channels), ...shared, controlId ?? null];
    const count = isFiltered || controlId !== undefined
      ? { name: "countOfChannels", values } as const
      : { name: "countAllOfChannels", values: [listOf(channels)] } as const;
    return { select: "messagesOfChannels", values, count };
  }
  if (controlId !== undefined) {
    const values = [controlId, ...shared, channel ?? null];
    const count = isFiltered || channel !== undefined
      ? { name: "countOfControlId", values } as const
      : { name: "countAllOfControlId", values: [controlId] } as const;
    return { select: "messagesOfControlId", values, count };
  }
  if (channel !== undefined) {
    const values = [channel, ...shared, null];
    const count = isFiltered
      ? { name: "countOfChannel", values } as const
      : { name: "countAllOfChannel", values: [channel] } as const;
    return { select: "messagesOfChannel", values, count };
  }
  if (isUnprocessed(status)) return planStatus([status, messageType ?? null, null, null]);
  const values = [null, ...shared, null];
  const count = messageType !== undefined
    ? { name: "countMessages", values } as const
    : { name: status === undefined ? "countAll" : "countProcessed", values: [] } as const;
  return { select: "messages", values, count };
}

function planStatus(values: readonly Value[]): MessagePlan {
  return { select: "messagesOfStatus", values, count: { name: "countOfStatus", values } };
}

/** Of these there are few, and an index finds them. */
function isUnprocessed(status: string | undefined): status is string {
  return status !== undefined && status !== "processed";
}

function listOf(names: readonly string[] | undefined): string | null {
  return names === undefined ? null : JSON.stringify(names);
}

/** How the message entered stands in its row; the timeline begins with it. */
function entryEvent(row: Row) {
  const isError = row.entered_as === "error";
  return {
    at: Number(row.received_at),
    event: String(row.entered_as),
    destination: null,
    detail: isError ? text(row.error) : null,
  };
}

function toSummary(row: Row): MessageSummary {
  return {
    seq: Number(row.seq),
    id: String(row.id),
    channel: String(row.channel_id),
    receivedAt: Number(row.received_at),
    sourceType: String(row.source_type),
    controlId: text(row.control_id),
    messageType: text(row.message_type),
    status: row.status as Disposition,
    error: text(row.error),
    metadata: text(row.metadata),
    purgedAt: row.purged_at === null ? null : Number(row.purged_at),
    hasBody: Number(row.body_seq) !== 0,
    event: text(row.event),
  };
}

function toDeadLetter(row: Row): DeadLetter {
  return {
    seq: Number(row.seq),
    messageSeq: Number(row.message_seq),
    messageId: String(row.message_id),
    channel: String(row.channel_id),
    destination: String(row.lane),
    attempts: Number(row.attempts),
    lastError: text(row.last_error),
    failedAt: Number(row.updated_at),
    controlId: text(row.control_id),
    messageType: text(row.message_type),
    receivedAt: Number(row.received_at),
    hasBody: Number(row.body_seq) !== 0,
  };
}

function text(value: Value | undefined): string | null {
  return value === null || value === undefined ? null : String(value);
}
