/** Puts read files away: into a directory below the scanned one, or out of the world. */
import path from "node:path";
import { FreeNames } from "./free_name.ts";
import { resolveInside } from "./inside.ts";
import type { Candidate } from "./listing.ts";

export class Filing {
  readonly #root: string;
  readonly #names = new FreeNames();

  /** `root` must be resolved. */
  constructor(root: string) {
    this.#root = root;
  }

  /** Makes `subdir` below the root. @throws when it cannot, or when it leads out of the root. */
  async prepare(subdir: string): Promise<void> {
    await this.#makeDirectory(path.join(this.#root, subdir));
  }

  /**
   * Moves a file into `subdir`, keeping its sub-path; a taken name gets a counter. Only this process
   * writes there, so looking first and renaming then replaces nothing.
   */
  async move(candidate: Candidate, subdir: string): Promise<void> {
    const wanted = path.join(this.#root, subdir, candidate.relative);
    const directory = path.dirname(wanted);
    await this.#makeDirectory(directory);
    const free = await this.#names.find(
      wanted,
      path.basename(wanted),
      async (name) => !await exists(path.join(directory, name)),
    );
    await Deno.rename(candidate.path, path.join(directory, free));
  }

  async remove(candidate: Candidate): Promise<void> {
    await Deno.remove(candidate.path);
  }

  async #makeDirectory(directory: string): Promise<void> {
    await Deno.mkdir(directory, { recursive: true });
    if (await resolveInside(this.#root, directory) !== undefined) return;
    throw new Error("a link leads out of the directory");
  }
}

async function exists(file: string): Promise<boolean> {
  try {
    await Deno.lstat(file);
    return true;
  } catch (cause) {
    if (cause instanceof Deno.errors.NotFound) return false;
    throw cause;
  }
}
