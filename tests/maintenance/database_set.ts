/** Sets whose rows a database gives, for the tests of each kind of server. */
import assert from "node:assert/strict";
import { EngineError } from "../../src/errors.ts";
import type { DatabaseReference } from "../../src/graph/graph.ts";

export function databaseSet(
  parts: Partial<DatabaseReference> & Pick<DatabaseReference, "dialect" | "port">,
): DatabaseReference {
  return {
    kind: "database",
    name: "set",
    refreshMs: 1_000,
    position: undefined,
    host: "127.0.0.1",
    database: "postgres",
    auth: "sql",
    username: "postgres",
    password: undefined,
    statement: "SELECT 1",
    keyColumn: "k",
    valueColumn: undefined,
    encrypt: false,
    trustServerCertificate: false,
    tlsCaFile: undefined,
    connectTimeoutMs: 10_000,
    statementTimeoutMs: 20_000,
    ...parts,
  };
}

/** Code and message of a failed read, which is what the log gets. */
export async function refusal(reading: Promise<unknown>): Promise<readonly [string, string]> {
  try {
    await reading;
  } catch (thrown) {
    assert.ok(thrown instanceof EngineError, Deno.inspect(thrown));
    assert.doesNotMatch(`${thrown.message} ${thrown.hint} ${thrown.cause ?? ""}`, /CANARY/);
    return [thrown.code, thrown.message];
  }
  throw new Error("It was read");
}
