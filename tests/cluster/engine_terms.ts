/**
 * A whole engine that leads, is followed and leads again as often as a test wants, in this process:
 * what a term leaves behind can be counted here, and any step of it made to fail.
 */
import assert from "node:assert/strict";
import { channelOf } from "../../src/cluster/postgres/statements.ts";
import type { Word } from "../../src/cluster/server/statements.ts";
import { runTool } from "../connectors/foreign_tool.ts";
import { ScriptedPartner } from "../connectors/scripted_partner.ts";
import { freePort, until } from "../connectors/waiting.ts";
import { PostgresServer } from "../postgres/server.ts";
import { admission, answered, Walk } from "../walk/bench.ts";
import { RunningTimers } from "./running_timers.ts";

/** What a node holds at one moment. */
export interface Held {
  readonly files: number;
  readonly threads: number;
  readonly timers: number;
  /** Of the database, of this engine. */
  readonly sessions: number;
  /** Resident, megabytes. */
  readonly memoryMb: number;
}

const PROMOTED = "cluster.promoted ";
const TERM_MS = 15_000;

export class EngineTerms implements AsyncDisposable {
  readonly #server: PostgresServer;
  readonly #partner: ScriptedPartner;
  readonly #walk: Walk;
  readonly #port: number;
  readonly #timers: RunningTimers;
  readonly #rooms: AsyncDisposableStack;
  #messages = 0;

  static async open(): Promise<EngineTerms> {
    await using stack = new AsyncDisposableStack();
    const timers = stack.use(new RunningTimers());
    const server = stack.use(await PostgresServer.start({ settings: ["fsync=off"] }));
    const partner = stack.use(await ScriptedPartner.start());
    const port = await freePort();
    const walk = stack.use(
      await Walk.open({ graph: graphText(port, partner.port), settings: settingsText(server) }),
    );
    const terms = new EngineTerms({ server, partner, walk, port, timers }, stack.move());
    await until(() => terms.promotions > 0, "the first term", TERM_MS);
    return terms;
  }

  private constructor(
    { server, partner, walk, port, timers }: {
      readonly server: PostgresServer;
      readonly partner: ScriptedPartner;
      readonly walk: Walk;
      readonly port: number;
      readonly timers: RunningTimers;
    },
    rooms: AsyncDisposableStack,
  ) {
    this.#server = server;
    this.#partner = partner;
    this.#walk = walk;
    this.#port = port;
    this.#timers = timers;
    this.#rooms = rooms;
  }

  get promotions(): number {
    return this.count(PROMOTED);
  }

  /** Log lines that hold this. */
  count(event: string): number {
    return this.#walk.log.filter((line) => line.includes(event)).length;
  }

  /** Another node has led meanwhile and given the lease back: this term ends, and another begins. */
  async follow(): Promise<void> {
    const before = this.promotions;
    await this.usurp();
    await until(() => this.promotions > before && this.isServing, "another term", TERM_MS);
  }

  get isServing(): boolean {
    const { cluster, pipeline } = this.#walk.engine;
    return cluster!.isServing && pipeline.isRunning;
  }

  async usurp(): Promise<void> {
    await this.#server.ask({ schema: "engine" }, async (it) => {
      await it.ask(
        "UPDATE leader_lease SET owner = 'another', leader_epoch = leader_epoch + 1, lease_expires_at = 0",
      );
      const word: Word = "lease released";
      await it.ask(`NOTIFY "${channelOf("engine")}", '${word}'`);
    });
  }

  /** A message walks through the graph of the term under way. */
  async exchange(): Promise<void> {
    const id = `T${this.#messages += 1}`;
    assert.equal(answered(await this.#walk.exchange(this.#port, admission(id))).code, "AA");
    await this.#partner.waitForFrames(this.#messages, TERM_MS);
    assert.equal(this.#partner.controlIds.at(-1), id);
  }

  async held(): Promise<Held> {
    const { rows: [row] } = await this.#server.ask({ schema: undefined }, (it) =>
      it.ask(`
        SELECT count(*)::integer AS n FROM pg_stat_activity
         WHERE backend_type = 'client backend' AND pid <> pg_backend_pid()`));
    return {
      files: await entriesOf(`/proc/${Deno.pid}/fd`),
      threads: await entriesOf(`/proc/${Deno.pid}/task`),
      timers: this.#timers.count,
      sessions: Number(row!.n),
      memoryMb: Math.round(Deno.memoryUsage().rss / 2 ** 20),
    };
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await this.#rooms.disposeAsync();
  }
}

/** The runtime shows these to nobody without every permission. */
async function entriesOf(folder: string): Promise<number> {
  return (await runTool("ls", [folder])).trimEnd().split("\n").length;
}

function graphText(port: number, partnerPort: number): string {
  return `
    import { handler, inbound, mllp, outbound, router, send } from "messagefoundry";
    const lab = outbound("OB_LAB", mllp({ host: "127.0.0.1", port: ${partnerPort} }));
    const pass = handler("pass", (msg) => send(lab, msg));
    inbound("IB_ADT", mllp({ port: ${port} }), { router: router("route", () => pass) });
  `;
}

/** Begins in the walk's `[store]`. A lease so long that nothing but what a test does ends a term. */
function settingsText(server: PostgresServer): string {
  return `backend = "postgres"
server = "127.0.0.1"
port = ${server.port}
database = "postgres"
username = "postgres"
encrypt = false
db_schema = "engine"

[cluster]
enabled = true
heartbeat_seconds = 0.2
leader_fence_timeout_seconds = 10
leader_lease_ttl_seconds = 20
node_timeout_seconds = 2
`;
}
