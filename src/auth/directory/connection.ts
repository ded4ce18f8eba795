/**
 * One conversation with the directory: bind and search, each step within a time limit and all of
 * them together too, and no answer longer than anything honest.
 */
import net from "node:net";
import tls from "node:tls";
import { Client, type Entry, type Filter, ResultCodeError } from "ldapts";
import type { Clock } from "../../clock.ts";
import { type DirectoryAddress, hostAndPort } from "../../settings/mod.ts";
import { DirectoryError, directoryFailure, unusableAnswer } from "./errors.ts";

export interface DirectoryLimits {
  /** For TCP and TLS together. */
  readonly connectMs: number;
  /** For each request. */
  readonly stepMs: number;
  /** For one sign-in; a step that began in time still ends within its own limit. */
  readonly wholeMs: number;
}

export interface DirectoryTarget {
  readonly address: DirectoryAddress;
  /** PEM; undefined: the public authorities. */
  readonly ca: string | undefined;
  readonly verifiesCertificate: boolean;
  readonly limits: DirectoryLimits;
  readonly clock: Clock;
}

export interface SearchQuery {
  readonly base: string;
  readonly filter: Filter;
  readonly attributes: readonly string[];
  /** More entries than this are a failure. */
  readonly max: number;
}

export type BindAnswer =
  | { readonly isBound: true }
  /** `data`: Active Directory's own code, such as `52e`. */
  | { readonly isBound: false; readonly data: string | undefined };

/** Result code of a wrong name or password. Source: RFC 4511 §4.1.9. */
const INVALID_CREDENTIALS = 49;
/** Bytes of a whole conversation: what is no whole message yet is copied with every piece. */
const RECEIVED_MAX = 4 * 1024 * 1024;
const PAGE = 500;

export class DirectoryConnection implements AsyncDisposable {
  readonly #client: Client;
  readonly #target: DirectoryTarget;
  readonly #deadline: number;
  #socket: net.Socket | undefined;
  #isTooLong = false;

  /** `deadline`: on the monotonic clock. Nothing is sent yet. */
  constructor(target: DirectoryTarget, deadline: number) {
    const { address, ca, verifiesCertificate, limits } = target;
    this.#target = target;
    this.#deadline = deadline;
    this.#client = new Client({
      url: `${address.isSecure ? "ldaps" : "ldap"}://${hostAndPort(address)}`,
      connectTimeout: limits.connectMs,
      timeout: limits.stepMs,
      ...(address.isSecure && {
        tlsOptions: { ca, rejectUnauthorized: verifiesCertificate, minVersion: "TLSv1.2" },
      }),
      createConnection: ((...args: Parameters<typeof net.connect>) =>
        this.#hold(net.connect(...args), "connect")) as typeof net.connect,
      createSecureConnection: ((...args: Parameters<typeof tls.connect>) =>
        this.#hold(tls.connect(...args), "secureConnect")) as typeof tls.connect,
    });
  }

  /** Bounds what the server may send. */
  #hold<T extends net.Socket>(socket: T, ready: "connect" | "secureConnect"): T {
    this.#socket = socket;
    let received = 0;
    socket.once(ready, () => {
      socket.on("data", (bytes: Uint8Array) => {
        received += bytes.length;
        if (received <= RECEIVED_MAX) return;
        this.#isTooLong = true;
        socket.destroy();
      });
    });
    return socket;
  }

  /**
   * Proves a password. Neither may be empty: a bind with one of them empty succeeds and proves
   * nothing (RFC 4513 §5.1.2).
   * @throws {DirectoryError}
   */
  async bind(dn: string, password: string): Promise<BindAnswer> {
    if (dn === "" || !isBindable(password)) throw new TypeError("Nothing to bind with");
    try {
      await this.#step(() => this.#client.bind(dn, password));
      return { isBound: true };
    } catch (thrown) {
      if (!(thrown instanceof ResultCodeError) || thrown.code !== INVALID_CREDENTIALS) throw thrown;
      return { isBound: false, data: /, data ([0-9a-f]{1,8}),/i.exec(thrown.message)?.[1] };
    }
  }

  /** Referrals are not followed. @throws {DirectoryError} */
  async search({ base, filter, attributes, max }: SearchQuery): Promise<readonly Entry[]> {
    const pages = this.#client.searchPaginated(base, {
      scope: "sub",
      filter,
      attributes: [...attributes],
      timeLimit: Math.ceil(this.#target.limits.stepMs / 1000),
      paged: { pageSize: PAGE },
    });
    const entries: Entry[] = [];
    while (true) {
      const page = await this.#step(() => pages.next());
      if (page.done) return entries;
      entries.push(...page.value.searchEntries);
      if (entries.length > max) throw unusableAnswer(`more than ${max} entries`);
    }
  }

  async #step<T>(run: () => Promise<T>): Promise<T> {
    const { clock, limits } = this.#target;
    const begun = clock.monotonic();
    if (begun >= this.#deadline) {
      throw new DirectoryError("directory.timeout", "The directory does not answer in time");
    }
    try {
      return await run();
    } catch (thrown) {
      if (thrown instanceof ResultCodeError && thrown.code === INVALID_CREDENTIALS) throw thrown;
      if (this.#isTooLong) throw unusableAnswer(`more than ${RECEIVED_MAX} bytes`);
      const least = Math.min(limits.connectMs, limits.stepMs);
      throw directoryFailure(thrown, { isTooLate: clock.monotonic() - begun >= least });
    }
  }

  async [Symbol.asyncDispose](): Promise<void> {
    const isGone = this.#client.unbind();
    // The far end may not read any more.
    this.#socket?.destroy();
    await isGone.catch(() => undefined);
  }
}

/** A server that reads C strings takes what begins with NUL for empty. */
export function isBindable(password: string): boolean {
  return password !== "" && !password.includes("\0");
}
