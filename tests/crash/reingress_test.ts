// Goal: one answer of a partner makes one message, wherever the process is killed (I22, I23).
// Method: an engine is killed at each point around T5r and T9, another one ends what it began.
import assert from "node:assert/strict";
import { runReingress } from "./reingress_site.ts";

const points = [
  "store.before_commit.complete_with_response@3",
  "store.after_commit.complete_with_response@3",
  "delivery.after_resolve@3",
  "reingress.before_submit@4",
  "store.inside_batch.reingress@4",
  "store.before_commit.reingress@4",
  "store.after_commit.reingress@4",
  "reingress.after_commit@4",
];

for (const point of points) {
  Deno.test(`a kill at ${point} takes no answer in twice and loses none`, async () => {
    const { reached, traced, forwarded, open } = await runReingress(point);
    assert.ok(reached, "the failpoint was passed");
    assert.equal(open, 0);
    for (const { controlId, status, done, answers, children } of traced) {
      // A sender that got no answer sends again: that is another message.
      assert.equal(status, "processed", controlId);
      assert.equal(done, 1, controlId);
      assert.equal(answers, done, `${controlId}: an answer for each delivery, and no other`);
      assert.deepEqual(children.toSorted(), ["1", "to_lab"], `${controlId}: one child each`);
    }
    assert.ok(new Set(traced.map(({ controlId }) => controlId)).size >= 12);
    // What was on the wire at the kill may come twice, and nothing else may be missing.
    for (const { controlId } of traced) {
      assert.ok(forwarded.includes(controlId), `${controlId} reaches the ward`);
    }
  });
}
