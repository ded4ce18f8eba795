import assert from "node:assert/strict";
import mssql from "mssql";
import { StoreError } from "../../../src/store/errors.ts";
import { ConnectionLost } from "../../../src/store/server/connection_lost.ts";
import {
  describeFailure,
  endsConnection,
  errorNumber,
  isEnvironmental,
} from "../../../src/store/sqlserver/failures.ts";

// What the library throws of itself; its errors have no types.
const { RequestError, ConnectionError } = mssql as unknown as Readonly<
  Record<"RequestError" | "ConnectionError", new (of: Error, code: string) => Error>
>;

/** As the library hands an error of the server on. */
function said(number: number, { severity = 16, before = [] }: {
  readonly severity?: number;
  readonly before?: readonly Error[];
} = {}): Error {
  const inner = Object.assign(new Error(`SECRET ${number}`), {
    info: { number, class: severity, message: `SECRET ${number}` },
  });
  return Object.assign(new RequestError(inner, "EREQUEST"), { precedingErrors: before });
}

const codes: readonly (readonly [number: number, code: string])[] = [
  [1205, "store.busy"],
  [1222, "store.busy"],
  [3960, "store.busy"],
  [10928, "store.busy"],
  [9002, "store.disk_full"],
  [1105, "store.disk_full"],
  [3906, "store.read_only"],
  [823, "store.corrupt"],
  [824, "store.corrupt"],
  [9001, "store.io"],
  [18456, "store.sign_in_refused"],
  [4060, "store.sign_in_refused"],
  [229, "store.not_allowed"],
  [262, "store.not_allowed"],
  [596, "store.unavailable"],
  [40613, "store.unavailable"],
  [10054, "store.unavailable"],
];

for (const [number, code] of codes) {
  Deno.test(`error ${number} is ${code}, and nobody's fault in a batch`, () => {
    const failure = describeFailure(said(number));
    assert.equal(failure.code, code);
    assert.ok(failure.hint);
    assert.ok(isEnvironmental(said(number)));
  });
}

for (const number of [2601, 2627, 2628, 245, 547, 50_000]) {
  Deno.test(`error ${number} is the fault of who asked, told by its number alone`, () => {
    assert.deepEqual(describeFailure(said(number)), {
      code: "store.failed",
      message: `Cannot complete a store transaction (${number})`,
      hint: undefined,
    });
    assert.equal(isEnvironmental(said(number)), false);
    assert.equal(endsConnection(said(number)), false);
  });
}

Deno.test("of several errors the first one counts: those behind it say what came of it", () => {
  const several = said(3621, { before: [said(2627)] });
  assert.equal(errorNumber(several), 2627);
  assert.match(describeFailure(several).message, /\(2627\)$/);
});

Deno.test("a statement that took too long is busy, and the connection stays", () => {
  const late = new RequestError(
    Object.assign(new Error("Timeout: Request failed to complete in 30000ms"), {
      code: "ETIMEOUT",
    }),
    "ETIMEOUT",
  );
  assert.equal(describeFailure(late).code, "store.busy");
  assert.ok(isEnvironmental(late));
  assert.equal(endsConnection(late), false);
});

Deno.test("what the library says of a connection ends it; so do the server's worst errors", () => {
  for (const code of ["ESOCKET", "ECONNCLOSED", "ECLOSE", "EINVALIDSTATE", "EABORT"]) {
    assert.ok(endsConnection(new RequestError(new Error("gone"), code)), code);
  }
  assert.ok(endsConnection(said(596)));
  assert.ok(endsConnection(said(4014, { severity: 20 })));
  assert.ok(endsConnection(new ConnectionLost()));
  assert.equal(describeFailure(new ConnectionLost()).code, "store.unavailable");
});

Deno.test("a sign-in that is refused is told as such, with a number or without", () => {
  const refused = new ConnectionError(new Error("Login failed for user 'mefor'."), "ELOGIN");
  assert.equal(describeFailure(refused).code, "store.sign_in_refused");
  assert.equal(describeFailure(said(18456)).code, "store.sign_in_refused");
});

Deno.test("no failure repeats what the server said, for it names values", () => {
  for (const number of [2627, 2628, 1205, 99_999]) {
    assert.doesNotMatch(JSON.stringify(describeFailure(said(number))), /SECRET/);
  }
  const own = new StoreError("store.newer_schema", "Cannot open the store", { hint: "Newer" });
  assert.deepEqual(describeFailure(own), {
    code: "store.newer_schema",
    message: "Cannot open the store",
    hint: "Newer",
  });
  assert.equal(describeFailure("thrown").message, "Cannot complete a store transaction (string)");
});
