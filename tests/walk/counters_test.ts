// Goal: I75. Whatever traffic and operators do, what people are shown is what the store holds: rows of
// /connections, /stats, /metrics, the totals of the lists, and the dispositions of all messages.
// Method: a whole engine between two senders and three partners of random temper. A plan of random
// acts sends, stops, starts, replays, purges, resets and restarts; now and then everything is held
// against tables read past the engine. A failure names the seed of its plan.
import assert from "node:assert/strict";
import { DatabaseSync } from "node:sqlite";
import { startApi } from "../../src/api/mod.ts";
import { ScriptedPartner } from "../connectors/scripted_partner.ts";
import { freePort, pause } from "../connectors/waiting.ts";
import { Random } from "../pipeline/random.ts";
import { admission, Walk } from "./bench.ts";

const INBOUNDS = ["IB_A", "IB_B"] as const;
const OUTBOUNDS = ["OB_LAB", "OB_WARD", "OB_BACK"] as const;
const ACTS = 140;
/** Acts between two looks. */
const LOOK_EVERY = 20;

/** What becomes of a message: its letter. Each partner refuses some for good, and some once. */
const LETTERS = "LLLLBBBWFUX";

function graph(ports: readonly number[], partners: readonly number[]): string {
  const out = OUTBOUNDS.map((name, index) =>
    `outbound("${name}", mllp({ host: "127.0.0.1", port: ${partners[index]} }), {
      retry: { maxAttempts: 3, backoffSeconds: 0.02, backoffMultiplier: 1 },
      ${name === "OB_BACK" ? 'ordering: "unordered",' : ""}
    });`
  );
  const inbounds = INBOUNDS.map((name, index) =>
    `inbound("${name}", mllp({ port: ${ports[index]} }), { router: route });`
  );
  return `
    import { handler, inbound, mllp, outbound, router, send } from "messagefoundry";
    ${out.join("\n")}
    const one = handler("one", (msg) => send("OB_LAB", msg));
    const both = handler("both", (msg) => [send("OB_LAB", msg), send("OB_WARD", msg)]);
    const back = handler("back", (msg) => send("OB_BACK", msg));
    const none = handler("none", () => null);
    const broken = handler("broken", () => { throw new Error("no field PID-3"); });
    const route = router("route", (msg) => {
      switch (msg.get("MSH-10")[0]) {
        case "L": return one;
        case "B": return [both, back];
        case "W": return [back, broken];
        case "F": return none;
        case "X": return broken;
        default: return null;
      }
    });
    ${inbounds.join("\n")}
  `;
}

/** Counts by a name of theirs. */
type Counts = Readonly<Record<string, number>>;

/** Everything that is compared, as the tables have it. */
interface Held {
  readonly received: Counts;
  readonly errored: Counts;
  readonly written: Counts;
  readonly dead: Counts;
  readonly retried: Counts;
  readonly depth: Counts;
  readonly outbox: Counts;
  readonly open: number;
  readonly messages: number;
  readonly dispositions: Counts;
  readonly deadLetters: number;
}

class Site implements AsyncDisposable {
  readonly walk: Walk;
  readonly ports: readonly number[];
  readonly #stack: AsyncDisposableStack;
  #api: Awaited<ReturnType<typeof startApi>>;
  /** What was there when the process began, and when the counters people see were reset. */
  began: Held;
  shownFrom: Held;
  /** Negative answers the partners gave since the process began. */
  readonly naks: { given: number };

  private constructor(
    { walk, ports, api, stack, naks }: {
      naks: Site["naks"];
      walk: Walk;
      ports: readonly number[];
      api: Awaited<ReturnType<typeof startApi>>;
      stack: AsyncDisposableStack;
    },
  ) {
    this.walk = walk;
    this.ports = ports;
    this.#api = api;
    this.#stack = stack;
    this.naks = naks;
    this.began = this.shownFrom = this.read();
  }

