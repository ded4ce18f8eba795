/** The commit log by itself: what is read back, whatever was written last and however it ended. */
import assert from "node:assert/strict";
import { Buffer } from "node:buffer";
import fc from "fast-check";
import {
  CommitLog,
  frameHeaderBytes,
  LogDamaged,
  LogMismatch,
  readLog,
} from "../../../src/store/sqlite/commit_log.ts";
import { Folder } from "./bench.ts";

const tag = 7;
const halfBytes = 4_096;

class LogBench implements AsyncDisposable {
  readonly folder = new Folder();
  readonly path = this.folder.file("store.db-log");
  log: CommitLog;

  constructor(nextId = 1) {
    this.log = this.open(nextId);
  }

  open(nextId: number): CommitLog {
    return new CommitLog({ path: this.path, tag, nextId, halfBytes });
  }

  append(payload: string): number {
    const buffer = Buffer.alloc(frameHeaderBytes + Buffer.byteLength(payload));
    buffer.write(payload, frameHeaderBytes);
    return this.log.append(buffer, buffer.length);
  }

  read(fromId: number): [number, string][] {
    return readLog(this.path, { tag, fromId, halfBytes }).map(({ id, payload }) => [
      id,
      payload.toString(),
    ]);
  }

  async [Symbol.asyncDispose](): Promise<void> {
    this.log.close();
    await this.folder[Symbol.asyncDispose]();
  }
}

Deno.test("readLog() gives the frames from a number on, and none where there is no log", async () => {
  await using bench = new LogBench(5);
  for (const text of ["five", "", "seven"]) bench.append(text);
  assert.deepEqual(bench.read(5), [[5, "five"], [6, ""], [7, "seven"]]);
  assert.deepEqual(bench.read(7), [[7, "seven"]]);
  assert.deepEqual(bench.read(8), []);
  assert.deepEqual(readLog(`${bench.path}.none`, { tag, fromId: 1 }), []);
});

// Goal: what is read is what was written and what the tables lack, through any number of halves.
// Method: frames of random sizes; the tables catch up at random, and always when a half is needed.
Deno.test("readLog() gives every frame that the tables lack, in order", async () => {
  const step = fc.record({ bytes: fc.nat(1_500), catchUp: fc.nat(9), reopen: fc.nat(30) });
  await fc.assert(
    fc.asyncProperty(fc.array(step, { maxLength: 60 }), async (steps) => {
      await using bench = new LogBench();
      let storedTo = 1;
      const lacking: [number, string][] = [];
      const catchUp = () => {
        storedTo = bench.log.nextId;
        lacking.length = 0;
      };
      for (const [index, { bytes, catchUp: turn, reopen }] of steps.entries()) {
        if (turn === 0) catchUp();
        if (reopen === 0) {
          // An opening carries out what it reads, and begins at the first half.
          assert.deepEqual(bench.read(storedTo), lacking);
          catchUp();
          bench.log.close();
          bench.log = bench.open(storedTo);
        }
        if (bench.log.wouldTurn(bytes)) {
          if (bench.log.lastIdOfOther >= storedTo) catchUp();
          bench.log.turn();
        }
        const text = String.fromCharCode(97 + index % 26).repeat(bytes);
        lacking.push([bench.append(text), text]);
      }
      assert.deepEqual(bench.read(storedTo), lacking);
    }),
    { numRuns: 60 },
  );
});

// Goal: a frame that was not written whole ends the log; those before it stand.
// Method: one byte of the last frame changed, and the file cut inside it, at every place.
Deno.test("readLog() ends before a frame that was not written whole", async () => {
  await using bench = new LogBench();
  bench.append("first");
  bench.append("second");
  const whole = Deno.readFileSync(bench.path);
  const [start, end] = [frameHeaderBytes + 5, 2 * frameHeaderBytes + 11];
  for (let at = start; at < end; at += 1) {
    const damaged = whole.slice();
    damaged[at]! ^= 0x10;
    Deno.writeFileSync(bench.path, damaged);
    assert.deepEqual(bench.read(1), [[1, "first"]], `byte ${at} changed`);
    Deno.writeFileSync(bench.path, whole.subarray(0, at));
    assert.deepEqual(bench.read(1), [[1, "first"]], `cut at ${at}`);
  }
  Deno.writeFileSync(bench.path, whole);
});

Deno.test("readLog() refuses a log that begins after the store ends, or is another store's", async () => {
  await using bench = new LogBench(9);
  bench.append("nine");
  assert.throws(() => bench.read(8), LogMismatch);
  assert.throws(() => readLog(bench.path, { tag: 8, fromId: 9, halfBytes }), LogMismatch);
  assert.deepEqual(bench.read(10), [], "the tables are ahead of the log");
});

