/**
 * Where a request really comes from: the peer, unless the peer is a proxy the settings trust; then
 * what that proxy says. Source: A `[api]` trusted_proxies; spec api §2.8.
 */
import { BlockList, isIP } from "node:net";

export interface Origin {
  /** Address of whoever asks. */
  readonly client: string;
  /** The request came over TLS as far as a trusted proxy knows. */
  readonly isSecure: boolean;
}

/** Proxies looked through at most. */
const HOPS_MAX = 16;

export class TrustedProxies {
  readonly #list = new BlockList();
  readonly #isEmpty: boolean;

  /** Takes addresses and networks, as `[api] trusted_proxies` has them. */
  constructor(entries: readonly string[]) {
    this.#isEmpty = entries.length === 0;
    for (const entry of entries) {
      const [address = "", bits] = entry.split("/");
      const family = isIP(address) === 6 ? "ipv6" : "ipv4";
      if (bits === undefined) this.#list.addAddress(address, family);
      else this.#list.addSubnet(address, Number(bits), family);
    }
  }

  originOf({ headers }: Request, peer: string): Origin {
    const client = plainAddress(peer) ?? peer;
    if (!this.#trusts(client)) return { client, isSecure: false };
    return {
      client: this.#forwarded(headers.get("x-forwarded-for"), client),
      isSecure: lastOf(headers.get("x-forwarded-proto"))?.toLowerCase() === "https",
    };
  }

  #trusts(address: string): boolean {
    if (this.#isEmpty) return false;
    const family = isIP(address);
    return family !== 0 && this.#list.check(address, family === 6 ? "ipv6" : "ipv4");
  }

  /**
   * Each proxy adds its own peer at the end, so the list is read from there: the first address that
   * is no trusted proxy is the client. What stands before it anybody could have written.
   */
  #forwarded(header: string | null, peer: string): string {
    const hops = header?.split(",").slice(-HOPS_MAX) ?? [];
    let client = peer;
    for (const hop of hops.reverse()) {
      const address = plainAddress(hop.trim());
      if (address === undefined) return client;
      client = address;
      if (!this.#trusts(client)) return client;
    }
    return client;
  }
}

function lastOf(header: string | null): string | undefined {
  return header?.split(",").at(-1)?.trim();
}

/** `10.0.0.1`, `10.0.0.1:80`, `[::1]:80` and `::ffff:10.0.0.1` as a bare address. */
function plainAddress(text: string): string | undefined {
  const bare = /^\[([^\]]+)\](:\d+)?$/.exec(text)?.[1] ??
    /^(\d{1,3}(?:\.\d{1,3}){3}):\d+$/.exec(text)?.[1] ?? text;
  const mapped = /^::ffff:(\d{1,3}(?:\.\d{1,3}){3})$/i.exec(bare)?.[1] ?? bare;
  return isIP(mapped) === 0 ? undefined : mapped.toLowerCase();
}
