/**
 * What a cut of the power leaves (I2), at any moment and whatever the disk had made of what was not
 * synced: with `full` all that was answered; with `normal` all up to some commit; never a store that
 * does not open or is not whole.
 *
 * Method: a store's process is traced through two lives and a restart, once a setting. Each run cuts
 * the power somewhere in that, makes the files such a disk may have, and opens them.
 */
import assert from "node:assert/strict";
import { basename } from "node:path";
import type { DatabaseSync } from "node:sqlite";
import fc from "fast-check";
import { verifyAudit } from "../../../src/audit/verify.ts";
import { StoreError } from "../../../src/store/errors.ts";
import { readLog } from "../../../src/store/sqlite/commit_log.ts";
import { openDatabase } from "../../../src/store/sqlite/database.ts";
import { RegistersBeside } from "../../../src/store/sqlite/registers/beside.ts";
import { Random } from "../../../src/synthetic/random.ts";
import { hasTool } from "../../connectors/foreign_tool.ts";
import { assertWhole, auditRowsOf, Folder } from "./bench.ts";
import { type Batch, bodyOf, type Line } from "./crash_child.ts";
import { halfBytes, payloadOf, tag } from "./power_log_child.ts";
import { cutPower, type DiskStep, type Luck, traceDisk } from "./traced_disk.ts";

const CUTS = 150;
const ROUNDS = 12;
/** A disk in memory, where there is one: what counts is what was asked of it, and when. */
const memory = await Deno.stat("/dev/shm").then(() => "/dev/shm", () => undefined);

if (await hasTool("strace", ["-V"])) {
  for (const synchronous of ["full", "normal"] as const) {
    Deno.test(`a store with synchronous = ${synchronous} survives the power being cut anywhere`, async () => {
      await using folder = new Folder(memory);
      const steps = await traceStore(folder, synchronous);
      let lost = 0;
      fc.assert(
        fc.property(cutsOf(steps), ({ at, luck, seed }) => {
          const files = cutPower(steps, { at, luck, random: new Random(seed) });
          const { answered, batches } = toldBefore(steps, at);
          const there = openAfter(folder, files, (db) => commitsIn(db, batches));
          if (synchronous === "full") assert.ok(there >= answered, `${there} of ${answered}`);
          if (there < answered) lost += 1;
        }),
        { numRuns: CUTS, endOnFailure: true },
      );
      // The cuts are hard enough to tell the settings apart.
      assert.equal(lost > 0, synchronous === "normal", `${lost} of ${CUTS} lost answers`);
    });
  }

  // Goal: what only tells of reads is durable when it is answered, whatever the setting, and whole with
  // its timeline entry; the chain of the audit log fits, also where the console of the machine goes on
  // with it before an engine is started.
  for (const synchronous of ["full", "normal"] as const) {
    Deno.test(`audit rows of a store with synchronous = ${synchronous} survive the power being cut`, async () => {
      await using folder = new Folder(memory);
      const path = folder.file();
      const steps: DiskStep[] = [];
      const { signal } = await traceChild("power_notes_child.ts", [path, synchronous, "9"], {
        ...{ steps, folder },
        paths: ["", "-wal", "-log", "-journal"].map((end) => path + end),
      });
      assert.equal(signal, "SIGKILL");
      let lostViews = 0;
      fc.assert(
        fc.property(cutsOf(steps), fc.boolean(), ({ at, luck, seed }, isConsoleFirst) => {
          const files = cutPower(steps, { at, luck, random: new Random(seed) });
          const said = saidBefore(steps, at).map((text) => JSON.parse(text));
          const answered = said.flatMap(({ answered }) => answered ?? []);
          const submitted = new Set(said.flatMap(({ submits }) => submits ?? []));
          let isToldThere = false;
          const atConsole = (path: string) => isToldThere = tellAtConsole(path);
          openAfter(folder, files, (db) => {
            const rows = auditRowsOf(db);
            const verdict = verifyAudit(rows, undefined);
            assert.ok(verdict.ok, JSON.stringify(verdict));
            const numbers = rows.map(({ detail }) => Number(JSON.parse(detail ?? "{}").number));
            const told = new Set(numbers);
            assert.equal(told.size, numbers.length, "each once");
            assert.equal(told.delete(CONSOLE), isToldThere);
            for (const number of told) assert.ok(submitted.has(number), `${number}`);
            for (const number of answered) assert.ok(told.has(number), `${number} is lost`);
            const views = db.prepare("SELECT ts FROM message_events WHERE event = 'viewed'").all();
            const viewed = new Set(views.map(({ ts }) => Number(ts)));
            const toldViews = [...told].filter((number) => number % 3 === 0);
            assert.deepEqual([...viewed].toSorted(), toldViews.toSorted());
            lostViews += answered.length < submitted.size ? 1 : 0;
          }, isConsoleFirst ? atConsole : undefined);
        }),
        { numRuns: CUTS, endOnFailure: true },
      );
      assert.ok(lostViews > 0, "some cuts came before an answer");
    });
  }

  // Goal: also where frames are not synced one by one, what is missing is the end of the log.
  Deno.test("a commit log whose halves are written in turn is cut off nowhere but at its end", async () => {
    await using folder = new Folder(memory);
    const path = folder.file("store.db-log");
    const steps: DiskStep[] = [];
    const { success } = await traceChild("power_log_child.ts", [path, "60"], {
      ...{ steps, folder, paths: [path] },
    });
    assert.ok(success);
    const lengths = new Set<number>();
    fc.assert(
      fc.property(cutsOf(steps), ({ at, luck, seed }) => {
        const files = cutPower(steps, { at, luck, random: new Random(seed) });
        const file = `${folder.path}/after`;
        Deno.writeFileSync(file, files.get(path) ?? new Uint8Array());
        const fromId = Number(saidBefore(steps, at).at(-1) ?? 1);
        const frames = readLog(file, { tag, fromId, halfBytes });
        for (const { id, payload } of frames) assert.equal(payload.toString(), payloadOf(id));
        lengths.add(frames.length);
      }),
      { numRuns: 400, endOnFailure: true },
    );
    assert.ok(lengths.size > 3, `${[...lengths]} frames`);
  });
}

