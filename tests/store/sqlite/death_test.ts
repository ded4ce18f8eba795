/** What the engine's thread sees when a thread of the store ends. */
import assert from "node:assert/strict";
import { defaultGroupCommit } from "../../../src/store/group_commit.ts";
import type { Intent } from "../../../src/store/intents.ts";
import { within } from "../../connectors/waiting.ts";
import { Folder, openStore } from "./bench.ts";

const groupCommit = { ...defaultGroupCommit, gatherMs: 60_000, gatherMax: 100 };
const writer = new URL("./dying_writer_worker.ts", import.meta.url);

// Goal: nobody waits for ever, and nobody is told "stored", once the writer is gone.
// Method: one batch on its way, another one still gathered, reads, and what comes after.
Deno.test("SqliteStore fails whatever a dead writer held, and all that comes after", async () => {
  await using folder = new Folder();
  const path = folder.file();
  const store = await openStore(path, { writer, groupCommit });
  const sent = [store.submit(note(1)), store.submit(note(2))];
  store.flush();
  // A lane that marches and never comes keeps what follows on this side.
  store.march(1);
  const gathered = Array.from({ length: 8 }, (_, index) => store.submit(note(3 + index)));
  const outcomes = await within(
    Promise.allSettled([...sent, ...gathered]),
    "every submitter to be answered",
  );
  for (const outcome of outcomes) {
    assert.ok(outcome.status === "rejected");
    assert.equal(outcome.reason.code, "store.failed");
    assert.match(outcome.reason.hint, /nothing acknowledged is lost/);
  }
  await assert.rejects(within(store.submit(note(20)), "a refusal"), { code: "store.failed" });
  await assert.rejects(within(store.counters(), "a refusal"), { code: "store.failed" });
  await assert.rejects(within(store.message("1"), "a refusal"), { code: "store.failed" });
  await within(store[Symbol.asyncDispose](), "the store to close");

  await using again = await openStore(path);
  assert.equal((await again.totals()).messages, 0);
});

function note(number: number): Intent {
  return { kind: "note_event", id: String(number), event: "viewed", at: number };
}