  static async open(random: Random): Promise<Site> {
    await using stack = new AsyncDisposableStack();
    const partners: number[] = [];
    const naks = { given: 0 };
    const nak = (code: string) => {
      naks.given += 1;
      return { do: "ack", code } as const;
    };
    for (const _ of OUTBOUNDS) {
      const refused = new Set<string>();
      const partner = stack.use(
        await ScriptedPartner.start({
          otherwise({ controlId }) {
            if (random.chance(0.08)) return nak("AR");
            if (random.chance(0.1) && !refused.has(controlId)) {
              refused.add(controlId);
              return random.chance(0.5) ? nak("AE") : { do: "close" };
            }
            return { do: "ack" };
          },
        }),
      );
      partners.push(partner.port);
    }
    const ports = [await freePort(), await freePort()];
    const walk = stack.use(await Walk.open({ graph: graph(ports, partners) }));
    const api = await startApi(walk.engine, { host: "127.0.0.1", port: 0 });
    return new Site({ walk, ports, api, naks, stack: stack.move() });
  }

  async restart(): Promise<void> {
    await this.#api[Symbol.asyncDispose]();
    await this.walk.stop();
    this.began = this.shownFrom = this.read();
    this.naks.given = 0;
    await this.walk.start();
    this.#api = await startApi(this.walk.engine, { host: "127.0.0.1", port: 0 });
  }

  async request(method: string, path: string, body?: unknown): Promise<Response> {
    return await fetch(`http://127.0.0.1:${this.#api.port}${path}`, {
      method,
      headers: body === undefined ? {} : { "content-type": "application/json" },
      body: body === undefined ? undefined : JSON.stringify(body),
    });
  }

  async get<T>(path: string): Promise<T> {
    const response = await this.request("GET", path);
    assert.equal(response.status, 200, path);
    return await response.json() as T;
  }

  /** An act that may be refused for the state things are in, and for nothing else. */
  async act(path: string, body?: unknown): Promise<number> {
    const response = await this.request("POST", path, body);
    const text = await response.text();
    assert.ok([200, 404, 409].includes(response.status), `${path}: ${response.status} ${text}`);
    return response.status;
  }

  read(): Held {
    using db = new DatabaseSync(this.walk.storePath, { readOnly: true, timeout: 5_000 });
    const counts = (sql: string): Counts =>
      Object.fromEntries(db.prepare(sql).all().map(({ name, n }) => [String(name), Number(n)]));
    const edges = (event: string) =>
      counts(`
        SELECT m.channel_id || ' ' || e.destination AS name, count(*) AS n
          FROM message_events e
          JOIN messages m ON m.seq = e.message_seq
         WHERE e.event = '${event}' AND e.destination IN ('${OUTBOUNDS.join("', '")}')
         GROUP BY 1`);
    const outbox = counts(`
      SELECT status AS name, count(*) AS n FROM queue WHERE stage = 'outbound' GROUP BY 1`);
    const dispositions = counts("SELECT status AS name, count(*) AS n FROM messages GROUP BY 1");
    return {
      received: counts("SELECT channel_id AS name, count(*) AS n FROM messages GROUP BY 1"),
      errored: counts(`
        SELECT channel_id AS name, count(*) AS n FROM messages WHERE entered_as = 'error' GROUP BY 1`),
      written: edges("delivered"),
      dead: edges("dead"),
      retried: edges("failed"),
      depth: counts(`
        SELECT channel_id || ' ' || lane AS name, count(*) AS n
          FROM queue
         WHERE stage = 'outbound' AND status IN ('pending', 'inflight')
         GROUP BY 1`),
      outbox,
      open: counts(`
        SELECT 'all' AS name, count(*) AS n FROM queue WHERE status IN ('pending', 'inflight')`)
        .all!,
      messages: Object.values(dispositions).reduce((sum, n) => sum + n, 0),
      dispositions,
      deadLetters: outbox.dead ?? 0,
    };
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await this.#api[Symbol.asyncDispose]();
    await this.#stack.disposeAsync();
  }
}

interface ShownRow {
  readonly role: "source" | "destination";
  readonly channel_id: string;
  readonly destination: string | null;
  readonly read: number | null;
  readonly errored: number | null;
  readonly written: number | null;
  readonly queue_depth: number | null;
}

