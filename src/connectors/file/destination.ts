/**
 * Writes one file for each message.
 *
 * A file appears under its name whole or not at all: it is written beside under a hidden name and
 * then claimed by a link, which never replaces a file, or by a rename where that is wanted. A
 * delivery is done when the bytes are on the disk, for its row is forgotten after it.
 */
import path from "node:path";
import {
  type ConnectionCounters,
  type DeliveryAnswer,
  DeliveryError,
  type Destination,
  type OutboundMessage,
} from "../connector.ts";
import { newCounters } from "../counters.ts";
import { payloadBytes } from "../payload.ts";
import { renderFilename } from "./filename.ts";
import { FreeNames } from "./free_name.ts";
import type { FileDestinationOptions } from "./options.ts";

/** Files hold patient data: nobody but the engine's user and root may read them. */
const fileMode = 0o600;

/** Unfinished files of a process that died are removed once they are this old. */
const orphanMsMin = 3_600_000;

const temporaryName = /^\.mefor-[0-9a-f-]{36}\.part$/;

export class FileDestination implements Destination {
  readonly counters: ConnectionCounters = newCounters();
  readonly #options: FileDestinationOptions;
  readonly #names = new FreeNames();
  #isClosed = false;
  /** Where the directory really is; files go nowhere else, whatever a link is turned to later. */
  #root: string | undefined;

  constructor(options: FileDestinationOptions) {
    this.#options = options;
  }

  /**
   * Writes one file; several calls may run at once.
   *
   * @throws {DeliveryError} `delivery.write_failed`, worth trying again, with `reached: "no"`: no
   * file has appeared. `delivery.unencodable` and `delivery.corrupt_body` are permanent.
   */
  async send(message: OutboundMessage, signal: AbortSignal): Promise<DeliveryAnswer> {
    const bytes = payloadBytes(message.text, this.#options.codec);
    const name = renderFilename(this.#options.filename, message.text);
    await this.#attempt(signal, async (root) => {
      const temporary = await writeTemporary(root, bytes);
      try {
        // Renaming replaces a symbolic link itself, never what it points to.
        if (this.#options.overwrites) await Deno.rename(temporary, path.join(root, name));
        else await this.#claim(temporary, { root, name, bytes });
      } finally {
        await removeQuietly(temporary);
      }
      await syncDirectory(root);
    });
    this.counters.bytesOut += bytes.length;
    return { accepted: true };
  }

  async probe(signal: AbortSignal): Promise<void> {
    await this.#attempt(signal, async (root) => {
      await Deno.remove(await writeTemporary(root, new Uint8Array(0)));
    });
  }

  close(): Promise<void> {
    this.#isClosed = true;
    return Promise.resolve();
  }

  async #attempt(signal: AbortSignal, work: (root: string) => Promise<void>): Promise<void> {
    const { directory } = this.#options;
    if (this.#isClosed || signal.aborted) {
      throw new DeliveryError("delivery.aborted", "Cannot deliver: the connection is stopped", {
        reached: "no",
      });
    }
    try {
      await work(await this.#resolveRoot());
    } catch (cause) {
      throw new DeliveryError("delivery.write_failed", `Cannot write to "${directory}"`, {
        cause: withoutPath(cause),
        reached: "no",
        hint: "Check free space, owner and mode of the directory, and the process's permission",
      });
    }
  }

  async #resolveRoot(): Promise<string> {
    const { directory } = this.#options;
    await Deno.mkdir(directory, { recursive: true });
    const root = await Deno.realPath(directory);
    if (this.#root === undefined) {
      await removeOrphans(root);
      this.#root = root;
    }
    if (root !== this.#root) throw new Error("the directory is a link that leads elsewhere now");
    return root;
  }

  async #claim(
    temporary: string,
    { root, name, bytes }: { root: string; name: string; bytes: Uint8Array },
  ): Promise<void> {
    await this.#names.find(name, name, async (candidate) => {
      const target = path.join(root, candidate);
      try {
        await Deno.link(temporary, target);
        return true;
      } catch (cause) {
        if (cause instanceof Deno.errors.AlreadyExists) return false;
        // Some file systems have no hard links; the copy below refuses a taken name as well.
        return await copyToNew(target, bytes);
      }
    });
  }
}

/** Writes `bytes` to the disk under a hidden name in `root`; returns its path. */
async function writeTemporary(root: string, bytes: Uint8Array): Promise<string> {
  const temporary = path.join(root, `.mefor-${crypto.randomUUID()}.part`);
  try {
    await writeNew(temporary, bytes);
  } catch (failure) {
    await removeQuietly(temporary);
    throw failure;
  }
  return temporary;
}

/** Writes a file that must not exist yet; false when it does. Removes what it could not finish. */
async function copyToNew(target: string, bytes: Uint8Array): Promise<boolean> {
  try {
    await writeNew(target, bytes);
    return true;
  } catch (cause) {
    if (cause instanceof Deno.errors.AlreadyExists) return false;
    await removeQuietly(target);
    throw cause;
  }
}

async function writeNew(file: string, bytes: Uint8Array): Promise<void> {
  using open = await Deno.open(file, { write: true, createNew: true, mode: fileMode });
  let written = 0;
  while (written < bytes.length) written += await open.write(bytes.subarray(written));
  await open.sync();
}

/** Makes the new name durable. Where directories cannot be synced, the file's own sync must do. */
async function syncDirectory(directory: string): Promise<void> {
  try {
    using open = await Deno.open(directory, { read: true });
    await open.sync();
  } catch {
    // Windows and some network file systems.
  }
}

async function removeQuietly(file: string): Promise<void> {
  try {
    await Deno.remove(file);
  } catch {
    // Renamed away, or never made; an orphan is swept later.
  }
}

async function removeOrphans(directory: string): Promise<void> {
  for await (const { name } of Deno.readDir(directory)) {
    if (!temporaryName.test(name)) continue;
    const file = path.join(directory, name);
    // Another lane may finish with its own between the two steps.
    const changed = await Deno.lstat(file).then(({ mtime }) => mtime?.getTime(), () => undefined);
    if (changed !== undefined && Date.now() - changed > orphanMsMin) await removeQuietly(file);
  }
}

/** The runtime's messages quote paths, and a file's name can hold data of its message. */
function withoutPath(cause: unknown): unknown {
  if (!(cause instanceof Error)) return cause;
  const { name, code } = cause as Error & { code?: string };
  if (code === undefined && name === "Error") return cause;
  return new Error(code === undefined ? name : `${name} (${code})`);
}
