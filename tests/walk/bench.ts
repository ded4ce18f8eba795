/**
 * A whole engine on a bundle of its own: what the walk's tests share.
 *
 * Everything between the sender's socket and the partner's is the real thing; only the two ends
 * are ours. Store and bundle live in one temporary directory that goes with the bench.
 */
import { DatabaseSync } from "node:sqlite";
import type { TakeNotice } from "../../src/auth/mod.ts";
import { type Clock, systemClock } from "../../src/clock.ts";
import { Engine } from "../../src/engine.ts";
import { createLogger, renderRecord } from "../../src/logging/mod.ts";
import { loadSettings } from "../../src/settings/mod.ts";
import type { MessageDetail, MessageSummary } from "../../src/store/store.ts";
import { MllpSender } from "../connectors/mllp_sender.ts";
import { pause, until } from "../connectors/waiting.ts";
import { type BundleDir, openBundle } from "../graph/bench.ts";

export interface WalkOptions {
  /** Text of the one module, or modules by file name. */
  readonly graph: string | Readonly<Record<string, string>>;
  /** Further lines of the settings file. */
  readonly settings?: string;
  /** Further files of the bundle. */
  readonly files?: Readonly<Record<string, string>>;
  readonly env?: Readonly<Record<string, string>>;
  /** Where the store lives; in the bundle's directory when left out. */
  readonly storeDir?: string;
  readonly clock?: Clock;
  readonly takeNotice?: TakeNotice;
}

const SETTLED_MS = 15_000;

export class Walk implements AsyncDisposable {
  readonly bundle: BundleDir;
  /** What the engine logged, one record a line. */
  readonly log: string[] = [];
  readonly #options: WalkOptions;
  readonly #senders: MllpSender[] = [];
  #engine: Engine | undefined;

  private constructor(bundle: BundleDir, options: WalkOptions) {
    this.bundle = bundle;
    this.#options = options;
  }

  /** Writes the bundle and starts the engine on it. */
  static async open(options: WalkOptions): Promise<Walk> {
    const { graph, files = {} } = options;
    const modules = typeof graph === "string" ? { "walk.ts": graph } : graph;
    const bundle = await openBundle({
      ...files,
      ...Object.fromEntries(Object.entries(modules).map(([name, text]) => [`graph/${name}`, text])),
    });
    const walk = new Walk(bundle, options);
    try {
      await walk.start();
      return walk;
    } catch (thrown) {
      await walk[Symbol.asyncDispose]();
      throw thrown;
    }
  }

  get dir(): string {
    return this.bundle.dir;
  }