/** What people are shown, in the shape of what it has to be. */
async function shown(site: Site) {
  const rows = await site.get<readonly ShownRow[]>("/connections");
  const stats = await site.get<{ outbox_by_status: Counts; in_pipeline: number }>("/stats");
  const metrics = await (await site.request("GET", "/metrics")).text();
  const total = async (path: string) => (await site.get<{ total: number }>(path)).total;
  const sources = rows.filter(({ role }) => role === "source");
  const edges = rows.filter(({ role, written }) => role === "destination" && written !== null);
  const edge = ({ channel_id, destination }: ShownRow) => `${channel_id} ${destination}`;
  const of = (from: readonly ShownRow[], name: typeof edge, value: keyof ShownRow) =>
    withoutZeros(Object.fromEntries(from.map((row) => [name(row), Number(row[value])])));
  const channel = ({ channel_id }: ShownRow) => channel_id;
  const statuses = ["received", "routed", "unrouted", "filtered", "processed", "error"];
  const byStatus = await Promise.all(
    statuses.map(async (status) => [status, await total(`/messages?limit=1&status=${status}`)]),
  );
  return {
    read: of(sources, channel, "read"),
    errored: of(sources, channel, "errored"),
    written: of(edges, edge, "written"),
    dead: of(edges, edge, "errored"),
    depth: of(edges, edge, "queue_depth"),
    outbox: stats.outbox_by_status,
    open: stats.in_pipeline,
    messages: await total("/messages?limit=1"),
    dispositions: withoutZeros(Object.fromEntries(byStatus)),
    deadLetters: await total("/dead-letters?limit=1"),
    counters: {
      received: sampled(metrics, "messages_received_total"),
      errored: sampled(metrics, "messages_errored_total"),
      written: sampled(metrics, "deliveries_total"),
      dead: sampled(metrics, "deliveries_dead_total"),
      retried: sampled(metrics, "retries_total"),
      naksSent: sampled(metrics, "naks_sent_total"),
      naksReceived: sum(sampled(metrics, "naks_received_total")),
      depth: sampled(metrics, "queue_depth"),
    },
  };
}

/** Samples of one metric, by their connections. */
function sampled(text: string, metric: string): Counts {
  const lines = text.matchAll(
    new RegExp(
      `^messagefoundry_${metric}\\{connection="([^"]+)"(?:,destination="([^"]+)")?\\} (\\d+)$`,
      "gm",
    ),
  );
  return withoutZeros(Object.fromEntries(
    [...lines].map(([, connection, destination, value]) => [
      destination === undefined ? connection! : `${connection} ${destination}`,
      Number(value),
    ]),
  ));
}

function sum(counts: Counts): number {
  return Object.values(counts).reduce((total, n) => total + n, 0);
}

function since(now: Counts, then: Counts): Counts {
  return withoutZeros(
    Object.fromEntries(Object.entries(now).map(([name, n]) => [name, n - (then[name] ?? 0)])),
  );
}

function withoutZeros(counts: Counts): Counts {
  return Object.fromEntries(Object.entries(counts).filter(([, n]) => n !== 0));
}

/** What has to be shown, by the tables. */
function wanted({ began, shownFrom, naks }: Site, held: Held): Awaited<ReturnType<typeof shown>> {
  return {
    read: since(held.received, shownFrom.received),
    errored: since(held.errored, shownFrom.errored),
    written: since(held.written, shownFrom.written),
    dead: since(held.dead, shownFrom.dead),
    depth: held.depth,
    outbox: held.outbox,
    open: held.open,
    messages: held.messages,
    dispositions: held.dispositions,
    deadLetters: held.deadLetters,
    counters: {
      received: since(held.received, began.received),
      errored: since(held.errored, began.errored),
      written: since(held.written, began.written),
      dead: since(held.dead, began.dead),
      retried: since(held.retried, began.retried),
      // Every message that is refused is answered so.
      naksSent: since(held.errored, began.errored),
      naksReceived: naks.given,
      depth: held.depth,
    },
  };
}

