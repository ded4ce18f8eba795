/**
 * Memory, log and tables say the same together as the tables would alone.
 *
 * Goal: whatever was in memory only when a process ended is in the tables after the next opening,
 * and every answer is the one the tables would have given.
 * Method: two stores get the same random batches. One brings everything into its tables at once; the
 * other when it likes, and its process ends now and then without a word.
 */
import assert from "node:assert/strict";
import type { DatabaseSync } from "node:sqlite";
import fc from "fast-check";
import type { HandOffResult, ReceiveResult } from "../../../src/store/intent_results.ts";
import type { Intent, NewMessage } from "../../../src/store/intents.ts";
import { CommitLog } from "../../../src/store/sqlite/commit_log.ts";
import { openDatabase, type OpenedDatabase } from "../../../src/store/sqlite/database.ts";
import { Session } from "../../../src/store/sqlite/session.ts";
import { Writer } from "../../../src/store/sqlite/writer.ts";
import { assertWhole, Folder, inspect } from "./bench.ts";
import { keylessCells } from "../../../src/crypto/cells.ts";
import { AuditLog } from "../../../src/store/sqlite/registers/audit_log.ts";

class Twin {
  readonly path: string;
  #opened!: OpenedDatabase;
  #log!: CommitLog;
  writer!: Writer;

  constructor(path: string) {
    this.path = path;
    this.open();
  }

  open(): void {
    const opened = openDatabase({ path: this.path, synchronous: "normal", now: 1 });
    this.#opened = opened;
    this.#log = new CommitLog({ ...opened.log, nextId: opened.nextFrame });
    const session = new Session(opened.db, opened.nextSeq);
    this.writer = new Writer({
      session,
      log: this.#log,
      audit: new AuditLog(session.db, keylessCells),
      isSyncing: false,
      tidyMessages: 2,
    });
  }

  /** Ends as a killed process does: nothing more is written. */
  end(): void {
    this.#opened.db.close();
    this.#log.close();
    this.#opened.unlock();
  }
}

/** A row somebody may go on with. */
interface Known {
  readonly seq: number;
  readonly messageSeq: number;
  readonly token: number;
  readonly stage: "ingress" | "outbound";
}

type Step =
  | { readonly do: "receive"; readonly isHot: boolean }
  | { readonly do: "act"; readonly which: number; readonly how: number }
  | { readonly do: "fail"; readonly isAlone: boolean }
  | { readonly do: "look" | "tidy" | "tidy a bit" | "crash" };

const step: fc.Arbitrary<Step> = fc.oneof(
  { weight: 4, arbitrary: fc.record({ do: fc.constant("receive" as const), isHot: fc.boolean() }) },
  {
    weight: 10,
    arbitrary: fc.record({
      do: fc.constant("act" as const),
      which: fc.nat(1_000),
      how: fc.nat(1_000),
    }),
  },
  { weight: 2, arbitrary: fc.constantFrom<Step>({ do: "look" }, { do: "tidy" }, { do: "crash" }) },
  { weight: 4, arbitrary: fc.constant<Step>({ do: "tidy a bit" }) },
  { weight: 1, arbitrary: fc.record({ do: fc.constant("fail" as const), isAlone: fc.boolean() }) },
);

class Story {
  readonly #known: Known[] = [];
  #token = 1;
  #message = 0;

