/**
 * How requests reach the API: from this machine only, over its own TLS, or through a proxy; and which
 * names it answers to. Source: spec api §0.2, §1.7, §2.8.
 */
import net from "node:net";
import type { Settings } from "../settings/mod.ts";
import type { Arrival } from "./arrival.ts";

type ApiSettings = Pick<
  Settings["api"],
  "host" | "tlsCertFile" | "tlsTerminatedUpstream" | "trustedProxies" | "publicOrigin"
>;

export class Exposure {
  /** True while only this machine can reach the API: its names are the only ones then. */
  readonly isLocal: boolean;
  /** `[api] public_origin` as browsers send it; undefined when it is not set. */
  readonly publicOrigin: string | undefined;
  readonly #isTlsDeclared: boolean;
  readonly #proxies: TrustedProxies;

  constructor(api: ApiSettings) {
    const isBehindTls = api.tlsTerminatedUpstream && api.trustedProxies.length > 0;
    this.isLocal = isLoopbackName(api.host) && !isBehindTls;
    this.publicOrigin = URL.parse(api.publicOrigin ?? "")?.origin;
    this.#isTlsDeclared = api.tlsCertFile !== undefined || isBehindTls;
    this.#proxies = new TrustedProxies(api.trustedProxies);
  }

  /**
   * True when browsers must be told to come back over TLS only: the request came over it, or the
   * settings say that every one does.
   */
  wantsStrictTransport(headers: Headers, { peer, isTls }: Arrival): boolean {
    if (isTls || this.#isTlsDeclared) return true;
    return this.#proxies.trusts(peer) && forwardedProtocol(headers) === "https";
  }
}

/** True for names and addresses that never leave the machine; brackets of IPv6 are allowed. */
export function isLoopbackName(name: string): boolean {
  return /^(localhost|127(\.\d{1,3}){3}|\[::1\]|::1)$/i.test(name);
}

/** What the nearest proxy says; those before it could say anything. */
function forwardedProtocol(headers: Headers): string | undefined {
  return headers.get("x-forwarded-proto")?.split(",").at(-1)?.trim().toLowerCase();
}

/** `[api] trusted_proxies`: addresses and networks whose forwarding headers are believed. */
export class TrustedProxies {
  readonly #blocks = new net.BlockList();

  /** `entries` are what `settings/checks.ts` lets through. */
  constructor(entries: readonly string[]) {
    for (const entry of entries) {
      const [address = "", bits] = entry.split("/");
      const family = net.isIPv6(address) ? "ipv6" : "ipv4";
      if (bits === undefined) this.#blocks.addAddress(address, family);
      else this.#blocks.addSubnet(address, Number(bits), family);
    }
  }

  /** Tells whether `peer`, as its socket reports it, is one of them. */
  trusts(peer: string): boolean {
    // A socket of both families reports IPv4 peers mapped; zones name interfaces of this machine.
    const address = peer.replace(/%.*$/, "").replace(/^::ffff:(?=\d+\.)/i, "");
    const family = net.isIP(address);
    return family !== 0 && this.#blocks.check(address, family === 4 ? "ipv4" : "ipv6");
  }
}
