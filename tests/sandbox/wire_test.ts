import assert from "node:assert/strict";
import fc from "fast-check";
import { BatchReader, BatchWriter } from "../../src/sandbox/batch_text.ts";
import { makeNameBook } from "../../src/sandbox/names.ts";
import { type Cell, packRequests, unpackResults } from "../../src/sandbox/wire.ts";

const named = (...names: readonly string[]) => names.map((name) => ({ name }));
const book = makeNameBook({
  inbounds: named("IB"),
  outbounds: named("OB", "OB_2"),
  routers: named("r"),
  handlers: named("a", "b"),
}, ["OB_TOML", "OB"]);

function partsOf(batch: string): readonly (string | number)[] {
  const reader = new BatchReader(batch);
  const parts: (string | number)[] = [];
  while (!reader.isAtEnd) parts.push(reader.next());
  return parts;
}

Deno.test("BatchReader gives back what BatchWriter was given", () => {
  const part = fc.oneof(
    fc.string({ unit: "binary" }),
    fc.constantFrom("", ",", "=3,", "12;", "\ud800"),
    fc.nat(),
    fc.integer({ min: -1_000, max: 2 ** 40 }),
    fc.integer({ min: 2 ** 50, max: Number.MAX_SAFE_INTEGER }),
    fc.double({ min: 2 ** 53, max: 1e21, noNaN: true }),
    fc.double({ noNaN: true, noDefaultInfinity: true }).filter((value) => !Object.is(value, -0)),
  );
  fc.assert(
    fc.property(fc.array(part), (parts) => {
      const writer = new BatchWriter();
      for (const each of parts) writer.add(each);
      assert.deepEqual(partsOf(writer.finish()), parts);
    }),
  );
});

Deno.test("packRequests() lets known names cross as numbers, unknown ones as they are", () => {
  const request = {
    inbound: "IB",
    router: "r",
    text: "MSH",
    contentType: "hl7v2",
    ingestTime: 1.5,
  };
  assert.deepEqual(partsOf(packRequests([request], book)), [0, 0, 0, 1.5, 0, 0, "MSH"]);
  const other = {
    inbound: "IB_TOML",
    router: "gone",
    text: "{}",
    contentType: "json",
    ingestTime: 2,
    handlers: ["b", "gone"],
    routeOnly: true,
  };
  assert.deepEqual(
    partsOf(packRequests([other], book)),
    ["IB_TOML", "gone", "json", 2, 7, 1, "gone", 0, "{}"],
  );
  const again = { ...request, lineage: '{"depth":1}' };
  assert.equal(partsOf(packRequests([again], book)).at(-2), '{"depth":1}');
  assert.deepEqual(partsOf(packRequests([{ ...request, handlers: [] }], book)).at(-3), 2);
});

const redact = (text: string) => text.replace("secret", "***");

Deno.test("unpackResults() reads results one after the other", () => {
  const results = unpackResults(
    [
      // Two handlers: three sends and two writes, and an error.
      ...[4, 2, 0, 1, 2, 3, 0, -1, 1, "payload", 2, -2, 2, "n", "k", "1", "n", "l", "2"],
      "Error: secret",
      // The router failed.
      ...[0, "Error: router"],
      // Routed only.
      ...[1, 1, 1, 0],
      // Unrouted.
      ...[0, 0, 0],
    ],
    book,
    redact,
  );
  assert.deepEqual(results, [
    {
      handlers: ["a", "b"],
      outcomes: [
        {
          handler: "a",
          sends: [
            { to: "OB", payload: undefined },
            { to: "OB_2", payload: "payload" },
            { to: "OB_TOML", payload: "payload" },
          ],
          state: [{ namespace: "n", key: "k", value: "1" }, {
            namespace: "n",
            key: "l",
            value: "2",
          }],
        },
        { handler: "b", sends: [], state: [], error: "Error: ***" },
      ],
      tookMs: 4,
    },
    { handlers: [], outcomes: [], error: "Error: router", tookMs: 0 },
    { handlers: ["b"], outcomes: [], tookMs: 1 },
    { handlers: [], outcomes: [], tookMs: 0 },
  ]);
});

Deno.test("unpackResults() refuses what is laid out in any other way", () => {
  const bad: readonly (readonly unknown[])[] = [
    ["1"],
    [0],
    [0, 1],
    [0, 1, 9, 0],
    [0, 1, {}, 0],
    [0, -1],
    [0, 1, 0],
    [0, 1, 0, 1],
    [0, 1, 0, 1, 1, 0],
    [0, 1, 0, 1, 1, 9, "payload", 0],
    [0, 1, 0, 1, 1, 0, -3, 0],
    [0, 1, 0, 1, 1, 0, { toString: () => "payload" }, 0],
    [0, 1, 0, 1, 0, 1, "n", "k", 3],
    [0, 1, 0, 1, null],
    [0, NaN],
    [0, 1e9],
  ];
  for (const cells of bad) {
    assert.throws(
      () => unpackResults(cells as readonly Cell[], book, redact),
      TypeError,
      JSON.stringify(cells),
    );
  }
});
