/**
 * Retention against everything else, and SIGKILL in the middle of it (I41, I43, I44).
 *
 * Goal: whatever is retried, replayed, delivered and purged at once, and whenever the process ends:
 * an open row has its body, what is purged has none, nothing is purged before its time, a body is
 * there exactly as long as something means it, and each change is told of in one audit row.
 * Method: the store of a child that is killed at each point of a purge, life after life.
 */
import assert from "node:assert/strict";
import type { DatabaseSync } from "node:sqlite";
import { verifyAudit } from "../../../src/audit/mod.ts";
import type { PurgeKind } from "../../../src/store/purge.ts";
import { openAuditRows } from "../../../src/store/sqlite/registers/audit_rows.ts";
import { within } from "../../connectors/waiting.ts";
import { assertWhole, Folder, inspectRecovered } from "./bench.ts";
import { LIMIT, type Line } from "./purge_child.ts";

const deaths = [
  "store.before_commit.purge@3",
  "store.after_commit.purge@3",
  "store.before_commit.purge@20",
  "store.after_commit.purge@25",
  "store.before_commit.end_purge@2",
  "store.after_commit.end_purge@2",
  "store.inside_batch.purge@9",
  "store.after_commit.replay@4",
  "store.before_commit.replay_dead@2",
  "store.inside_tidy@8",
  "store.after_tidy@8",
];
const SECOND = 1_000_000;
const kinds = ["messages", "dead_letters", "state"] as const;

class Book {
  readonly #answered = new Map<PurgeKind, number>();
  readonly #unanswered = new Map<PurgeKind, number>();
  readonly #before = new Map<PurgeKind, number>();
  now = 1_700_000_000 * SECOND;

  note(lines: readonly Line[]): void {
    const open = new Map<PurgeKind, number>();
    for (const line of lines) {
      const { of } = line;
      if (line.line === "purged") {
        add(this.#answered, of, line.purged);
        add(open, of, -1);
      } else {
        add(open, of, 1);
        this.#before.set(of, Math.max(line.before, this.#before.get(of) ?? 0));
        this.now = Math.max(this.now, line.now);
      }
    }
    for (const [of, batches] of open) add(this.#unanswered, of, batches * LIMIT);
  }

  check(db: DatabaseSync, title: string): void {
    assertWhole(db, title);
    const told = db.prepare(`
      SELECT detail FROM audit_log WHERE action = 'retention_purge'
       UNION ALL
      SELECT json_object('messages', messages, 'dead_letters', dead_letters, 'state', state)
        FROM retention`).all().map(({ detail }) => JSON.parse(String(detail)));
    for (const of of kinds) {
      const counted = told.reduce((sum, counts) => sum + Number(counts[of]), 0);
      const least = this.#answered.get(of) ?? 0;
      const most = least + (this.#unanswered.get(of) ?? 0);
      assert.ok(counted >= least && counted <= most, `${title}: ${of} ${counted} of ${least}`);
    }
    const early = db.prepare(`
      SELECT (SELECT count(*) FROM messages WHERE purged_at IS NOT NULL AND received_at >= ?1)
           + (SELECT count(*) FROM queue
               WHERE stage = 'outbound' AND status = 'dead' AND body_seq = 0 AND updated_at >= ?2)
             AS rows`).get(
      this.#before.get("messages") ?? 0,
      this.#before.get("dead_letters") ?? 0,
    );
    assert.equal(early!.rows, 0, `${title}: purged before its time`);
  }
}

function add(to: Map<PurgeKind, number>, of: PurgeKind, count: number): void {
  to.set(of, (to.get(of) ?? 0) + count);
}

Deno.test("a purge survives being killed, and whatever else happens to its messages", async () => {
  await using folder = new Folder();
  const path = folder.file();
  const book = new Book();
  const seed = crypto.getRandomValues(new Uint16Array(1))[0]!;
  for (const [life, failpoint] of [...deaths, ""].entries()) {
    const title = `${failpoint || "the end"}, seed ${seed + life}`;
    const steps = failpoint === "" ? 60 : 400;
    const begin = book.now + SECOND;
    const { killed, lines } = await runChild([path, failpoint, seed + life, begin, steps]);
    assert.equal(killed, failpoint !== "", title);
    book.note(lines);
    inspectRecovered(path, (db) => book.check(db, title));
  }
  using log = openAuditRows(path, undefined);
  const { ok, rows } = verifyAudit(log.rows(), log.key);
  assert.ok(ok && rows > 5, `${rows} rows`);
});

async function runChild(args: readonly (string | number)[]) {
  const entry = new URL("./purge_child.ts", import.meta.url).pathname;
  const child = new Deno.Command(Deno.execPath(), {
    args: [
      ...["run", "--quiet", "--no-check", "--allow-read", "--allow-write", entry],
      ...args.map(String),
    ],
    stdin: "null",
    stdout: "piped",
    stderr: "inherit",
  }).spawn();
  const { stdout, signal, success } = await within(child.output(), "the child to end", 60_000);
  const killed = signal === "SIGKILL";
  assert.ok(killed || success, "the child failed");
  const lines = new TextDecoder().decode(stdout).split("\n").filter(Boolean)
    .map((line) => JSON.parse(line) as Line);
  return { killed, lines };
}