/** Waits until nothing moves, then compares. Lanes that are stopped hold what they hold. */
async function reconcile(site: Site, what: string): Promise<Held> {
  const deadline = performance.now() + 20_000;
  let former = "";
  for (;;) {
    // A read of the engine's own brings what is answered into the tables.
    await site.walk.engine.store.totals();
    const held = site.read();
    const now = JSON.stringify(held);
    const isStill = now === former && !isMoving(site);
    former = now;
    if (isStill) {
      const [is, should] = [await shown(site), wanted(site, held)];
      const isSame = sorted(is) === sorted(should);
      if (isSame || performance.now() > deadline) {
        assert.deepEqual(is, should, what);
        return held;
      }
    }
    assert.ok(performance.now() < deadline, `${what}: it does not come to rest`);
    await pause(60);
  }
}

function isMoving({ walk: { engine: { pipeline } } }: Site): boolean {
  return [...pipeline.outbounds.values()].some((lane) =>
    lane.inFlight > 0 || (!lane.isPaused && lane.memory.openRows > 0)
  );
}

function sorted(value: unknown): string {
  return JSON.stringify(
    value,
    (_, inner) =>
      typeof inner === "object" && inner !== null && !Array.isArray(inner)
        ? Object.fromEntries(Object.entries(inner).toSorted(([a], [b]) => a < b ? -1 : 1))
        : inner,
  );
}

/** One random act; resolves when it is answered. */
async function act(site: Site, random: Random, n: number): Promise<void> {
  const dice = random.below(100);
  const outbound = random.pick(OUTBOUNDS);
  if (dice < 58) {
    const port = random.pick(site.ports);
    const letter = LETTERS[random.below(LETTERS.length)]!;
    const body = random.chance(0.08) ? "no message at all" : admission(`${letter}${n}`);
    // A source that is stopped takes nothing.
    await site.walk.exchange(port, body).catch(() => undefined);
  } else if (dice < 66) await site.act(`/connections/${outbound}/stop`);
  else if (dice < 76) await site.act(`/connections/${outbound}/start`);
  else if (dice < 80) await site.act(`/connections/${random.pick(INBOUNDS)}/restart`);
  else if (dice < 86) {
    const scope = random.chance(0.5) ? "top" : "all";
    await site.act(`/connections/${outbound}/purge?scope=${scope}`);
  } else if (dice < 90) {
    await site.act(
      "/dead-letters/replay",
      random.chance(0.5) ? {} : {
        destination_name: outbound,
      },
    );
  } else if (dice < 98) {
    const { messages } = await site.get<{ messages: { id: string }[] }>("/messages?limit=40");
    if (messages.length > 0) await site.act(`/messages/${random.pick(messages).id}/replay`);
  } else {
    // A reset while messages flow has no moment that could be told from outside.
    await reconcile(site, `before the reset of act ${n}`);
    await site.act("/statistics/reset", { all: true });
    site.shownFrom = site.read();
  }
}

for (const seed of [1, 2, 3]) {
  Deno.test(`counters are those of the store, whatever happens (plan ${seed})`, async () => {
    const random = new Random(seed);
    await using site = await Site.open(random);
    for (let n = 1; n <= ACTS; n += 1) {
      await act(site, random, n);
      if (n % LOOK_EVERY === 0) await reconcile(site, `plan ${seed}, act ${n}`);
      if (n % 60 === 0) {
        await site.restart();
        await reconcile(site, `plan ${seed}, after the restart at ${n}`);
      }
    }
    for (const outbound of OUTBOUNDS) await site.act(`/connections/${outbound}/start`);
    const { messages, dispositions, outbox, open } = await reconcile(site, `plan ${seed}, the end`);
    assert.equal(open, 0, "nothing is stuck");
    assert.equal(dispositions.received ?? 0, 0, "and every message has its disposition");
    assert.ok(
      messages > ACTS / 3 && (outbox.dead ?? 0) + (outbox.cancelled ?? 0) > 0,
      "it did work",
    );
    assert.ok((outbox.done ?? 0) > 20);
  });
}