  get engine(): Engine {
    if (!this.#engine) throw new Error("The engine of this walk is stopped");
    return this.#engine;
  }

  get storePath(): string {
    return `${this.#options.storeDir ?? this.dir}/messagefoundry.db`;
  }

  /** Starts the engine, also again on the same store. */
  async start(): Promise<void> {
    const { settings = "", env = {}, clock = systemClock, takeNotice } = this.#options;
    // Most walks are not about who asks.
    const auth = /^\[auth\]/m.test(settings) ? "" : "[auth]\nenabled = false\n";
    const text = `${auth}[store]\npath = "${this.storePath}"\n${settings}`;
    this.#engine = await Engine.start({
      settings: loadSettings({ file: { path: "messagefoundry.toml", text }, env }).settings,
      bundleDir: this.dir,
      environment: "dev",
      env,
      logger: createLogger({
        level: "info",
        sinks: [{ write: (record) => this.log.push(renderRecord(record, "text")) }],
      }),
      logDropped: () => ({ stdout: 0 }),
      clock,
      takeNotice,
    });
  }

  /** Stops the engine in order; nothing is deleted. */
  async stop(): Promise<void> {
    const engine = this.#engine;
    this.#engine = undefined;
    await engine?.[Symbol.asyncDispose]();
  }

  /** A partner that sends; closed with the walk. */
  async sender(port: number): Promise<MllpSender> {
    const sender = await MllpSender.connect(port);
    this.#senders.push(sender);
    return sender;
  }

  /** Sends one body over a connection of its own and returns the reply. */
  async exchange(port: number, body: string): Promise<string> {
    using sender = await MllpSender.connect(port);
    sender.send(body);
    const [reply] = await sender.waitForReplies(1);
    return reply!;
  }

  /** Every message with this control ID, newest first. */
  async summaries(controlId?: string): Promise<readonly MessageSummary[]> {
    const page = await this.engine.store.messages(
      controlId === undefined ? {} : { controlId },
      { limit: 10_000, offset: 0 },
    );
    return page.messages;
  }

  /** The one message with this control ID. */
  async message(controlId: string): Promise<MessageDetail> {
    const found = await this.summaries(controlId);
    if (found.length !== 1) {
      throw new Error(`Want one message with control ID "${controlId}", found ${found.length}`);
    }
    return (await this.engine.store.message(found[0]!.id))!;
  }

  /** Waits until a message has this disposition. */
  async disposition(controlId: string, status: string, ms = SETTLED_MS): Promise<MessageDetail> {
    const deadline = performance.now() + ms;
    for (;;) {
      const message = await this.message(controlId);
      if (message.status === status) return message;
      if (performance.now() > deadline) {
        throw new Error(`Waited ${ms} ms for "${controlId}" to be ${status}: ${message.status}`);
      }
      await new Promise((resolve) => setTimeout(resolve, 10));
    }
  }

  /** Waits until no row is open, in memory and in the store. */
  async drained(ms = SETTLED_MS): Promise<void> {
    const deadline = performance.now() + ms;
    for (;;) {
      await until(() => this.engine.pipeline.openRows === 0, "the pipeline to drain", ms);
      const { pending = 0, inflight = 0 } = await this.rowsByStatus();
      if (pending + inflight === 0) return;
      if (performance.now() > deadline) throw new Error(`${pending + inflight} rows stay open`);
      await pause(20);
    }
  }

  /** Rows of every stage by status, read from the file itself. */
  async rowsByStatus(): Promise<Partial<Record<string, number>>> {
    // A read of the engine's own brings what is answered into the tables.
    await this.engine.store.totals();
    using db = new DatabaseSync(this.storePath, { readOnly: true });
    const rows = db.prepare("SELECT status, count(*) AS rows FROM queue GROUP BY status").all();
    return Object.fromEntries(rows.map((row) => [String(row.status), Number(row.rows)]));
  }

  /** Waits until the log tells of an audited act; its first row as it was told. */
  async audited(action: string, ms = SETTLED_MS): Promise<AuditLine> {
    await until(() => this.auditLines(action).length > 0, `audited act "${action}"`, ms);
    return this.auditLines(action)[0]!;
  }

  /** What the log told of audited acts, oldest first; of one action, or of all. */
  auditLines(action?: string): readonly AuditLine[] {
    return this.log.flatMap((line) => {
      const [, text] = / messagefoundry\.audit: (\{.*\})$/.exec(line) ?? [];
      if (text === undefined) return [];
      const { detail, ...rest } = JSON.parse(text) as Omit<AuditLine, "detail"> & {
        detail: string | null;
      };
      if (action !== undefined && rest.action !== action) return [];
      return [{ ...rest, detail: detail === null ? {} : JSON.parse(detail) }];
    });
  }

  /** Waits until a log line holds this event name. */
  async logged(event: string, ms = SETTLED_MS): Promise<string> {
    await until(() => this.log.some((line) => line.includes(event)), `log event "${event}"`, ms);
    return this.log.find((line) => line.includes(event))!;
  }

  async [Symbol.asyncDispose](): Promise<void> {
    for (const sender of this.#senders) sender[Symbol.dispose]();
    try {
      await this.stop();
    } finally {
      await this.bundle[Symbol.asyncDispose]();
    }
  }
}

/** An audited act as the log tells it. */
export interface AuditLine {
  readonly action: string;
  readonly actor: string;
  readonly channel_id: string | null;
  readonly detail: Readonly<Record<string, unknown>>;
}

/** An ADT^A01 with its control ID in MSH-10 and PID-3.1 and a sequence number in PID-2. */
export function admission(controlId: string, { sequence = 0, trigger = "A01", extra = "" } = {}) {
  return `MSH|^~\\&|REG|ACME|ENGINE|HOSP|20260102030405||ADT^${trigger}^ADT_A01|${controlId}|P|2.5.1\r` +
    `EVN|${trigger}|20260102030405\r` +
    `PID|1|${sequence}|${controlId}^^^ACME^MR||SAMPLE^PERSON||19800203|F\r` +
    `PV1|1|I|WARD^1^1\r${extra}`;
}

/** MSA-1 and MSA-2 of a reply. */
export function answered(reply: string): { code: string; controlId: string; reason: string } {
  const [, code = "", controlId = "", reason = ""] = reply.split("\r")
    .find((segment) => segment.startsWith("MSA"))?.split("|") ?? [];
  return { code, controlId, reason };
}

/** Names of a message's timeline, in order. */
export function timeline(message: MessageDetail): string[] {
  return message.events.map(({ event }) => event);
}
