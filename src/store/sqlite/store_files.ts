/** The files of a store: how large they are, and whether they are whole. */
import { StoreError } from "../errors.ts";
import type { IntegrityAnswer } from "./integrity_worker.ts";

export class StoreFiles {
  readonly #path: string;
  /** Threads that check the file. */
  readonly #checks = new Map<Worker, (reason: StoreError) => void>();

  constructor(path: string) {
    this.#path = path;
  }

  /** Bytes of the database and the logs beside it. */
  async sizeBytes(): Promise<number> {
    const sizes = ["", "-wal", "-shm", "-log"].map((end) => fileBytes(this.#path + end));
    return (await Promise.all(sizes)).reduce((sum, bytes) => sum + bytes, 0);
  }

  /** Reads the whole database, beside its work: minutes for a large one. @throws {StoreError} */
  check(): Promise<IntegrityAnswer> {
    const worker = startWorker(new URL("./integrity_worker.ts", import.meta.url), "store check");
    const { promise, resolve, reject } = Promise.withResolvers<IntegrityAnswer>();
    worker.onmessage = ({ data }: MessageEvent<IntegrityAnswer>) => resolve(data);
    worker.onerror = (event) => {
      event.preventDefault();
      reject(new StoreError("store.failed", "Cannot check the store: its thread ended"));
    };
    worker.postMessage(this.#path);
    this.#checks.set(worker, reject);
    return promise.finally(() => {
      this.#checks.delete(worker);
      worker.terminate();
    });
  }

  failAll(error: StoreError): void {
    for (const reject of this.#checks.values()) reject(error);
  }
}

async function fileBytes(path: string): Promise<number> {
  try {
    return (await Deno.stat(path)).size;
  } catch (thrown) {
    if (thrown instanceof Deno.errors.NotFound) return 0;
    throw thrown;
  }
}

/** Starts a thread of the store. */
export function startWorker(entry: URL, name: string): Worker {
  return new Worker(entry, { type: "module", name });
}
