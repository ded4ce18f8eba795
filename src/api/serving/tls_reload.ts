/**
 * Looks at the certificate files while the API runs and takes new ones up.
 *
 * A renewal writes several files, one after the other, so they are read once they have been quiet
 * from one look to the next. Files that cannot be used leave what is served as it is.
 */
import { X509Certificate } from "node:crypto";
import type { TLSSocket } from "node:tls";
import type { Clock } from "../../clock.ts";
import { EngineError, errorClass } from "../../errors.ts";
import type { Logger } from "../../logging/mod.ts";

/** PEM texts; the key is not encrypted any more, so it must not be logged. */
export interface TlsMaterial {
  readonly cert: string;
  readonly key: string;
  /** Authorities whose clients are let in; undefined asks clients for no certificate. */
  readonly ca: string | undefined;
}

export interface ApiTls {
  readonly minVersion: "1.2" | "1.3";
  /** Paths that `load()` reads. */
  readonly files: readonly string[];
  /** Reads and checks the files. @throws {EngineError} they cannot be used. */
  readonly load: () => TlsMaterial;
  /** Makes what decides, handshake done, whether a client of these authorities may stay. */
  readonly clientsOf: (ca: string) => { admits(secured: TLSSocket): boolean };
}

const DAY_MS = 86_400_000;
/** How often the files are looked at. */
export const LOOK_MS = 5_000;

export class TlsReload implements Disposable {
  readonly #tls: ApiTls;
  readonly #logger: Logger;
  readonly #clock: Clock;
  /** What the files looked like when they were last read, and at the last look. */
  #read = "";
  #seen = "";
  #timer: ReturnType<typeof setTimeout> | undefined;
  #isOver = false;

  constructor(tls: ApiTls, { logger, clock }: { logger: Logger; clock: Clock }) {
    this.#tls = tls;
    this.#logger = logger;
    this.#clock = clock;
  }

  /** Reads the files. @throws {EngineError} they cannot be used. */
  load(): TlsMaterial {
    // Looked at before they are read: a change between the two is found at the next look.
    this.#read = this.#seen = this.#tls.files.map(statSync).join("\n");
    return this.#loadSeen();
  }

  /**
   * Looks at the files every `everyMs` from now on; `apply` serves new connections with what it is
   * given, those that are open go on.
   */
  follow(apply: (material: TlsMaterial) => void, everyMs = LOOK_MS): void {
    this.#timer = setTimeout(async () => {
      await this.look(apply);
      if (!this.#isOver) this.follow(apply, everyMs);
    }, everyMs);
  }

  /** Looks once. */
  async look(apply: (material: TlsMaterial) => void): Promise<void> {
    const now = (await Promise.all(this.#tls.files.map(stat))).join("\n");
    const isQuiet = now === this.#seen;
    this.#seen = now;
    if (this.#isOver || now === this.#read || !isQuiet) return;
    this.#read = now;
    try {
      apply(this.#loadSeen());
    } catch (thrown) {
      const code = thrown instanceof EngineError ? thrown.code : undefined;
      // Ours name files; what the runtime says of a key could repeat parts of it.
      const reason = thrown instanceof EngineError ? thrown.message : errorClass(thrown);
      this.#logger.error("api.certificate_kept", { code, reason });
    }
  }

  #loadSeen(): TlsMaterial {
    const material = this.#tls.load();
    const { validTo, fingerprint256: fingerprint } = new X509Certificate(material.cert);
    // No date: the redactor takes every one for a patient's.
    const daysLeft = Math.floor((Date.parse(validTo) - this.#clock.now()) / DAY_MS);
    this.#logger.info("api.certificate_loaded", { days_left: daysLeft, fingerprint });
    if (daysLeft < 0) this.#logger.warning("api.certificate_expired", { fingerprint });
    return material;
  }

  [Symbol.dispose](): void {
    this.#isOver = true;
    clearTimeout(this.#timer);
  }
}

async function stat(path: string): Promise<string> {
  return await Deno.stat(path).then(signature, () => "unreadable");
}

function statSync(path: string): string {
  try {
    return signature(Deno.statSync(path));
  } catch {
    return "unreadable";
  }
}

/** Changes when the file is written, replaced, or stands behind a link that is turned elsewhere. */
function signature({ dev, ino, size, mtime, ctime }: Deno.FileInfo): string {
  return [dev, ino, size, mtime?.getTime(), ctime?.getTime()].join(":");
}
