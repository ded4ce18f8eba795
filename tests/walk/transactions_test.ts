/**
 * No transaction and no connection to the store is held while author code runs or a partner is
 * waited for (I16).
 *
 * Method: one message's handler takes a second and its partner another; all the while the store's
 * database is asked from outside. On SQLite whoever wants the write lock gets it; on PostgreSQL no
 * session of the engine has a transaction or a lock. Then more lanes wait for their partners than
 * the store has connections, and one more works.
 */
import assert from "node:assert/strict";
import { DatabaseSync } from "node:sqlite";
import { ScriptedPartner } from "../connectors/scripted_partner.ts";
import { freePort, pause, until } from "../connectors/waiting.ts";
import { hasPostgres, PostgresServer } from "../postgres/server.ts";
import { admission, answered, Walk } from "./bench.ts";

const SAMPLE_MS = 10;
/** A commit that has nothing to do with the message takes no longer, on a busy machine too. */
const COMMIT_MS = 400;
const STEP_MS = 1_000;
/** Looks that a step is worth nothing without. */
const LOOKS_MIN = 10;
const WAITING_LANES = 12;

/** Looks at the database for as long as it is told to; keeps how long it was held at a stretch. */
class Watch implements AsyncDisposable {
  looks = 0;
  longestHeldMs = 0;
  readonly #isHeld: () => Promise<boolean>;
  readonly #running: Promise<void>;
  #isOver = false;

  constructor(isHeld: () => Promise<boolean>) {
    this.#isHeld = isHeld;
    this.#running = this.#run();
  }

  async #run(): Promise<void> {
    let freeAt = performance.now();
    while (!this.#isOver) {
      if (await this.#isHeld()) {
        this.longestHeldMs = Math.max(this.longestHeldMs, performance.now() - freeAt);
      } else freeAt = performance.now();
      this.looks += 1;
      await pause(SAMPLE_MS);
    }
  }

  async [Symbol.asyncDispose](): Promise<void> {
    this.#isOver = true;
    await this.#running;
  }
}

function graphText(ports: {
  readonly slow: number;
  readonly quick: number;
  readonly partner: number;
  readonly silent: number;
}): string {
  return `
    import { handler, inbound, mllp, outbound, router, send } from "messagefoundry";
    const lab = outbound("OB_LAB", mllp({ host: "127.0.0.1", port: ${ports.partner} }));
    const quick = outbound("OB_QUICK", mllp({ host: "127.0.0.1", port: ${ports.partner} }));
    const waiting = Array.from({ length: ${WAITING_LANES} }, (_, index) =>
      outbound("OB_WAITS_" + index, mllp({ host: "127.0.0.1", port: ${ports.silent} })));
    let speed = 0;
    const labour = handler("labour", (msg) => {
      let work = 0;
      for (let step = 0; step < Number(msg.get("PID-2")); step += 1) work = (work + step * 7) % 1_000_003;
      return send(lab, msg.set("MSH-4", work >= 0 ? "DONE" : ""));
    });
    const pass = handler("pass", (msg) => send(quick, msg));
    const spread = handler("spread", (msg) => waiting.map((lane) => send(lane, msg)));
    inbound("IB_SLOW", mllp({ port: ${ports.slow} }), { router: router("slowly", () => labour) });
    inbound("IB_QUICK", mllp({ port: ${ports.quick} }), {
      router: router("quickly", (msg) => msg.get("PID-3").startsWith("W") ? spread : pass),
    });
  `;
}

/** The store's database as others see it. */
interface Onlooker extends AsyncDisposable {
  /** Whether a transaction of the engine keeps anybody from the store now. */
  isHeld(): Promise<boolean>;
  /** Runs while somebody has a transaction open, as the engine would. */
  whileHeld(act: () => Promise<void>): Promise<void>;
}

