import assert from "node:assert/strict";
import fc from "fast-check";
import {
  type CameFrom,
  type Correlation,
  descend,
  readCorrelation,
  toMetadata,
} from "../../src/pipeline/correlation.ts";

const text = fc.string({ unit: "binary", maxLength: 20 });
const record = <T>(model: { [K in keyof T]: fc.Arbitrary<T[K]> }) =>
  fc.record(model, { noNullPrototype: true });
const from: fc.Arbitrary<CameFrom> = fc.oneof(
  record({
    kind: fc.constant("answer" as const),
    outbound: text,
    seq: fc.nat(),
    outcome: fc.constantFrom("accepted" as const, "rejected", "unparseable", "no_reply"),
  }),
  record({ kind: fc.constant("handler" as const), handler: text }),
);

Deno.test("readCorrelation() gives back what toMetadata() wrote", () => {
  const correlation = record<Correlation>({
    id: text,
    rootId: text,
    depth: fc.integer({ min: 1, max: 1_000 }),
    from,
  });
  fc.assert(
    fc.property(correlation, (one) => assert.deepEqual(readCorrelation(toMetadata(one)), one)),
  );
});

Deno.test("descend() goes one hop on and keeps the first of the chain", () => {
  fc.assert(
    fc.property(fc.array(from, { minLength: 1, maxLength: 12 }), (hops) => {
      let metadata: string | undefined;
      for (const [index, hop] of hops.entries()) {
        const next = descend({ messageId: `m${index}`, metadata }, hop);
        assert.deepEqual(next, { id: `m${index}`, rootId: "m0", depth: index + 1, from: hop });
        metadata = toMetadata(next);
      }
    }),
  );
});

Deno.test("readCorrelation() takes metadata of no other kind for a correlation", () => {
  const broken = ["", "[]", "null", "1", "{", '{"correlation_id":"a"}', "{}"];
  for (const one of [undefined, ...broken]) assert.equal(readCorrelation(one), undefined);
  fc.assert(fc.property(fc.json(), (one) => assert.equal(readCorrelation(one), undefined)));
  const sound = { correlation_id: "a", correlation_root_id: "b", passthrough_from: "h" };
  for (const depth of [0, -1, 1.5, "1", null]) {
    const data = JSON.stringify({ ...sound, correlation_depth: depth });
    assert.equal(readCorrelation(data), undefined, `depth ${depth}`);
  }
});
