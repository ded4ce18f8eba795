/**
 * Holds resumed TLS sessions to the client certificates a listener asks for.
 *
 * The runtime keeps one cache of sessions for the whole process, and looks at no certificate when one
 * is resumed: a session begun with a listener that asks for none, or that trusts another authority,
 * is let in wherever it is shown (seen with Deno 2.9.6, TLS 1.2 and 1.3).
 */
import { X509Certificate } from "node:crypto";
import type tls from "node:tls";
import { type Clock, systemClock } from "../clock.ts";

/** Certificates remembered; more than one listener ever sees. */
const KNOWN_MAX = 10_000;

export class ClientCertificates {
  readonly #authorities: readonly X509Certificate[];
  /** Fingerprints that passed a whole handshake with this listener, intermediates and all. */
  readonly #known = new Set<string>();
  readonly #clock: Pick<Clock, "now">;

  /** `ca` holds PEM certificates. */
  constructor(ca: string, clock: Pick<Clock, "now"> = systemClock) {
    const blocks = ca.match(/-----BEGIN CERTIFICATE-----[^-]+-----END CERTIFICATE-----/g) ?? [];
    this.#authorities = blocks.map((block) => new X509Certificate(block));
    this.#clock = clock;
  }

  /** Tells whether a connection whose handshake has ended may stay. */
  admits(secured: tls.TLSSocket): boolean {
    const leaf = secured.getPeerX509Certificate();
    if (leaf === undefined) return false;
    if (!secured.isSessionReused()) {
      if (this.#known.size >= KNOWN_MAX) this.#known.clear();
      this.#known.add(leaf.fingerprint256);
      return true;
    }
    const now = this.#clock.now();
    if (now < Date.parse(leaf.validFrom) || now > Date.parse(leaf.validTo)) return false;
    return this.#known.has(leaf.fingerprint256) ||
      this.#authorities.some((ca) => leaf.checkIssued(ca) && leaf.verify(ca.publicKey));
  }
}
