// Goal: whoever reads sees all that was answered before, at the price of few turns.
import assert from "node:assert/strict";
import fc from "fast-check";
import { Settling } from "../../../src/store/sqlite/settling.ts";
import { pause } from "../../connectors/waiting.ts";

/** A writer that notes how far it has settled, and takes its time. */
class Writer {
  sent = 0;
  stored = 0;
  turns = 0;
  readonly settling = new Settling(async () => {
    this.turns += 1;
    const upTo = this.sent;
    await pause(this.turns % 2);
    this.stored = upTo;
  });

  send(): void {
    this.sent += 1;
    this.settling.sent();
  }

  async read(): Promise<void> {
    const sent = this.sent;
    await this.settling.settled();
    assert.ok(this.stored >= sent, `${this.stored} of ${sent} are in the tables`);
  }
}

Deno.test("every read sees what was sent before it, whatever goes on beside it", async () => {
  const act = fc.constantFrom("send", "read", "rest");
  await fc.assert(
    fc.asyncProperty(fc.array(act, { maxLength: 60 }), async (acts) => {
      const writer = new Writer();
      const reads: Promise<void>[] = [];
      for (const one of acts) {
        if (one === "send") writer.send();
        else if (one === "read") reads.push(writer.read());
        else await pause(1);
      }
      await Promise.all(reads);
    }),
    { numRuns: 30, endOnFailure: true },
  );
});

Deno.test("nothing sent asks for nothing; many that read share a turn", async () => {
  const writer = new Writer();
  assert.equal(writer.settling.settled(), undefined);
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

Deno.test("a turn that fails fails those who waited for it, and the next is tried", async () => {
  let isBroken = true;
  const settling = new Settling(() => isBroken ? Promise.reject(new Error("no")) : pause(0));
  settling.sent();
  const reads = [settling.settled()!, settling.settled()!];
  for (const read of reads) await assert.rejects(read, { message: "no" });
  isBroken = false;
  await settling.settled();
  assert.equal(settling.settled(), undefined);
});

Deno.test("a wait for the next turn ends at once when it is told to", async () => {
  let tookMs = 100;
  const settling = new Settling(() => pause(tookMs));
  settling.sent();
  await settling.settled();
  tookMs = 0;
  settling.sent();
  const read = settling.settled()!;
  await pause(0);
  settling.stop();
  await read;
});
