import assert from "node:assert/strict";
import { buildMessage, runInbound } from "messagefoundry/testing";
import "./orders.ts";

const codeSets = {
  facilities: {},
  order_controls: {
    NW: { action: "new", priority: "R" },
    CA: { action: "cancel", priority: "S" },
  },
};

async function place(orc: string) {
  const order = buildMessage({ type: "ORM^O01", segments: ["PID|1||900001", orc, "OBR|1|P1"] });
  const { outcomes } = await runInbound("IB_WARD_ORM", order, { codeSets });
  return outcomes[0];
}

Deno.test("an order goes to the laboratory with the laboratory's priority", async () => {
  const outcome = await place("ORC|CA|P1");
  assert.equal(outcome?.error, undefined);
  assert.deepEqual(outcome?.sends.map(({ to }) => to), ["OB_LAB_ORM"]);
  assert.equal(outcome?.sends[0]?.message.get("ORC-7.6"), "S");
});

Deno.test("a priority the ward asks for stands", async () => {
  const outcome = await place("ORC|NW|P1|||||^^^^^A");
  assert.equal(outcome?.sends[0]?.message.get("ORC-7.6"), "A");
});

Deno.test("an order control the laboratory does not act on stops here", async () => {
  for (const orc of ["ORC|SR|P1", "ORC||P1"]) {
    const outcome = await place(orc);
    assert.deepEqual(outcome?.sends, []);
    assert.equal(outcome?.error, undefined);
  }
});
