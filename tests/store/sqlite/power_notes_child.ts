/**
 * Looks at messages and tells the audit log of it, while messages move, for a disk that is traced.
 *
 * Arguments: path, synchronous, rounds. Says `{"submits":N}` of an act before it is submitted and
 * `{"answered":N}` when it is answered; its audit row has the number. Ends without a word.
 */
import type { SqliteStore } from "../../../src/store/sqlite/store.ts";
import { openStore } from "./bench.ts";

const AT_ONCE = 3;

async function main([path, synchronous, rounds]: readonly string[]): Promise<void> {
  for (const life of [0, 1]) {
    const store = await openStore(path!, { synchronous: synchronous as "normal" | "full" });
    for (let round = 0; round < Number(rounds); round += 1) {
      const first = (life * Number(rounds) + round) * AT_ONCE;
      const id = first.toString(16).padStart(32, "0");
      await receive(store, id);
      await Promise.all(
        Array.from({ length: AT_ONCE }, (_, index) => act(store, { id, number: first + index })),
      );
      // A read has everything brought into the tables.
      if (round % 5 === 4) await store.totals();
      if (round % 7 === 6) await store.upkeep.checkpoint({ commitLog: true });
    }
    if (life === 1) Deno.kill(Deno.pid, "SIGKILL");
    await store[Symbol.asyncDispose]();
  }
}

function receive(store: SqliteStore, id: string) {
  const message = {
    ...{ id, channel: "IB_A", receivedAt: 1, sourceType: "mllp", raw: `MSH|^~\\&|${id}\r` },
    ...{ controlId: undefined, messageType: undefined },
  };
  return store.submit({ kind: "receive", message, token: undefined });
}

/** A look at a message, an act that is only told, or a change of a register, in turn. */
async function act(store: SqliteStore, { id, number }: { id: string; number: number }) {
  const told = { at: number, actor: "ann", channel: null };
  say({ submits: number });
  if (number % 3 === 0) {
    const audit = { ...told, action: "message_viewed", detail: { number } };
    await store.submit({ kind: "note_event", id, event: "viewed", at: number, audit });
  } else {
    const changes = number % 3 === 1
      ? []
      : [{ name: "createRole" as const, values: [`r${number}`, "a role", null, "[]", number] }];
    const detail = JSON.stringify({ number });
    const audit = [{ ...told, action: "told", detail }];
    await store.submit({ kind: "register", changes, audit });
  }
  say({ answered: number });
}

function say(what: unknown): void {
  Deno.stdout.writeSync(new TextEncoder().encode(`${JSON.stringify(what)}\n`));
}

if (import.meta.main) await main(Deno.args);
