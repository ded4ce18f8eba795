/** Writes a file so that whoever reads it meanwhile sees the old text or the new one, never a part. */
import { basename, dirname, join } from "node:path";
import { CommandFailure } from "./failure.ts";

/**
 * Replaces the file, or makes it; its mode stays, `mode` is that of a new one.
 *
 * @throws {CommandFailure} nothing is changed.
 */
export async function replaceFile(path: string, text: string, mode = 0o600): Promise<void> {
  const beside = join(dirname(path), `.${basename(path)}.${Deno.pid}.new`);
  try {
    await Deno.writeTextFile(beside, text, { createNew: true, mode: await modeOf(path, mode) });
    await Deno.rename(beside, path);
  } catch (cause) {
    await Deno.remove(beside).catch(() => {});
    throw new CommandFailure(`Cannot write "${path}"`, { cause });
  }
}

async function modeOf(path: string, mode: number): Promise<number> {
  try {
    return ((await Deno.stat(path)).mode ?? mode) & 0o777;
  } catch (thrown) {
    if (thrown instanceof Deno.errors.NotFound) return mode;
    throw thrown;
  }
}
