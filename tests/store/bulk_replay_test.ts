/**
 * A replay of all dead letters takes place as a whole or not at all, and touches dead deliveries and
 * nothing else (I38): wherever in its rows the database refuses, and when the process dies around
 * its commit.
 */
import assert from "node:assert/strict";
import { StoreError } from "../../src/store/errors.ts";
import type { ServerOptions } from "../../src/store/server/dialect.ts";
import type { Store } from "../../src/store/store.ts";
import { within } from "../connectors/waiting.ts";
import { delivery, StoreBench } from "../contract/store/bench.ts";
import { hasPostgres, PostgresServer } from "../postgres/server.ts";
import { bulkReplay } from "./bulk_replay_child.ts";
import { openStore as openPostgres } from "./postgres/bench.ts";
import { Folder, inspect, inspectRecovered, openStore as openSqlite } from "./sqlite/bench.ts";

const MESSAGES = 12;
/** What a replay may write to. */
const tables = ["queue", "messages", "message_events", "audit_log", "totals"] as const;
type Table = (typeof tables)[number];
type Rows = readonly Readonly<Record<string, unknown>>[];
type Contents = Readonly<Record<Table, Rows>>;

/** A database that can be looked into, and made to refuse. */
interface Place extends AsyncDisposable {
  open(): Promise<Store>;
  rows(table: Table): Promise<Rows>;
  /** Has the change of a row fail that `column = value` holds for; `undefined` of any row. */
  refuse(table: Table, on: "INSERT" | "UPDATE", column?: string, value?: number): Promise<void>;
  allow(table: Table): Promise<void>;
  /** What tells a process of its own where it is. */
  readonly argument: Readonly<Record<string, unknown>>;
}

