/**
 * Reads the certificates this engine shows to others and says which run out soon.
 *
 * Only certificates are read, never a key; of several in one file the first to run out counts. A file
 * that cannot be read is told of in the log and does not keep the others from being looked at.
 * Source: A `[cert_monitor]`; spec pipeline-store-cluster §8.
 */
import { X509Certificate } from "node:crypto";
import type { Clock } from "../clock.ts";
import { errorClass } from "../errors.ts";
import type { Logger } from "../logging/mod.ts";
import type { CertificateExpiry } from "./event.ts";

export interface CertificateFile {
  /** A connection, or `api`. */
  readonly connection: string;
  readonly path: string;
}

export interface CertificatesOptions {
  readonly warnDays: number;
  /** Every file in use now; asked at each look. */
  readonly files: () => readonly CertificateFile[];
  readonly readText: (path: string) => Promise<string>;
  readonly raise: (event: CertificateExpiry) => void;
  readonly clock: Clock;
  readonly logger: Logger;
}

const DAY_MS = 86_400_000;

/** Looks at every file once; returns whose run out, or soon will. Never throws. */
export async function lookAtCertificates(
  options: CertificatesOptions,
): Promise<ReadonlySet<string>> {
  const { warnDays, files, readText, raise, clock, logger } = options;
  const ending = new Set<string>();
  for (const { connection, path } of files()) {
    let notAfter: number;
    try {
      notAfter = firstEnd(await readText(path));
    } catch (thrown) {
      logger.warning("alert.certificate_unreadable", {
        connection,
        path,
        error: errorClass(thrown),
      });
      continue;
    }
    const leftMs = notAfter - clock.now();
    if (leftMs > warnDays * DAY_MS) continue;
    const daysRemaining = Math.floor(leftMs / DAY_MS);
    raise({ type: "cert_expiry", connection, path, notAfter, daysRemaining });
    ending.add(connection);
  }
  return ending;
}

/** Milliseconds since the epoch at which the first certificate of a PEM text runs out. */
function firstEnd(pem: string): number {
  const blocks = pem.match(/-----BEGIN CERTIFICATE-----[^-]+-----END CERTIFICATE-----/g) ?? [];
  if (blocks.length === 0) throw new TypeError("No certificate");
  return Math.min(...blocks.map((block) => Date.parse(new X509Certificate(block).validTo)));
}
