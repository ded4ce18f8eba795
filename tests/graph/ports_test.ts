import assert from "node:assert/strict";
import { isLoopback } from "../../src/graph/mod.ts";
import { overlap, portClashes } from "../../src/graph/ports.ts";

const overlaps: readonly (readonly [string | undefined, string | undefined, boolean])[] = [
  [undefined, undefined, true],
  [undefined, "10.0.0.1", false],
  [undefined, "0.0.0.0", true],
  ["::", "10.0.0.1", true],
  ["10.0.0.1", "10.0.0.1", true],
  ["10.0.0.1", "10.0.0.2", false],
  ["localhost", "127.0.0.1", true],
  ["localhost", "[::1]", true],
  ["::1", "0:0:0:0:0:0:0:1", true],
  ["::ffff:10.0.0.1", "10.0.0.1", true],
  ["LAB.example.org", "lab.example.org.", true],
];
for (const [a, b, expected] of overlaps) {
  Deno.test(`overlap() of ${a} and ${b} is ${expected}`, () => {
    assert.equal(overlap(a, b), expected);
    assert.equal(overlap(b, a), expected);
  });
}

Deno.test("portClashes() names both listeners and takes port 0 for free", () => {
  const listener = (label: string, host: string, port: number) => ({
    label,
    host,
    port,
    position: undefined,
  });
  const problems = portClashes([
    listener("The API", "127.0.0.1", 8765),
    listener('Inbound "IB_A"', "0.0.0.0", 8765),
    listener('Inbound "IB_B"', "10.0.0.1", 2575),
    listener('Inbound "IB_C"', "10.0.0.2", 2575),
    listener('Inbound "IB_D"', "10.0.0.1", 0),
    listener('Inbound "IB_E"', "10.0.0.1", 0),
  ]);
  assert.deepEqual(problems.map(({ message }) => message), [
    'Inbound "IB_A" listens on port 8765, as the API does',
  ]);
});

Deno.test("isLoopback() knows the loopback set and no more", () => {
  for (const host of ["127.0.0.1", "localhost", "::1", "[::1]", "::ffff:127.0.0.1"]) {
    assert.ok(isLoopback(host), host);
  }
  for (const host of ["0.0.0.0", "::", "10.0.0.1", "localhost.example.org"]) {
    assert.ok(!isLoopback(host), host);
  }
});
