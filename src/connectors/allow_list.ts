/**
 * Which peers a listener takes in: addresses and CIDR blocks of both families.
 *
 * Source: spec connectors-and-graph §1.3 (`source_ip_allowlist`): IPv4-mapped IPv6 matches IPv4
 * entries, zone ids are stripped, a peer without an address is refused.
 */
import net from "node:net";
import { ConnectorError } from "./connector.ts";

/** Returns a socket's address without zone id, IPv4-mapped IPv6 as IPv4. */
export function plainAddress(address: string | undefined): string | undefined {
  if (address === undefined) return undefined;
  const bare = address.replace(/%.*$/, "");
  const mapped = /^::ffff:(\d+\.\d+\.\d+\.\d+)$/i.exec(bare);
  if (mapped !== null) return mapped[1];
  const hex = /^::ffff:([0-9a-f]{1,4}):([0-9a-f]{1,4})$/i.exec(bare);
  if (hex === null) return bare;
  const [high, low] = [parseInt(hex[1] as string, 16), parseInt(hex[2] as string, 16)];
  return `${high >> 8}.${high & 255}.${low >> 8}.${low & 255}`;
}

/** The peers of one listener. An empty list allows everyone. */
export class AllowList {
  readonly #blocks = new net.BlockList();
  readonly #isOpen: boolean;

  /** @throws {ConnectorError} `connector.bad_allowlist` for what is neither address nor CIDR. */
  constructor(entries: readonly string[]) {
    this.#isOpen = entries.length === 0;
    for (const entry of entries) this.#add(entry);
  }

  /** Tells whether a peer with this address, as its socket reports it, may connect. */
  allows(address: string | undefined): boolean {
    if (this.#isOpen) return true;
    const plain = plainAddress(address);
    const family = plain === undefined ? 0 : net.isIP(plain);
    return family !== 0 && this.#blocks.check(plain as string, family === 4 ? "ipv4" : "ipv6");
  }

  #add(entry: string): void {
    const [address = "", prefix, ...rest] = entry.trim().split("/");
    const bare = address.replace(/%.*$/, "");
    const plain = plainAddress(bare) as string;
    const family = net.isIP(plain);
    // A prefix of a mapped block counts the 96 bits before the IPv4 address.
    const mappedBits = plain === bare ? 0 : 96;
    const bits = prefix === undefined ? undefined : Number(prefix) - mappedBits;
    const isPrefix = bits === undefined ||
      (/^\d{1,3}$/.test(prefix as string) && bits >= 0 && bits <= (family === 4 ? 32 : 128));
    if (family === 0 || !isPrefix || rest.length > 0) {
      throw new ConnectorError(
        "connector.bad_allowlist",
        `Cannot read source_ip_allowlist: "${entry}" is neither an IP address nor a CIDR block`,
      );
    }
    const kind = family === 4 ? "ipv4" : "ipv6";
    if (bits === undefined) this.#blocks.addAddress(plain, kind);
    else this.#blocks.addSubnet(plain, bits, kind);
  }
}