// Goal: frames that were durable are not left out in silence, for somebody was answered with them.
// Method: one byte changed at a time of the older half, while the other one goes on after it.
Deno.test("readLog() refuses a log whose older half is damaged", async () => {
  await using bench = new LogBench();
  const ids: number[] = [];
  for (let turns = 0; turns < 2;) {
    ids.push(bench.append("x".repeat(900)));
    if (!bench.log.wouldTurn(900)) continue;
    turns += 1;
    if (turns === 1) bench.log.turn();
  }
  assert.deepEqual(bench.read(1).map(([id]) => id), ids);
  const whole = Deno.readFileSync(bench.path);
  const frameBytes = frameHeaderBytes + 900;
  for (let at = frameBytes; at < 4 * frameBytes; at += 7) {
    const damaged = whole.slice();
    damaged[at]! ^= 0x10;
    Deno.writeFileSync(bench.path, damaged);
    assert.throws(() => bench.read(1), LogDamaged, `byte ${at} changed`);
    assert.equal(bench.read(5).length, 4, "the tables hold the older half");
  }
  Deno.writeFileSync(bench.path, whole);
});

Deno.test("CommitLog reads what it wrote, whatever became of its path", async () => {
  await using bench = new LogBench(5);
  bench.append("five");
  bench.append("six");
  Deno.removeSync(bench.path);
  const read = () => bench.log.read(5).map(({ id, payload }) => [id, payload.toString()]);
  assert.deepEqual(read(), [[5, "five"], [6, "six"]]);
  Deno.writeTextFileSync(bench.path, "another file");
  bench.append("seven");
  assert.deepEqual(read(), [[5, "five"], [6, "six"], [7, "seven"]]);
});

Deno.test("readLog() takes any bytes for what they are", () => {
  using file = new TemporaryFile();
  fc.assert(fc.property(fc.uint8Array({ maxLength: 300 }), (bytes) => {
    Deno.writeFileSync(file.path, bytes);
    assert.deepEqual(readLog(file.path, { tag, fromId: 1, halfBytes: 100 }), []);
  }));
});

Deno.test("CommitLog refuses a frame that no half can hold", async () => {
  await using bench = new LogBench();
  assert.throws(() => bench.append("x".repeat(halfBytes)), RangeError);
  assert.equal(bench.append("fits"), 1);
  assert.deepEqual(bench.read(1), [[1, "fits"]]);
});

Deno.test("CommitLog writes what follows a failed frame where nobody takes it for older", async () => {
  await using bench = new LogBench();
  bench.append("counts");
  bench.append("failed");
  bench.log.restart(3);
  bench.append("three");
  assert.deepEqual(bench.read(3), [[3, "three"]]);
});

Deno.test("CommitLog keeps its file as large as two halves", async () => {
  await using bench = new LogBench();
  for (let index = 0; index < 200; index += 1) {
    if (bench.log.wouldTurn(300)) bench.log.turn();
    bench.append("x".repeat(300));
  }
  assert.equal(Deno.statSync(bench.path).size, 2 * halfBytes);
  assert.equal(Deno.statSync(bench.path).mode! & 0o777, 0o600);
});

class TemporaryFile implements Disposable {
  readonly path = Deno.makeTempFileSync();

  [Symbol.dispose](): void {
    Deno.removeSync(this.path);
  }
}

// Goal: nothing of an emptied log is in its file, and what comes after it is read back.
// Method: frames in both halves; a second log over what the first left, as after a crash.
Deno.test("CommitLog.cut() empties the file, and goes on", async () => {
  await using bench = new LogBench();
  for (let id = 1; id <= 8; id += 1) {
    if (bench.log.wouldTurn(900)) bench.log.turn();
    bench.append(`OLD ${id} ${"x".repeat(900)}`);
  }
  bench.log.cut();
  assert.equal(Deno.statSync(bench.path).size, 0);
  assert.deepEqual(bench.read(9), []);
  assert.equal(bench.append("new"), 9);
  bench.log.cut();
  assert.equal(bench.append("newer"), 10);
  assert.deepEqual(bench.read(10), [[10, "newer"]]);
  assert.doesNotMatch(Deno.readTextFileSync(bench.path), /OLD|new$/);
  for (let id = 11; id <= 20; id += 1) {
    if (bench.log.wouldTurn(900)) bench.log.turn();
    bench.append(`${id} ${"y".repeat(895)}`);
  }
  assert.deepEqual(bench.read(17).map(([id]) => id), [17, 18, 19, 20]);
});
