// Goal: a read sees what it has to show, at the price of few turns.
import assert from "node:assert/strict";
import fc from "fast-check";
import { type AsOf, Settling } from "../../../src/store/sqlite/settling.ts";
import { pause } from "../../connectors/waiting.ts";

/** A writer that notes how far it has settled, and takes its time. */
class Writer {
  tookMs: number | undefined;
  sent = 0;
  acted = 0;
  stored = 0;
  turns = 0;
  /** Batches are under way. */
  isBusy = true;
  #longestMs = 0;
  /** When what was sent went out, by its number less one. */
  readonly #sentAt: number[] = [];
  readonly settling = new Settling(async () => {
    this.turns += 1;
    const upTo = this.sent;
    const startedAt = performance.now();
    await pause(this.tookMs ?? this.turns % 2);
    this.stored = upTo;
    this.#longestMs = Math.max(this.#longestMs, performance.now() - startedAt);
  }, () => this.isBusy);

  send(isAct = false, batches = 1): void {
    for (let batch = 0; batch < batches; batch += 1) {
      this.sent += 1;
      this.#sentAt.push(performance.now());
      if (isAct) this.acted = this.sent;
      this.settling.sent(isAct);
    }
  }

  async read(asOf: AsOf = "now"): Promise<void> {
    const owed = asOf === "now" || !this.isBusy ? this.sent : this.acted;
    const askedAt = performance.now();
    await this.settling.settled(asOf);
    assert.ok(this.stored >= owed, `${this.stored} of ${owed}`);
    const oldestMissing = this.#sentAt[this.stored];
    if (oldestMissing === undefined) return;
    assert.ok(askedAt - oldestMissing < 1_010 + this.#longestMs, "a second, and a turn");
  }
}

Deno.test("every read sees what it has to, whatever goes on beside it", async () => {
  const act = fc.constantFrom("send", "flood", "act", "now", "lately", "rest", "turn of traffic");
  await fc.assert(
    fc.asyncProperty(
      fc.array(act, { maxLength: 60 }),
      fc.constantFrom(undefined, 3),
      async (acts, tookMs) => {
        const writer = new Writer();
        writer.tookMs = tookMs;
        const reads: Promise<void>[] = [];
        for (const one of acts) {
          if (one === "send" || one === "act") writer.send(one === "act");
          else if (one === "flood") writer.send(false, 100);
          else if (one === "rest") await pause(1);
          else if (one === "turn of traffic") writer.isBusy = !writer.isBusy;
          else reads.push(writer.read(one));
        }
        await Promise.all(reads);
      },
    ),
    { numRuns: 30, endOnFailure: true },
  );
});

Deno.test("nothing sent asks for nothing; many that read share a turn", async () => {
  const writer = new Writer();
  for (const asOf of ["now", "lately"] as const) {
    assert.equal(writer.settling.settled(asOf), undefined);
  }
  writer.send();
  await Promise.all(Array.from({ length: 100 }, () => writer.read()));
  assert.equal(writer.turns, 1);
  await writer.read();
  assert.equal(writer.turns, 1);
  for (let round = 0; round < 5; round += 1) {
    writer.send();
    await Promise.all(Array.from({ length: 100 }, () => writer.read()));
  }
  assert.equal(writer.turns, 6);
});

Deno.test("under a flood many that look share few turns, and none waits for the next", async () => {
  const writer = new Writer();
  writer.tookMs = 20;
  writer.send(false, 100);
  await writer.read("lately");
  for (let round = 0; round < 20; round += 1) {
    writer.send();
    assert.equal(writer.settling.settled("lately"), undefined);
  }
  assert.equal(writer.turns, 1);
  const shared = writer.settling.sharedTurn;
  assert.ok(shared !== undefined);

  // But what a person did is seen, though it came while the writer was at a turn.
  const turn = writer.read();
  await pause(1);
  writer.send(true);
  assert.equal(writer.settling.sharedTurn, undefined);
  await Promise.all([turn, writer.read("lately")]);
  assert.ok(writer.stored >= writer.acted);
  assert.notEqual(writer.settling.sharedTurn, shared);
});

Deno.test("a flood is over when nothing is under way: whoever looks then sees all", async () => {
  const writer = new Writer();
  writer.send(false, 100);
  await writer.read("lately");
  writer.send();
  assert.equal(writer.settling.settled("lately"), undefined);
  writer.isBusy = false;
  assert.equal(writer.settling.sharedTurn, undefined);
  await writer.read("lately");
  assert.equal(writer.stored, 101);
});

Deno.test("with little traffic whoever looks sees all", async () => {
  const writer = new Writer();
  writer.tookMs = 2;
  for (let round = 0; round < 5; round += 1) {
    writer.send();
    const { sent } = writer;
    await writer.read("lately");
    assert.equal(writer.stored, sent);
  }
});

Deno.test("a turn that fails fails those who waited for it, and the next is tried", async () => {
  let isBroken = true;
  const settling = new Settling(
    () => isBroken ? Promise.reject(new Error("no")) : pause(0),
    () => true,
  );
  settling.sent(false);
  const reads = [settling.settled("now")!, settling.settled("lately")!];
  for (const read of reads) await assert.rejects(read, { message: "no" });
  isBroken = false;
  await settling.settled("now");
  assert.equal(settling.settled("now"), undefined);
});

Deno.test("a wait for the next turn ends at once when it is told to", async () => {
  let tookMs = 100;
  const settling = new Settling(() => pause(tookMs), () => true);
  settling.sent(false);
  await settling.settled("now");
  tookMs = 0;
  settling.sent(false);
  const read = settling.settled("now")!;
  await pause(0);
  settling.stop();
  await read;
});