/** Where the power is cut: anywhere, and more often where something was made sure of or told. */
function cutsOf(steps: readonly DiskStep[]) {
  const moments = steps.flatMap(({ kind }, index) => kind === "write" ? [] : [index, index + 1]);
  return fc.record({
    at: fc.oneof(fc.nat(steps.length), fc.constantFrom(...moments)),
    luck: fc.constantFrom<Luck>("nothing", "some", "sectors", "all"),
    seed: fc.integer(),
  });
}

/** Two processes on one store: the first is killed, so that the second has a log to carry out. */
async function traceStore(
  folder: Folder,
  synchronous: "full" | "normal",
): Promise<readonly DiskStep[]> {
  const path = folder.file();
  const paths = ["", "-wal", "-log", "-journal"].map((end) => path + end);
  const steps: DiskStep[] = [];
  // The last batch of a life is committed, and nobody is told.
  for (const failpoint of [`store.after_commit.receive@${ROUNDS - 1}`, ""]) {
    const args = [path, synchronous, failpoint, String(ROUNDS)];
    const { success, signal } = await traceChild("power_child.ts", args, { steps, folder, paths });
    assert.ok(failpoint === "" ? success : signal === "SIGKILL", `${failpoint}: ${signal}`);
  }
  return steps;
}

function traceChild(
  child: string,
  args: readonly string[],
  { steps, folder, paths }: {
    readonly steps: DiskStep[];
    readonly folder: Folder;
    readonly paths: readonly string[];
  },
): Promise<Deno.CommandStatus> {
  const entry = new URL(child, import.meta.url).pathname;
  const runtime = [Deno.execPath(), "run", "--quiet", "--no-check"];
  const command = [...runtime, "--allow-read", "--allow-write", entry, ...args];
  const [answers, file] = [folder.file("answers"), folder.file("trace")];
  return traceDisk(command, steps, { paths, answers, file });
}

