/** Connections that read, made when they are needed and again when they are lost. */
import { StoreError } from "../errors.ts";
import { ConnectionLost } from "./connection_lost.ts";
import type {
  Dialect,
  ServerConnection,
  ServerOptions,
  ServerResult,
  ServerValue,
} from "./dialect.ts";

interface Slot {
  readonly opening: Promise<ServerConnection>;
  isLost(): boolean;
}

export class Readers implements AsyncDisposable {
  readonly #dialect: Dialect;
  readonly #server: ServerOptions;
  readonly #slots: (Slot | undefined)[];
  readonly #busy: number[];
  #isClosed = false;

  constructor(dialect: Dialect, server: ServerOptions, count: number) {
    this.#dialect = dialect;
    this.#server = server;
    this.#slots = Array.from({ length: count }, () => undefined);
    this.#busy = Array.from({ length: count }, () => 0);
  }

  /** Runs a read over the connection that has least to do. @throws {StoreError} */
  async query(name: string, text: string, values: readonly ServerValue[]): Promise<ServerResult> {
    try {
      return await this.#query(name, text, values);
    } catch (thrown) {
      // A connection that had died unnoticed is not worth a failure: a read may be made again.
      if (!(thrown instanceof ConnectionLost) || this.#isClosed) throw this.#toError(thrown);
    }
    try {
      return await this.#query(name, text, values);
    } catch (thrown) {
      throw this.#toError(thrown);
    }
  }

  async [Symbol.asyncDispose](): Promise<void> {
    this.#isClosed = true;
    const closing = this.#slots.map(async (slot) => (await slot?.opening)?.close());
    await Promise.allSettled(closing);
  }

  async #query(name: string, text: string, values: readonly ServerValue[]): Promise<ServerResult> {
    const at = this.#busy.indexOf(Math.min(...this.#busy));
    this.#busy[at]! += 1;
    try {
      return await (await this.#connection(at)).ask(text, values, name);
    } finally {
      this.#busy[at]! -= 1;
    }
  }

  /** Everybody who comes while it is being made gets the same one. */
  #connection(at: number): Promise<ServerConnection> {
    const former = this.#slots[at];
    if (former !== undefined && !former.isLost()) return former.opening;
    if (this.#isClosed) return Promise.reject(new ConnectionLost());
    let made: ServerConnection | undefined;
    let hasFailed = false;
    const opening = this.#dialect.connect(this.#server, "reader");
    opening.then((connection) => made = connection, () => hasFailed = true);
    this.#slots[at] = { opening, isLost: () => hasFailed || made?.isLost === true };
    return opening;
  }

  #toError(thrown: unknown): StoreError {
    const { code, message, hint } = this.#dialect.describeFailure(thrown);
    return new StoreError(code, message.replace("write to", "read"), { hint });
  }
}
