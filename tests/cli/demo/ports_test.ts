import assert from "node:assert/strict";
import { choosePorts } from "../../../src/cli/demo/ports.ts";
import { CommandFailure } from "../../../src/cli/failure.ts";

Deno.test("choosePorts() gives out free ports, each once", () => {
  const ports = Object.values(choosePorts({ freePorts: true }));
  assert.equal(new Set(ports).size, 6);
  for (const port of ports) Deno.listen({ hostname: "127.0.0.1", port }).close();
});

Deno.test("choosePorts() names the port that is taken, who wants it and what to do", () => {
  let listener: Deno.Listener | undefined;
  try {
    listener = Deno.listen({ hostname: "127.0.0.1", port: 6662 });
  } catch (thrown) {
    // Somebody else has it, which is as good.
    if (!(thrown instanceof Deno.errors.AddrInUse)) throw thrown;
  }
  try {
    assert.throws(() => choosePorts({ freePorts: false }), (thrown) => {
      assert.ok(thrown instanceof CommandFailure);
      assert.match(thrown.message, /6662 \(the demo's laboratory\)/);
      assert.match(thrown.hint ?? "", /--free-ports/);
      return true;
    });
  } finally {
    listener?.close();
  }
});
