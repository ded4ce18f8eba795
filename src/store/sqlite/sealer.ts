/** The engine's hold on the thread that seals what was stored in clear, and what it says of it. */
import type { CellKeys } from "../../crypto/keys.ts";
import type { Logger } from "../../logging/mod.ts";
import type { FromSealer, ToSealer } from "./protocol.ts";

export class Sealer implements AsyncDisposable {
  readonly #worker: Worker;
  readonly #ended = Promise.withResolvers<void>();
  readonly #logger: Logger | undefined;

  constructor(
    { path, keys, logger }: {
      readonly path: string;
      readonly keys: CellKeys;
      readonly logger: Logger | undefined;
    },
  ) {
    this.#logger = logger;
    logger?.info("store.sealing", { reason: "cells in clear are left from before the key" });
    this.#worker = new Worker(new URL("./sealing_worker.ts", import.meta.url), {
      type: "module",
      name: "store sealer",
    });
    this.#worker.onmessage = ({ data }: MessageEvent<FromSealer>) => this.#onEnd(data);
    this.#worker.onerror = (event) => {
      event.preventDefault();
      this.#fail("store.failed", "its thread ended");
    };
    this.#post({ type: "seal", path, keys });
  }

  /** Ends it after the batch it is at; the next opening goes on from there. */
  async [Symbol.asyncDispose](): Promise<void> {
    this.#post({ type: "stop" });
    await this.#ended.promise;
    this.#worker.terminate();
  }

  #onEnd(message: FromSealer): void {
    if (message.type === "failed") {
      return this.#fail(message.failure.code, message.failure.message);
    }
    if (message.type === "sealed") {
      const cells = Object.values(message.cells).reduce((sum, cells) => sum + cells, 0);
      this.#logger?.info("store.sealed", { cells });
    } else this.#logger?.info("store.sealing_stopped");
    this.#ended.resolve();
  }

  /** The engine runs on: what comes is sealed, what is there can be read. */
  #fail(code: string, reason: string): void {
    this.#logger?.error("store.sealing_failed", { code, reason });
    this.#ended.resolve();
  }

  #post(message: ToSealer): void {
    this.#worker.postMessage(message);
  }
}
