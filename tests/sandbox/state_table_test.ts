import assert from "node:assert/strict";
import fc from "fast-check";
import { StateTable } from "../../src/sandbox/state_table.ts";

// Goal: what an inbound reads is its newest write that is neither committed over nor discarded.
// Method: a model that keeps every uncommitted write in a list, over random histories.
Deno.test("StateTable reads as a list of writes would", () => {
  const inbound = fc.constantFrom("A", "B");
  const key = fc.constantFrom("x", "y");
  const command = fc.oneof(
    {
      weight: 5,
      arbitrary: fc.record({ op: fc.constant("write"), inbound, key, value: fc.nat(3) }),
    },
    {
      weight: 3,
      arbitrary: fc.record({ op: fc.constant("commit"), inbound, key, value: fc.nat(3) }),
    },
    {
      weight: 1,
      arbitrary: fc.record({ op: fc.constant("discard"), inbound, key, value: fc.nat(3) }),
    },
    {
      weight: 1,
      arbitrary: fc.record({ op: fc.constant("forget"), inbound, key, value: fc.nat(3) }),
    },
    {
      weight: 1,
      arbitrary: fc.record({ op: fc.constant("dump"), inbound, key, value: fc.nat(3) }),
    },
  );
  fc.assert(fc.property(fc.array(command, { maxLength: 60 }), (commands) => {
    let table = new StateTable();
    const committed = new Map<string, string>();
    const pending = new Map<string, { namespace: string; key: string; value: string }[]>([
      ["A", []],
      ["B", []],
    ]);
    for (const { op, inbound, key, value } of commands) {
      const writes = pending.get(inbound) ?? [];
      if (op === "write") {
        const entry = { namespace: "n", key, value: String(value) };
        table.write(inbound, entry);
        writes.push(entry);
      } else if (op === "commit") {
        const entries = writes.splice(0, value);
        table.commit(inbound, entries);
        for (const entry of entries) committed.set(entry.key, entry.value);
      } else if (op === "forget") {
        table.forget([{ namespace: "n", key }]);
        committed.delete(key);
      } else if (op === "discard") {
        table.discard(inbound);
        pending.set(inbound, []);
      } else {
        table = StateTable.restore(JSON.parse(JSON.stringify(table.dump())));
      }
      for (const [reader, own] of pending) {
        for (const name of ["x", "y"]) {
          const newest = own.findLast((entry) => entry.key === name)?.value;
          assert.equal(table.read(reader, "n", name), newest ?? committed.get(name));
        }
      }
    }
  }));
});

Deno.test("StateTable keeps namespaces and keys apart", () => {
  const table = new StateTable();
  table.write("A", { namespace: "ab", key: "c", value: "1" });
  assert.equal(table.read("A", "a", "bc"), undefined);
  assert.equal(table.read("A", "ab", "c"), "1");
});