/** The batches that were submitted before a step, and after how many somebody had an answer. */
function toldBefore(
  steps: readonly DiskStep[],
  at: number,
): { readonly answered: number; readonly batches: readonly Batch[] } {
  const batches: Batch[] = [];
  let answered = 0;
  for (const text of saidBefore(steps, at)) {
    const line = JSON.parse(text) as Line;
    if (line.line === "submits") batches.push(line.batch);
    else answered = batches.length;
  }
  return { answered, batches };
}

function saidBefore(steps: readonly DiskStep[], at: number): readonly string[] {
  return steps.slice(0, at).flatMap((step) => step.kind === "said" ? [step.line] : []);
}

/** The number of what is told at the console. */
const CONSOLE = -1;

/** Appends a row past the engine; false where there is no store yet. */
function tellAtConsole(path: string): boolean {
  let beside: RegistersBeside;
  try {
    beside = RegistersBeside.open({ path, keys: undefined });
  } catch (thrown) {
    assert.ok(thrown instanceof StoreError);
    assert.match(thrown.code, /^store\.(not_found|older_schema|foreign)$/);
    return false;
  }
  const audit = { at: 1, actor: "console", action: "told", channel: null };
  const detail = JSON.stringify({ number: CONSOLE });
  void beside.submit({ kind: "register", changes: [], audit: [{ ...audit, detail }] });
  beside[Symbol.dispose]();
  return true;
}

/** Opens the files as an engine does, in a folder of their own. */
function openAfter<T>(
  folder: Folder,
  files: ReadonlyMap<string, Uint8Array>,
  look: (db: DatabaseSync) => T,
  before?: (path: string) => unknown,
): T {
  const place = Deno.makeTempDirSync({ dir: folder.path });
  try {
    for (const [path, bytes] of files) Deno.writeFileSync(`${place}/${basename(path)}`, bytes);
    const path = `${place}/${basename(folder.file())}`;
    before?.(path);
    const { db, unlock } = openDatabase({ path, synchronous: "full", now: 3 });
    try {
      return look(db);
    } finally {
      db.close();
      unlock();
    }
  } finally {
    Deno.removeSync(place, { recursive: true });
  }
}

/** How many batches the store holds, which must be the first ones, each of them whole. */
function commitsIn(db: DatabaseSync, batches: readonly Batch[]): number {
  assertWhole(db);
  const found = new Map(
    db.prepare(`
      SELECT m.id, m.status, b.body,
             (SELECT count(*) FROM queue q
               WHERE q.message_seq = m.seq AND q.status = 'done') AS done
        FROM messages m JOIN bodies b ON b.seq = m.body_seq`).all()
      .map(({ id, status, body, done }) => [
        String(id),
        { status: String(status), body: String(body), done: Number(done) },
      ]),
  );
  for (let count = batches.length; count >= 0; count -= 1) {
    if (isExactly(found, batches.slice(0, count))) return count;
  }
  throw new assert.AssertionError({
    message: `${found.size} messages are not what the first batches made`,
  });
}

interface Found {
  readonly status: string;
  readonly body: string;
  readonly done: number;
}

function isExactly(found: ReadonlyMap<string, Found>, batches: readonly Batch[]): boolean {
  const received = batches.flatMap((batch) => batch.received);
  if (received.length !== found.size) return false;
  const handedOff = new Set(batches.flatMap((batch) => batch.handedOff));
  const done = new Map<string, number>();
  for (const id of batches.flatMap(({ delivered }) => delivered)) {
    done.set(id, (done.get(id) ?? 0) + 1);
  }
  return received.every((id) => {
    const message = found.get(id);
    const deliveries = done.get(id) ?? 0;
    const status = deliveries === 2 ? "processed" : handedOff.has(id) ? "routed" : "received";
    return message !== undefined && message.body === bodyOf(id) &&
      message.done === deliveries && message.status === status;
  });
}