  /** The intents of one step, the same for both stores. */
  intentsOf(step: Step): Intent[] {
    switch (step.do) {
      case "receive": {
        const message = this.#next();
        const token = step.isHot ? this.#token++ : undefined;
        return this.#message % 7 === 0
          ? [{ kind: "record_error", message, error: "no" }]
          : [{ kind: "receive", message, token }];
      }
      case "fail": {
        const message = { ...this.#next(), receivedAt: 0.5 };
        const bad = { kind: "receive", message, token: undefined } as const;
        if (step.isAlone) return [bad];
        return [bad, { kind: "receive", message: this.#next(), token: this.#token++ }];
      }
      case "look": {
        const lane = { stage: "outbound", lane: "OB_0" } as const;
        return [{
          ...{ kind: "claim", ...lane, limit: 1, readAhead: 3, token: this.#token++, after: 0 },
          ...{ unordered: false, at: 5, attemptsMax: undefined },
        }];
      }
      case "act": {
        const row = this.#known[step.which % Math.max(1, this.#known.length)];
        return row === undefined ? [] : [this.#act(row, step.how)];
      }
      default:
        return [];
    }
  }

  #next(): NewMessage {
    const number = this.#message += 1;
    return {
      ...{ id: `m${number}`, channel: `IB_${number % 2}`, receivedAt: 1, sourceType: "mllp" },
      ...{ controlId: `C${number}`, messageType: undefined, raw: `raw ${number}` },
    };
  }

  #act(row: Known, how: number): Intent {
    const base = { at: 2, seq: row.seq, token: row.token, messageSeq: row.messageSeq };
    if (row.stage === "ingress") {
      const count = how % 3;
      const deliveries = Array.from({ length: count }, (_, index) => ({
        destination: `OB_${index}`,
        handler: "h",
        payload: how % 2 ? `payload ${how}` : undefined,
        token: how % 5 ? this.#token++ : undefined,
      }));
      const state = how % 4 ? [] : [{ namespace: "n", key: `k${how % 3}`, value: String(how) }];
      const failures = how % 6 ? [] : [{ handler: "broken", error: "Error: x" }];
      const handlers = count + failures.length;
      return { kind: "hand_off", ...base, channel: "IB", handlers, deliveries, failures, state };
    }
    const other = this.#known[how % this.#known.length]!;
    const next = how % 2 && other.seq !== row.seq
      ? { seq: other.seq, token: this.#token++ }
      : undefined;
    const destination = "OB";
    switch (how % 5) {
      case 0:
        return { kind: "retry", ...base, destination, dueAt: 3, error: "later" };
      case 1:
        return { kind: "dead_letter", ...base, destination, error: "AR", next };
      case 2:
        return { kind: "release", ...base };
      case 3:
        return { kind: "claim_row", at: 2, seq: row.seq, token: this.#token++ };
      default:
        return { kind: "complete", ...base, destination, next };
    }
  }

  note(intent: Intent, result: unknown): void {
    if (intent.kind === "receive") {
      const { seq, messageSeq } = result as ReceiveResult;
      this.#known.push({ seq, messageSeq, token: intent.token ?? 0, stage: "ingress" });
    }
    if (intent.kind === "hand_off") {
      const { seqs } = result as HandOffResult;
      for (const [index, seq] of seqs.entries()) {
        const token = intent.deliveries[index]!.token ?? 0;
        this.#known.push({ seq, messageSeq: intent.messageSeq, token, stage: "outbound" });
      }
    }
  }
}

const tables = ["messages", "bodies", "queue", "message_events", "state"];

function dump(db: DatabaseSync): unknown {
  return tables.map((table) =>
    db.prepare(`SELECT * FROM ${table} ORDER BY 1, 2`).all().map((row) => ({ ...row }))
  );
}

Deno.test("memory, log and tables say together what the tables would say alone", async () => {
  await fc.assert(
    fc.asyncProperty(
      fc.array(step, { minLength: 5, maxLength: 120, size: "max" }),
      async (steps) => {
        await using folder = new Folder();
        const lazy = new Twin(folder.file("lazy.db"));
        const eager = new Twin(folder.file("eager.db"));
        const story = new Story();
        try {
          for (const step of steps) {
            if (step.do === "tidy") lazy.writer.behind.tidyOld();
            if (step.do === "tidy a bit") lazy.writer.behind.tidy(() => true);
            if (step.do === "crash") {
              for (const twin of [lazy, eager]) {
                twin.end();
                twin.open();
              }
            }
            const intents = story.intentsOf(step);
            if (intents.length === 0) continue;
            const outcomes = eager.writer.run(intents);
            eager.writer.behind.storeAll();
            assert.deepEqual(lazy.writer.run(intents), outcomes);
            for (const [index, outcome] of outcomes.entries()) {
              if ("result" in outcome) story.note(intents[index]!, outcome.result);
            }
          }
          lazy.end();
          lazy.open();
          eager.end();
          eager.open();
          const [mine, wanted] = [lazy, eager].map(({ path }) => inspect(path, dump));
          assert.deepEqual(mine, wanted);
          inspect(lazy.path, (db) => assertWhole(db));
        } finally {
          lazy.end();
          eager.end();
        }
      },
    ),
    { numRuns: 60 },
  );
});
