import assert from "node:assert/strict";
import { setImmediate } from "node:timers/promises";
import fc from "fast-check";
import {
  defaultGroupCommit,
  GroupCommit,
  type GroupCommitOptions,
  type Settle,
  type SubmitHint,
} from "../../src/store/group_commit.ts";
import type { Intent } from "../../src/store/intents.ts";
import { pause, until } from "../connectors/waiting.ts";

/** A writer that keeps what it is sent and answers when told to. */
class FakeWriter {
  readonly group: GroupCommit;
  /** Batches as the numbers of their intents. */
  readonly batches: number[][] = [];
  readonly #settles: (readonly Settle[])[] = [];
  readonly answers: number[] = [];
  /** What it was told will come, and how many with each batch. */
  readonly #told: Intent[] = [];
  readonly told: number[] = [];
  #number = 0;

  constructor(options: Partial<GroupCommitOptions> = {}) {
    this.group = new GroupCommit(({ intents, settles, known, next }) => {
      const { from, to } = known;
      assert.deepEqual(intents.slice(from, to), this.#told.splice(0, to - from));
      assert.ok(from === to || this.#told.length === 0, "what was told of goes together");
      this.#told.push(...next);
      this.told.push(next.length);
      this.batches.push(intents.map((intent) => "seq" in intent ? intent.seq : -1));
      this.#settles.push(settles);
    }, { ...defaultGroupCommit, ...options });
  }

  /** Submits the next intent; returns its number. */
  submit(hint: SubmitHint = {}): number {
    const seq = this.#number += 1;
    this.#hand({ kind: "release", at: 1, seq, token: 1 }, seq, hint);
    return seq;
  }

  submitBytes(length: number): void {
    const raw = "x".repeat(length);
    const message = {
      ...{ id: "a", channel: "IB", receivedAt: 1, sourceType: "mllp", raw },
      ...{ controlId: undefined, messageType: undefined },
    };
    this.#hand({ kind: "receive", message, token: undefined }, -1, {});
  }

  #hand(intent: Intent, seq: number, hint: SubmitHint): void {
    const settle = { resolve: () => void this.answers.push(seq), reject: () => {} };
    this.group.submit(intent, settle, hint);
  }

  /** Answers the oldest batch that has no answer yet. */
  answer(): void {
    const settles = this.#settles.shift();
    if (!settles) return;
    this.group.answered();
    for (const settle of settles) settle.resolve({});
  }

  answerAll(): void {
    while (this.#settles.length > 0) this.answer();
  }

  get unanswered(): number {
    return this.#settles.length;
  }
}

/** Lets everything that waits for the end of this turn happen. */
async function turn(): Promise<void> {
  await setImmediate();
  await setImmediate();
}

/** Sends until the writer takes no more, so that what follows gathers; returns how many went. */
async function keepBusy(writer: FakeWriter): Promise<number> {
  for (let sent = 1;; sent += 1) {
    const before = writer.batches.length;
    writer.submit();
    await turn();
    if (writer.batches.length === before) return before;
    assert.ok(sent < 10, "the writer takes batch after batch without an answer");
  }
}

Deno.test("GroupCommit sends a lone intent at the end of the turn", async () => {
  const writer = new FakeWriter({ holdMs: 10_000 });
  writer.submit({ waiter: 1 });
  assert.deepEqual(writer.batches, [], "its neighbours may still come");
  await turn();
  assert.deepEqual(writer.batches, [[1]]);
  assert.equal(writer.group.gathered, 0);
});

Deno.test("GroupCommit sends the intents of one turn together, in order", async () => {
  const writer = new FakeWriter();
  for (let count = 0; count < 5; count += 1) writer.submit();
  await turn();
  assert.deepEqual(writer.batches, [[1, 2, 3, 4, 5]]);
});

Deno.test("GroupCommit gathers while the writer is busy, and sends all with its answer", async () => {
  const writer = new FakeWriter();
  const sent = await keepBusy(writer);
  for (let count = 0; count < 2; count += 1) {
    writer.submit();
    await turn();
  }
  assert.equal(writer.batches.length, sent);
  assert.equal(writer.group.gathered, 3);
  writer.answer();
  await turn();
  assert.equal(writer.batches.length, sent + 1);
  assert.deepEqual(writer.batches.at(-1), [sent + 1, sent + 2, sent + 3]);
});

Deno.test("GroupCommit needs no timer to go on once the writer is idle again", async () => {
  const writer = new FakeWriter();
  for (let round = 1; round <= 20; round += 1) {
    writer.submit();
    await turn();
    assert.equal(writer.batches.length, round);
    writer.answer();
  }
});

Deno.test("GroupCommit sends a full batch whatever the writer does", async () => {
  const writer = new FakeWriter({ intentsMax: 4 });
  await keepBusy(writer);
  const before = writer.batches.length;
  for (let count = 0; count < 11; count += 1) writer.submit();
  const full = writer.batches.slice(before);
  assert.deepEqual(full.map((batch) => batch.length), [4, 4, 4]);
  const sent = writer.batches.flat();
  assert.deepEqual(sent, sent.toSorted((a, b) => a - b));
});

Deno.test("GroupCommit counts bytes as well as intents", async () => {
  const writer = new FakeWriter({ bytesMax: 1_000 });
  await keepBusy(writer);
  const before = writer.batches.length;
  writer.submitBytes(400);
  writer.submitBytes(400);
  assert.equal(writer.batches.length, before);
  writer.submitBytes(400);
  assert.equal(writer.batches.length, before + 1);
});

Deno.test("GroupCommit flushes at once when told to", async () => {
  const writer = new FakeWriter();
  await keepBusy(writer);
  const before = writer.batches.length;
  writer.group.flushNow();
  assert.equal(writer.batches.length, before + 1);
  writer.group.flushNow();
  assert.equal(writer.batches.length, before + 1, "nothing is nothing to send");
});

/** Twelve connections that sent within the last window, answered; the next one may be held. */
async function manySenders(options: Partial<GroupCommitOptions>): Promise<FakeWriter> {
  const writer = new FakeWriter({ windowMs: 20, siblings: 4, ratePerSecond: 1, ...options });
  await pause(25);
  writer.submit({ waiter: 0 });
  await turn();
  for (let waiter = 1; waiter <= 12; waiter += 1) writer.submit({ waiter });
  await turn();
  writer.answerAll();
  await pause(25);
  return writer;
}

Deno.test("GroupCommit holds a batch open when many others are likely to join", async () => {
  const writer = await manySenders({ holdMs: 150 });
  const before = writer.batches.length;
  const first = writer.submit({ waiter: 1 });
  await turn();
  assert.equal(writer.batches.length, before, "held");
  const second = writer.submit({ waiter: 2 });
  await turn();
  assert.equal(writer.batches.length, before, "still held");
  await until(() => writer.batches.length > before, "the hold to end");
  assert.deepEqual(writer.batches.at(-1), [first, second]);
});

Deno.test("GroupCommit ends a hold once most of the senders wait", async () => {
  const writer = await manySenders({ holdMs: 60_000 });
  const before = writer.batches.length;
  for (let waiter = 1; waiter <= 12; waiter += 1) writer.submit({ waiter });
  await turn();
  assert.equal(writer.batches.length, before + 1);
});

Deno.test("GroupCommit ends a hold for a full batch, and for whoever flushes", async () => {
  const writer = await manySenders({ holdMs: 60_000, intentsMax: 3 });
  const before = writer.batches.length;
  writer.submit({ waiter: 1 });
  await turn();
  assert.equal(writer.batches.length, before);
  writer.submit();
  writer.submit();
  assert.equal(writer.batches.length, before + 1);
  writer.answerAll();
  writer.submit({ waiter: 1 });
  await turn();
  assert.equal(writer.batches.length, before + 1);
  writer.group.flushNow();
  assert.equal(writer.batches.length, before + 2);
});

Deno.test("GroupCommit holds nothing for few senders", async () => {
  const writer = new FakeWriter({ windowMs: 20, siblings: 4, ratePerSecond: 1, holdMs: 60_000 });
  for (let round = 0; round < 4; round += 1) {
    for (let waiter = 0; waiter < 2; waiter += 1) {
      const before = writer.batches.length;
      writer.submit({ waiter });
      await turn();
      assert.equal(writer.batches.length, before + 1);
      writer.answerAll();
    }
    await pause(25);
  }
});

// Goal: senders that are held back until something is committed cannot join, so nothing waits for them.
Deno.test("GroupCommit holds nothing while senders are held back", async () => {
  const writer = await manySenders({ holdMs: 60_000 });
  const before = writer.batches.length;
  const held = writer.submit();
  await turn();
  assert.equal(writer.batches.length, before, "held");
  writer.group.crowd(true);
  await turn();
  assert.deepEqual(writer.batches.slice(before), [[held]], "what was held goes");
  writer.answerAll();
  const next = writer.submit();
  await turn();
  assert.deepEqual(writer.batches.at(-1), [next], "and what comes then is not held");
  writer.answerAll();
  writer.group.crowd(false);
  writer.submit();
  await turn();
  assert.equal(writer.batches.length, before + 2, "held again");
  writer.group.flushNow();
});

/** One sender that sends as fast as it is answered, until its rate is known. */
async function sendingFast(writer: FakeWriter): Promise<void> {
  for (const until = performance.now() + 30; performance.now() < until;) {
    writer.submit({ waiter: 1 });
    await turn();
    writer.answerAll();
  }
}

// Goal: a sender that sends as soon as it is answered takes along what nobody waits for; that waits
// neither long nor in vain, and a sender never.
Deno.test("GroupCommit lets what no sender waits for go with the next message, at such a rate", async () => {
  const writer = new FakeWriter({ windowMs: 20, ratePerSecond: 100, siblings: 99 });
  await sendingFast(writer);
  const before = writer.batches.length;
  const others = [writer.submit(), writer.submit()];
  await turn();
  assert.equal(writer.batches.length, before);
  const received = writer.submit({ waiter: 1 });
  await turn();
  assert.deepEqual(writer.batches.slice(before), [[...others, received]]);
});

Deno.test("GroupCommit waits for a sender no longer than a moment", async () => {
  const writer = new FakeWriter({ windowMs: 20, ratePerSecond: 100, siblings: 99 });
  await sendingFast(writer);
  const before = writer.batches.length;
  const alone = writer.submit();
  await until(() => writer.batches.length > before, "the batch that waited");
  assert.deepEqual(writer.batches.slice(before), [[alone]]);
  writer.answerAll();
  // No sender was answered lately: there is none to wait for.
  writer.submit();
  await turn();
  assert.equal(writer.batches.length, before + 2);
});

Deno.test("GroupCommit waits for no sender while little is sent", async () => {
  const writer = new FakeWriter({ windowMs: 20, ratePerSecond: 1_000_000, siblings: 99 });
  await sendingFast(writer);
  const before = writer.batches.length;
  writer.submit();
  await turn();
  assert.equal(writer.batches.length, before + 1);
});

// Goal: a lane that marches waits for nothing but its commit, and does not take along what can wait.
Deno.test("GroupCommit sends resolutions of lanes that march alone and at once", async () => {
  const writer = new FakeWriter({ gatherMs: 60_000 });
  for (let lane = 0; lane < 4; lane += 1) writer.group.march(1);
  const plain = writer.submit();
  await turn();
  assert.deepEqual(writer.batches, [], "what stands in a queue can wait for others");
  const firstLane = writer.submit({ pressing: true });
  await turn();
  assert.deepEqual(writer.batches, [[firstLane]], "the writer has nothing else to do");
  const secondLane = writer.submit({ pressing: true });
  await turn();
  assert.equal(writer.batches.length, 1, "half of the lanes share a commit");
  const thirdLane = writer.submit({ pressing: true });
  await turn();
  assert.deepEqual(writer.batches[1], [secondLane, thirdLane]);
  for (let lane = 0; lane < 4; lane += 1) writer.group.march(-1);
  writer.answerAll();
  await until(() => writer.batches.length === 3, "what waited for lanes that ceased");
  assert.deepEqual(writer.batches[2], [plain]);
});

Deno.test("GroupCommit tells of what gathers, once, so that it can be sealed meanwhile", async () => {
  const writer = new FakeWriter({ gatherMs: 60_000, gatherMax: 5 });
  writer.group.march(1);
  writer.submit();
  writer.submit({ pressing: true });
  await turn();
  assert.deepEqual(writer.told, [1]);
  writer.answerAll();
  // Two are enough where nobody is known to send.
  writer.submit({ pressing: true });
  writer.submit();
  await turn();
  assert.deepEqual(writer.batches, [[2], [3, 1, 4]]);
  assert.deepEqual(writer.told, [1, 0]);
  writer.group.march(-1);
});

Deno.test("GroupCommit lets what comes in behind lanes that march gather, up to a number and a time", async () => {
  const writer = new FakeWriter({ gatherMs: 60_000, gatherMax: 5 });
  writer.group.march(1);
  const lane = writer.submit({ pressing: true });
  await turn();
  writer.answerAll();
  const first = writer.submit();
  await turn();
  const others = [writer.submit(), writer.submit()];
  const next = writer.submit({ pressing: true });
  // Nobody is known to send, so two are enough; with them goes whoever is there.
  await turn();
  assert.deepEqual(writer.batches, [[lane], [next, first, ...others]]);
  writer.group.march(-1);
  writer.answerAll();

  const timed = new FakeWriter({ gatherMs: 5 });
  timed.group.march(1);
  const plain = timed.submit();
  await until(() => timed.batches.length === 1, "the time to gather to end");
  assert.deepEqual(timed.batches, [[plain]]);
  timed.group.march(-1);
});

Deno.test("GroupCommit lets a few intents wait for the batch that is with the writer", async () => {
  const writer = new FakeWriter();
  const first = writer.submit();
  await turn();
  const few = [writer.submit(), writer.submit()];
  await turn();
  assert.deepEqual(writer.batches, [[first]]);
  writer.answerAll();
  await turn();
  assert.deepEqual(writer.batches[1], few);
  const many = [1, 2, 3, 4].map(() => writer.submit());
  await turn();
  assert.deepEqual(writer.batches[2], many, "enough to be worth a commit of their own");
});

// Goal: whatever is submitted, answered, held or flushed, each intent goes once, with its own
// settle, no batch is longer than allowed, and order is kept among equals.
Deno.test("GroupCommit loses, repeats and reorders nothing", async () => {
  const step = fc.oneof(
    {
      weight: 6,
      arbitrary: fc.record({
        do: fc.constant("submit" as const),
        hint: fc.record({
          waiter: fc.option(fc.nat(8), { nil: undefined }),
          pressing: fc.boolean(),
        }),
      }),
    },
    { weight: 3, arbitrary: fc.constant({ do: "answer" as const }) },
    { weight: 3, arbitrary: fc.constant({ do: "turn" as const }) },
    { weight: 1, arbitrary: fc.constant({ do: "flush" as const }) },
    { weight: 1, arbitrary: fc.record({ do: fc.constant("crowd" as const), is: fc.boolean() }) },
    {
      weight: 1,
      arbitrary: fc.record({
        do: fc.constant("march" as const),
        by: fc.constantFrom(1 as const, -1 as const),
      }),
    },
  );
  await fc.assert(
    fc.asyncProperty(fc.array(step, { maxLength: 80 }), async (steps) => {
      const writer = new FakeWriter({
        ...{
          intentsMax: 6,
          holdMs: 3,
          gatherMs: 2,
          gatherMax: 3,
          windowMs: 1,
          siblings: 1,
          ratePerSecond: 1,
        },
      });
      const pressing: number[] = [];
      const plain: number[] = [];
      let marching = 0;
      for (const step of steps) {
        if (step.do === "submit") {
          (step.hint.pressing ? pressing : plain).push(writer.submit(step.hint));
        } else if (step.do === "answer") writer.answer();
        else if (step.do === "flush") writer.group.flushNow();
        else if (step.do === "crowd") writer.group.crowd(step.is);
        else if (step.do === "turn") await turn();
        else if (marching + step.by >= 0) {
          marching += step.by;
          writer.group.march(step.by);
        }
      }
      while (marching-- > 0) writer.group.march(-1);
      const all = pressing.length + plain.length;
      for (let patience = 0; writer.answers.length < all; patience += 1) {
        assert.ok(patience < 200, `${writer.group.gathered} intents were never sent`);
        writer.answerAll();
        if (patience < 100) await turn();
        else await pause(1);
      }
      assert.equal(writer.unanswered, 0);
      const sent = writer.batches.flat();
      assert.deepEqual(writer.answers, sent);
      assert.deepEqual(
        sent.toSorted((a, b) => a - b),
        [...pressing, ...plain].toSorted((a, b) => a - b),
      );
      assert.deepEqual(sent.filter((seq) => plain.includes(seq)), plain);
      assert.deepEqual(sent.filter((seq) => pressing.includes(seq)), pressing);
      assert.ok(writer.batches.every((batch) => batch.length <= 6));
    }),
    { numRuns: 150 },
  );
});
