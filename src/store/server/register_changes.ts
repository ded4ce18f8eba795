/** Carries out register intents in the transaction under way, all of them or none. */
import type { RegisterIntent, RegisterResult } from "../registers/mod.ts";
import type { AuditLog } from "./audit_log.ts";
import type { Dialect } from "./dialect.ts";
import type { Transaction } from "./transaction.ts";

/** What a change needs of the transaction it is part of. */
export type RegisterTransaction = Pick<Transaction, "begun" | "ask" | "all" | "first">;

/** A statement changed another number of rows than it had to: an answer, and nothing is written. */
export class NotApplied extends Error {
  override readonly name = "NotApplied";
  readonly result: RegisterResult = { applied: false, changed: [] };
}

export interface RegisterTools {
  readonly audit: AuditLog;
  readonly texts: Dialect["registers"];
}

/** @throws {NotApplied} @throws what the server says of a statement. */
export async function changeRegisters(
  tx: RegisterTransaction,
  intents: readonly RegisterIntent[],
  { audit, texts }: RegisterTools,
): Promise<readonly RegisterResult[]> {
  await tx.begun;
  const results: RegisterResult[] = [];
  for (const { changes, audit: rows } of intents) {
    const changed: number[] = [];
    for (const { name, values, expect } of changes) {
      const { count } = await tx.ask(texts[name], values, `register.${name}`);
      changed.push(count);
      if (expect !== undefined && count !== expect) throw new NotApplied();
    }
    for (const fields of rows) await audit.append(tx, fields);
    results.push({ applied: true, changed });
  }
  return results;
}
