/** What of the dialect is text alone, and how texts of a batch are joined. */
import type { Dialect, Parts, ServerCell, ServerValue } from "../server/dialect.ts";
import { checks } from "./checks.ts";
import { jsonRows } from "./lists.ts";
import { queries } from "./queries.ts";
import { registerSql } from "./registers/mod.ts";
import { statements } from "./statements.ts";

type Texts = Pick<
  Dialect,
  "product" | "statements" | "queries" | "registers" | "checks" | "join" | "leads" | "leadsNever"
>;

export const texts: Texts = {
  product: "SQL Server",
  statements,
  queries,
  registers: registerSql,
  checks,
  join: joinParts,

  // The lease's row is read in each transaction, after the store's lock is held.
  leads: (epoch) => ({
    condition: "EXISTS (SELECT 1 FROM mefor.leader_lease " +
      "WHERE lease_key = N'leader' AND leader_epoch = @p1)",
    values: [epoch],
  }),
  leadsNever: { condition: "1 = 0", values: [] },
};

/** One request of several statements, each with its rows as one value. */
function joinParts(parts: Parts): ReturnType<Dialect["join"]> {
  const values: ServerValue[] = [];
  const texts = parts.map(({ name, values: columns }) => {
    values.push(jsonRows(columns as readonly (readonly ServerCell[])[]));
    return statements[name].replaceAll(/@p1\b/g, `@p${values.length}`);
  });
  return { text: texts.join(";\n"), values };
}