async function testTransactions(
  settings: string,
  openOnlooker: (walk: Walk) => Onlooker,
): Promise<void> {
  let release = Promise.withResolvers<void>();
  await using partner = await ScriptedPartner.start();
  await using silent = await ScriptedPartner.start({ otherwise: { do: "silence" } });
  const [slow, quick] = [await freePort(), await freePort()];
  const ports = { slow, quick, partner: partner.port, silent: silent.port };
  await using walk = await Walk.open({ graph: graphText(ports), settings });
  await using database = openOnlooker(walk);
  await database.whileHeld(async () => assert.ok(await database.isHeld(), "it would be seen"));

  const steps = await stepsOfASecond(walk, slow);

  partner.otherwise = () => ({ do: "ack", when: release.promise });
  const frames = partner.received.length;
  {
    await using inCode = new Watch(() => database.isHeld());
    const startedAt = performance.now();
    assert.equal(
      answered(await walk.exchange(slow, admission("A1", { sequence: steps }))).code,
      "AA",
    );
    await partner.waitForFrames(frames + 1, 20_000);
    const tookMs = performance.now() - startedAt;
    assert.ok(tookMs > STEP_MS / 3, `the handler took ${tookMs} ms`);
    assert.ok(inCode.looks > LOOKS_MIN, `${inCode.looks} looks`);
    assert.ok(inCode.longestHeldMs < COMMIT_MS, `in code: held for ${inCode.longestHeldMs} ms`);
  }
  {
    await using onWire = new Watch(() => database.isHeld());
    await pause(STEP_MS);
    assert.ok(onWire.looks > LOOKS_MIN, `${onWire.looks} looks`);
    assert.ok(onWire.longestHeldMs < COMMIT_MS, `on the wire: held for ${onWire.longestHeldMs} ms`);
  }
  release.resolve();
  await walk.disposition("A1", "processed");
  release = Promise.withResolvers();
  release.resolve();

  await walk.exchange(quick, admission("W1"));
  await until(() => silent.received.length === WAITING_LANES, "every lane to wait", 20_000);
  const before = performance.now();
  await walk.exchange(quick, admission("Q1"));
  await walk.disposition("Q1", "processed");
  await walk.summaries();
  const tookMs = performance.now() - before;
  assert.ok(tookMs < 3_000, `${tookMs} ms beside ${WAITING_LANES} lanes that wait`);
  assert.equal((await walk.message("W1")).status, "routed");
  // Lanes that back off are stopped at once.
  silent.hangUp();
}

/** How much work of an author takes a second on this machine, once it is compiled. */
async function stepsOfASecond(walk: Walk, port: number): Promise<number> {
  const steps = 4_000_000;
  let leastMs = Infinity;
  for (const id of ["CALIBRATE1", "CALIBRATE2"]) {
    const startedAt = performance.now();
    await walk.exchange(port, admission(id, { sequence: steps }));
    await walk.disposition(id, "processed");
    leastMs = Math.min(leastMs, performance.now() - startedAt);
  }
  return Math.round(steps / leastMs * STEP_MS);
}

Deno.test("SQLite: no transaction is open while a handler runs or a partner is waited for", async () => {
  await testTransactions("", ({ storePath }) => {
    const [db, other] = [0, 1].map(() => new DatabaseSync(storePath, { timeout: 0 }));
    return {
      async isHeld() {
        try {
          db!.exec("BEGIN IMMEDIATE; ROLLBACK");
          return false;
        } catch (thrown) {
          assert.match(String(thrown), /locked/);
          return true;
        }
      },
      async whileHeld(act) {
        other!.exec("BEGIN IMMEDIATE");
        await act();
        other!.exec("ROLLBACK");
      },
      async [Symbol.asyncDispose]() {
        db!.close();
        other!.close();
      },
    };
  });
});

if (hasPostgres()) {
  Deno.test("PostgreSQL: no transaction is open while a handler runs or a partner is waited for", async () => {
    await using server = await PostgresServer.start();
    const settings = `backend = "postgres"\nserver = "127.0.0.1"\nport = ${server.port}\n` +
      `database = "postgres"\nusername = "postgres"\nencrypt = false\ndb_schema = "engine"\n`;
    const anywhere = { schema: undefined };
    // A session for each look would cost more than the look, and a busy machine would see little.
    await server.ask(anywhere, (eye) =>
      testTransactions(settings, () => ({
        async isHeld() {
          const { rows: [row] } = await eye.ask(`
            SELECT count(*)::integer AS held FROM pg_stat_activity a
             WHERE a.application_name LIKE 'messagefoundry%' AND a.pid <> pg_backend_pid()
               AND a.backend_type = 'client backend'
               AND (a.xact_start IS NOT NULL
                    OR EXISTS (SELECT 1 FROM pg_locks l
                                WHERE l.pid = a.pid AND l.locktype <> 'advisory'))`);
          return Number(row!.held) > 0;
        },
        async whileHeld(act) {
          await server.ask(anywhere, async (it) => {
            await it.ask("BEGIN");
            await it.ask("SELECT 1");
            await act();
            await it.ask("ROLLBACK");
          });
        },
        async [Symbol.asyncDispose]() {},
      })));
  });
}
