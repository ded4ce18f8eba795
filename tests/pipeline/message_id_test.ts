import assert from "node:assert/strict";
import { MessageIds } from "../../src/pipeline/message_id.ts";

const now = Date.UTC(2026, 0, 1);

Deno.test("next() makes UUIDv7 without dashes, all different", () => {
  const ids = new MessageIds();
  const made = Array.from({ length: 2_000 }, () => ids.next(now + 0.75));
  for (const id of made) {
    assert.match(id, /^[0-9a-f]{12}7[0-9a-f]{3}[89ab][0-9a-f]{15}$/);
    assert.equal(Number.parseInt(id.slice(0, 12), 16), now);
  }
  assert.equal(new Set(made.map((id) => id.slice(16))).size, made.length, "random tails");
});

Deno.test("next() sorts by time of making, also within a millisecond", () => {
  const ids = new MessageIds();
  const made = Array.from({ length: 3_000 }, (_, n) => ids.next(now + Math.floor(n / 1_000)));
  assert.deepEqual(made.toSorted(), made);
});

Deno.test("next() keeps the order while the clock stands still or steps back", () => {
  const ids = new MessageIds();
  const made = [ids.next(now)];
  for (let n = 0; n < 10_000; n += 1) made.push(ids.next(now - 3_600_000));
  made.push(ids.next(now + 60_000));
  assert.deepEqual(made.toSorted(), made);
  assert.equal(Number.parseInt(made.at(-1)!.slice(0, 12), 16), now + 60_000, "the clock's again");
});
