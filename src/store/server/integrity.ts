/** Looks whether the rows of a store on a server fit together. */
import { verdictOf } from "../integrity.ts";
import type { Dialect, ServerRow } from "./dialect.ts";
import { checkNames } from "./statement_names.ts";

/** Reads whole tables; minutes for a large store. */
export async function checkStore(
  { checks }: Pick<Dialect, "checks">,
  read: (name: string, text: string) => Promise<readonly ServerRow[]>,
): Promise<{ readonly ok: boolean; readonly detail: string }> {
  const counts: [check: string, found: number][] = [];
  for (const name of checkNames) {
    counts.push([name, Number((await read(`check.${name}`, checks[name]))[0]?.found ?? 0)]);
  }
  return verdictOf(counts);
}
