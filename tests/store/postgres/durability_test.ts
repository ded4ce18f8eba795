/**
 * What was answered outlives a server that loses its memory, also where the server was told not to
 * wait for its disk (I2).
 *
 * Method: a server whose every session commits without waiting and that writes its log itself only
 * after ten seconds; it is killed the moment the store has answered. A commit of a plain session
 * tells that this loses what nobody waited for.
 */
import assert from "node:assert/strict";
import type { NewMessage } from "../../../src/store/intents.ts";
import { hasPostgres, PostgresServer } from "../../postgres/server.ts";
import { openStore } from "./bench.ts";

const ROUNDS = 5;
const TOGETHER = 8;

if (hasPostgres()) {
  Deno.test("a store's commit is on the server's disk, whatever the server's setting", async () => {
    await using server = await PostgresServer.start({
      settings: ["synchronous_commit=off", "wal_writer_delay=10000"],
    });
    const options = server.options();
    await using store = await openStore(options, { patienceMs: 15_000 });
    await server.ask(options, (it) => it.ask("CREATE TABLE plain (round integer)"));
    const answered: string[] = [];
    for (let round = 1; round <= ROUNDS; round += 1) {
      const messages = Array.from({ length: TOGETHER }, (_, index) => messageOf(round, index));
      await Promise.all(
        messages.map((message) => store.submit({ kind: "receive", message, token: undefined })),
      );
      answered.push(...messages.map(({ id }) => id));
      await server.ask(options, (it) => it.ask(`INSERT INTO plain VALUES (${round})`));
      await server.down("SIGKILL");
      await server.up();
      const { messages: stored } = await store.messages({}, { limit: 1_000, offset: 0 });
      assert.deepEqual(stored.map(({ id }) => id).toSorted(), answered.toSorted());
    }
    const { rows } = await server.ask(options, (it) => it.ask("SELECT round FROM plain"));
    assert.ok(rows.length < ROUNDS, "no commit was ever lost: this tells nothing");
    assert.deepEqual(await store.checkIntegrity(), { ok: true, detail: "ok" });
  });
}

function messageOf(round: number, index: number): NewMessage {
  return {
    id: `${round}${index}`.padStart(32, "0"),
    channel: "IB_ADT",
    receivedAt: 1,
    sourceType: "mllp",
    controlId: undefined,
    messageType: undefined,
    raw: `MSH|${round}|${index}\r`,
  };
}
