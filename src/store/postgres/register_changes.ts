/** Carries out register intents in one transaction, each whole or not at all. */
import type { RegisterChange, RegisterIntent, RegisterResult } from "../registers/mod.ts";
import type { Outcome } from "../wire.ts";
import type { AuditLog } from "./audit_log.ts";
import { describeFailure, isEnvironmental } from "./failures.ts";
import { registerSql } from "./registers/mod.ts";
import type { Transaction } from "./transaction.ts";

/** What a change needs of the transaction it is part of. */
export type RegisterTransaction = Pick<Transaction, "begun" | "ask" | "attempt">;

export async function changeRegisters(
  tx: RegisterTransaction,
  intents: readonly RegisterIntent[],
  audit: AuditLog,
): Promise<readonly Outcome[]> {
  await tx.begun;
  const outcomes: Outcome[] = [];
  for (const intent of intents) outcomes.push(await isolated(tx, intent, audit));
  return outcomes;
}

async function isolated(
  tx: RegisterTransaction,
  intent: RegisterIntent,
  audit: AuditLog,
): Promise<Outcome> {
  // Audit rows alone, as most are: nothing of them can be refused.
  if (intent.changes.length === 0) return { result: await change(tx, intent, audit) };
  await tx.attempt("SAVEPOINT member");
  try {
    const result = await change(tx, intent, audit);
    if (!result.applied) await undo(tx, audit);
    await tx.attempt("RELEASE SAVEPOINT member");
    return { result };
  } catch (thrown) {
    if (isEnvironmental(thrown)) throw thrown;
    await undo(tx, audit);
    await tx.attempt("RELEASE SAVEPOINT member");
    return { failure: describeFailure(thrown) };
  }
}

async function undo(tx: RegisterTransaction, audit: AuditLog): Promise<void> {
  await tx.attempt("ROLLBACK TO SAVEPOINT member");
  audit.forget();
}

async function change(
  tx: RegisterTransaction,
  { changes, audit: rows }: RegisterIntent,
  audit: AuditLog,
): Promise<RegisterResult> {
  const changed: number[] = [];
  for (const { name, values, expect } of changes) {
    const { count } = await tx.attempt(registerSql[name], values, named(name));
    changed.push(count);
    if (expect !== undefined && count !== expect) return { applied: false, changed: [] };
  }
  for (const fields of rows) await audit.append(tx, fields);
  return { applied: true, changed };
}

function named(name: RegisterChange["name"]): string {
  return `register.${name}`;
}
