/**
 * An engine with 1,500 lanes on which nothing happens asks its store fewer than five statements a
 * second (I72), the writer's and the readers' together.
 */
import assert from "node:assert/strict";
import { freePort, pause, until } from "../connectors/waiting.ts";
import { hasPostgres, PostgresServer } from "../postgres/server.ts";
import { ReaderQueries } from "../../src/store/sqlite/reader_queries.ts";
import { Walk } from "./bench.ts";

const EACH = 750;
/** What comes with the start is not idle. */
const SETTLED_MS = 1_000;
const WATCHED_MS = 3_000;
const PER_SECOND_MAX = 5;

/** As many inbounds as outbounds. Partners are never called, for nothing is sent. */
async function graphText(): Promise<string> {
  const ports: number[] = [];
  for (let index = 0; index < EACH; index += 1) ports.push(await freePort());
  return `
    import { handler, inbound, mllp, outbound, router, send } from "messagefoundry";
    const ports = ${JSON.stringify(ports)};
    for (const [index, port] of ports.entries()) {
      const out = outbound("OB_" + index, mllp({ host: "127.0.0.1", port: 1 }));
      const pass = handler("pass_" + index, (msg) => send(out, msg));
      inbound("IB_" + index, mllp({ port }), { router: router("route_" + index, () => pass) });
    }
  `;
}

/** Statements a second, by a count that is read before and after. */
async function perSecond(walk: Walk, count: () => Promise<number>): Promise<number> {
  const { inbounds, outbounds } = walk.engine.pipeline;
  assert.deepEqual([inbounds.size, outbounds.size], [EACH, EACH]);
  await until(
    () => [...inbounds.values()].every(({ state }) => state === "running"),
    "every inbound to listen",
    20_000,
  );
  await pause(SETTLED_MS);
  const [from, at] = [await count(), performance.now()];
  await pause(WATCHED_MS);
  return (await count() - from) / ((performance.now() - at) / 1_000);
}

Deno.test("SQLite: 1,500 quiet lanes ask fewer than five statements a second", async () => {
  let reads = 0;
  const { ask } = ReaderQueries.prototype;
  ReaderQueries.prototype.ask = function (...given) {
    reads += 1;
    return ask.apply(this, given);
  };
  try {
    await using walk = await Walk.open({ graph: await graphText() });
    const { store } = walk.engine;
    const rate = await perSecond(walk, async () => (await store.counters()).statements + reads);
    assert.ok(rate < PER_SECOND_MAX, `${rate} statements a second`);
  } finally {
    ReaderQueries.prototype.ask = ask;
  }
});

if (hasPostgres()) {
  Deno.test("PostgreSQL: 1,500 quiet lanes ask fewer than five statements a second", async () => {
    await using server = await PostgresServer.start({
      settings: ["shared_preload_libraries=pg_stat_statements"],
    });
    const ask = (text: string) => server.ask({ schema: undefined }, (it) => it.ask(text));
    await ask("CREATE EXTENSION pg_stat_statements");
    const settings = `backend = "postgres"\nserver = "127.0.0.1"\nport = ${server.port}\n` +
      `database = "postgres"\nusername = "postgres"\nencrypt = false\ndb_schema = "engine"\n`;
    await using walk = await Walk.open({ graph: await graphText(), settings });
    const rate = await perSecond(walk, async () => {
      const { rows: [row] } = await ask(`
        SELECT coalesce(sum(calls), 0)::integer AS calls FROM pg_stat_statements
         WHERE query NOT LIKE '%pg_stat_statements%'`);
      return Number(row!.calls);
    });
    assert.ok(rate < PER_SECOND_MAX, `${rate} statements a second`);
  });
}
