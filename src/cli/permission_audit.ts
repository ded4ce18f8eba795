/** `messagefoundry permissions --audit FILE`: holds what a running engine asked for against the set. */
import type { CliContext } from "./context.ts";
import { CommandFailure, exitCodes } from "./failure.ts";
import { realPathOf } from "./paths.ts";
import { outsideOf, parsePermissionLog } from "./serve/permission_log.ts";
import type { Grant } from "./serve/permission_set.ts";

/** Prints what stands outside; returns 1 when something does. */
export async function auditPermissions(
  grants: readonly Grant[],
  { file, isJson }: { readonly file: string; readonly isJson: boolean },
  { terminal }: CliContext,
): Promise<number> {
  const log = parsePermissionLog(await readLog(file));
  if (log.length === 0) throw new CommandFailure(`The log "${file}" is empty`, {});
  const outside = outsideOf(grants, { log, realPathOf });
  if (isJson) terminal.out(JSON.stringify({ requests: log.length, outside }));
  else {
    for (const request of outside) terminal.out(request);
    const count = outside.length === 0 ? "none" : outside.length;
    terminal.out(`${log.length} requests, ${count} outside of the derived permissions`);
  }
  return outside.length === 0 ? exitCodes.ok : exitCodes.failed;
}

async function readLog(file: string): Promise<string> {
  try {
    return await Deno.readTextFile(file);
  } catch (cause) {
    throw new CommandFailure(`Cannot read the log "${file}"`, { cause });
  }
}
