/** The demo's own folder: the store, what file connections write, the engine's log. */
import { relative, resolve } from "node:path";
import { CommandFailure } from "../failure.ts";

export interface DataFolder {
  /** Absolute. */
  readonly dir: string;
  readonly store: string;
  readonly archive: string;
  readonly research: string;
  readonly log: string;
}

/** Everything the demo makes there; nothing else is ever removed. */
const OURS = [
  "messagefoundry.db",
  "messagefoundry.db-wal",
  "messagefoundry.db-shm",
  "messagefoundry.db-log",
  "messagefoundry.db.lock",
  "archive",
  "research",
  "engine.log",
];

/**
 * Makes the folder; empties it of an earlier run's data unless that is to be kept.
 *
 * @throws {CommandFailure} when it cannot be written.
 */
export async function prepareDataFolder(
  name: string,
  { keep }: { readonly keep: boolean },
): Promise<DataFolder> {
  const dir = resolve(name);
  const folder = {
    dir,
    store: `${dir}/messagefoundry.db`,
    archive: `${dir}/archive`,
    research: `${dir}/research`,
    log: `${dir}/engine.log`,
  };
  try {
    await Deno.mkdir(dir, { recursive: true });
    if (!keep) await Promise.all(OURS.map((entry) => removeIfThere(`${dir}/${entry}`)));
    await Deno.mkdir(folder.archive, { recursive: true });
    await Deno.mkdir(folder.research, { recursive: true });
  } catch (cause) {
    throw new CommandFailure(`Cannot use the folder "${dir}" for the demo's data`, {
      cause,
      hint: cause instanceof Deno.errors.NotCapable
        ? "The task may write below demo-data only: name a folder there"
        : "Check that it is writable and that no other demo is running",
    });
  }
  return folder;
}

/** A path as a person standing in the project types it. */
export function nearPath(path: string): string {
  const near = relative(Deno.cwd(), path);
  return near.startsWith("..") ? path : near;
}

async function removeIfThere(path: string): Promise<void> {
  try {
    await Deno.remove(path, { recursive: true });
  } catch (thrown) {
    if (!(thrown instanceof Deno.errors.NotFound)) throw thrown;
  }
}
