/** Whether the rows of a store fit together: what the engine relies on and no constraint says. */
import type { Dialect, ServerRow } from "./dialect.ts";
import { checkNames } from "./statement_names.ts";

/** Reads whole tables; minutes for a large store. */
export async function checkStore(
  { checks }: Pick<Dialect, "checks">,
  read: (name: string, text: string) => Promise<readonly ServerRow[]>,
): Promise<{ readonly ok: boolean; readonly detail: string }> {
  const found: string[] = [];
  for (const name of checkNames) {
    const count = Number((await read(`check.${name}`, checks[name]))[0]?.found ?? 0);
    if (count > 0) found.push(`${name}: ${count}`);
  }
  return { ok: found.length === 0, detail: found.length === 0 ? "ok" : found.join(", ") };
}