class SqlitePlace implements Place {
  readonly #folder = new Folder();
  readonly #path = this.#folder.file();
  readonly argument = { path: this.#path };

  open(): Promise<Store> {
    return openSqlite(this.#path);
  }

  rows(table: Table): Promise<Rows> {
    const read = `SELECT * FROM ${table}`;
    return Promise.resolve(inspectRecovered(this.#path, (db) => db.prepare(read).all()));
  }

  refuse(table: Table, on: string, column?: string, value?: number): Promise<void> {
    const when = column === undefined ? "" : `WHEN NEW.${column} = ${value}`;
    return this.#run(`CREATE TRIGGER refusing BEFORE ${on} ON ${table} ${when}
      BEGIN SELECT RAISE(ABORT, 'refused'); END`);
  }

  allow(): Promise<void> {
    return this.#run("DROP TRIGGER refusing");
  }

  #run(text: string): Promise<void> {
    return Promise.resolve(inspect(this.#path, (db) => db.exec(text)));
  }

  [Symbol.asyncDispose](): Promise<void> {
    return this.#folder[Symbol.asyncDispose]();
  }
}

class PostgresPlace implements Place {
  readonly #server: PostgresServer;
  readonly #options: ServerOptions;
  readonly argument: { readonly server: ServerOptions };

  constructor(server: PostgresServer) {
    this.#server = server;
    this.#options = server.options();
    this.argument = { server: this.#options };
  }

  open(): Promise<Store> {
    return openPostgres(this.#options);
  }

  async rows(table: Table): Promise<Rows> {
    return (await this.#server.ask(this.#options, (it) => it.ask(`SELECT * FROM ${table}`))).rows;
  }

  async refuse(table: Table, on: string, column?: string, value?: number): Promise<void> {
    const when = column === undefined ? "" : `WHEN (NEW.${column} = ${value})`;
    await this.#run(`CREATE OR REPLACE FUNCTION refuse() RETURNS trigger LANGUAGE plpgsql AS $$
      BEGIN RAISE EXCEPTION 'refused' USING ERRCODE = '23514'; END $$`);
    await this.#run(`CREATE TRIGGER refusing BEFORE ${on} ON ${table}
      FOR EACH ROW ${when} EXECUTE FUNCTION refuse()`);
  }

  allow(table: Table): Promise<void> {
    return this.#run(`DROP TRIGGER refusing ON ${table}`);
  }

  async #run(text: string): Promise<void> {
    await this.#server.ask(this.#options, (it) => it.ask(text));
  }

  [Symbol.asyncDispose](): Promise<void> {
    return this.#server.drop(this.#options.schema!);
  }
}

function testBulkReplay(name: string, placeOf: () => Place): void {
  Deno.test(`${name}: a replay of all dead letters that fails half-way changes nothing`, async () => {
    await using place = placeOf();
    await using bench = await benchOf(place);
    const dead = await fill(bench);
    const before = await contentsOf(place);
    assert.equal(dead.length, MESSAGES);
    const [first, middle, last] = [dead[0]!, dead[MESSAGES >> 1]!, dead.at(-1)!];
    for (
      const [table, on, column, value] of [
        ["queue", "UPDATE", "seq", first.seq],
        ["queue", "UPDATE", "seq", middle.seq],
        ["queue", "UPDATE", "seq", last.seq],
        ["messages", "UPDATE", "seq", middle.messageSeq],
        ["message_events", "INSERT", "message_seq", last.messageSeq],
        ["audit_log", "INSERT", undefined, undefined],
      ] as const
    ) {
      const where = `${table} ${column} ${value}`;
      await place.refuse(table, on, column, value);
      await assert.rejects(bench.store.submit(bulkReplay), StoreError, where);
      await place.allow(table);
      assert.deepEqual(await contentsOf(place), before, where);
    }
    // A neighbour in the same commit is not held back by it.
    await place.refuse("queue", "UPDATE", "seq", middle.seq);
    const [refused, received] = await Promise.allSettled([
      bench.store.submit(bulkReplay),
      bench.receiveCold(),
    ]);
    assert.deepEqual([refused.status, received.status], ["rejected", "fulfilled"]);
    await place.allow("queue");

    const { requeued } = await bench.store.submit(bulkReplay);
    assert.equal(requeued, MESSAGES);
    await bench.store.totals();
    assertReplayed(before, await contentsOf(place), new Set(dead.map(({ seq }) => seq)));
  });

  Deno.test(`${name}: a process that dies in a replay of all dead letters has made it whole or not at all`, async () => {
    await using place = placeOf();
    const dead = await (async () => {
      await using bench = await benchOf(place);
      return await fill(bench);
    })();
    const before = await contentsOf(place);
    for (const point of ["inside_batch", "before_commit"]) {
      await dieAt(place, `store.${point}.replay_dead`);
      assert.deepEqual(await contentsOf(place), before, point);
    }
    await dieAt(place, "store.after_commit.replay_dead");
    assertReplayed(before, await contentsOf(place), new Set(dead.map(({ seq }) => seq)));
  });
}

function benchOf(place: Place): Promise<StoreBench> {
  return StoreBench.open({
    name: "",
    open: () => place.open(),
    reopen: () => place.open(),
    remove: async () => {},
  });
}

interface Dead {
  readonly seq: number;
  readonly messageSeq: number;
}

/** Messages with a dead delivery each, and beside it a delivered one, a waiting one, a dead handler. */
async function fill(bench: StoreBench): Promise<readonly Dead[]> {
  const dead: Dead[] = [];
  for (let index = 0; index < MESSAGES; index += 1) {
    const held = await bench.receive({ channel: `IB_${index % 3}` });
    await bench.handOff(held, {
      deliveries: ["OB_DEAD", "OB_DONE", "OB_WAITS"].map((name) => delivery(name)),
      failures: [{ handler: "h", error: "failed" }],
    });
    const row = await bench.take("outbound", "OB_DEAD");
    await bench.bury(row, "OB_DEAD");
    await bench.complete(await bench.take("outbound", "OB_DONE"), "OB_DONE");
    dead.push({ seq: row.seq, messageSeq: row.messageSeq });
  }
  await bench.store.totals();
  return dead;
}

async function contentsOf(place: Place): Promise<Contents> {
  const contents: Partial<Record<Table, Rows>> = {};
  for (const table of tables) {
    const rows = (await place.rows(table)).map((row) => ({ ...row }));
    contents[table] = rows.toSorted((a, b) => keyOf(a).localeCompare(keyOf(b)));
  }
  return contents as Contents;
}

/** Tables have one of these, or are told apart by all they say. */
function keyOf(row: Rows[number]): string {
  return String(row.seq ?? row.id ?? JSON.stringify(row)).padStart(20, "0");
}

/** The dead deliveries wait, their messages are on their way, each has an event; all else is as it was. */
function assertReplayed(before: Contents, after: Contents, dead: ReadonlySet<number>): void {
  const others = (rows: Rows) => rows.filter(({ seq }) => !dead.has(Number(seq)));
  const isOld = new Set(before.messages.map(({ seq }) => Number(seq)));
  const ofOld = (rows: Rows) => rows.filter((row) => isOld.has(Number(row.message_seq ?? row.seq)));
  assert.deepEqual(others(ofOld(after.queue)), others(before.queue));
  for (const { seq, status, attempts, last_error } of after.queue) {
    if (!dead.has(Number(seq))) continue;
    assert.deepEqual([status, Number(attempts), last_error], ["pending", 0, null]);
  }
  for (const { status } of ofOld(after.messages)) assert.equal(status, "routed");
  const events = ofOld(after.message_events);
  assert.deepEqual(events.slice(0, before.message_events.length), before.message_events);
  const added = events.slice(before.message_events.length);
  assert.deepEqual(added.map(({ event }) => event), Array(dead.size).fill("replayed"));
  assert.equal(new Set(added.map(({ message_seq }) => message_seq)).size, dead.size);
  const rows = after.audit_log.slice(before.audit_log.length);
  assert.deepEqual(rows.map(({ action }) => action), ["dead_letter_replay"]);
  assert.match(String(rows[0]!.detail), new RegExp(`"requeued":${dead.size}`));
}

async function dieAt({ argument }: Place, failpoints: string): Promise<void> {
  const entry = new URL("./bulk_replay_child.ts", import.meta.url).pathname;
  const child = new Deno.Command(Deno.execPath(), {
    args: [
      ...["run", "--quiet", "--no-check", "--allow-read", "--allow-write"],
      ...["--allow-net=127.0.0.1", "--allow-env", "--allow-sys"],
      ...[entry, JSON.stringify({ ...argument, failpoints })],
    ],
    stdin: "null",
    stdout: "null",
    stderr: "inherit",
  }).spawn();
  const { signal } = await within(child.status, "the child to die", 30_000);
  assert.equal(signal, "SIGKILL", failpoints);
}

testBulkReplay("SQLite", () => new SqlitePlace());

if (hasPostgres()) {
  const server = await PostgresServer.start();
  globalThis.addEventListener("unload", () => server.kill());
  testBulkReplay("PostgreSQL", () => new PostgresPlace(server));
}
