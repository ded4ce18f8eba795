/**
 * How hosts are written: in settings, in a graph, and in the flags of the runtime.
 *
 * A name stays a name: nothing here is looked up. Source: A `[egress]`.
 */
import { isIPv6 } from "node:net";

/** A host and, where only that one is meant, a port. */
export interface HostEntry {
  readonly host: string;
  readonly port: number | undefined;
}

/** Returns the host as sockets take it: an IPv6 address without its brackets. */
export function plainHost(host: string): string {
  return host.replace(/^\[(.*)\]$/, "$1");
}

/** Writes `host:port` as URLs and grants take it: an IPv6 address in brackets. */
export function hostAndPort(
  { host, port }: { readonly host: string; readonly port: number },
): string {
  const plain = plainHost(host);
  return plain.includes(":") ? `[${plain}]:${port}` : `${plain}:${port}`;
}

/**
 * True for one name or one address. A pattern, a network, a port or a zone is none: as a permission
 * it would grant something else than it seems to.
 */
export function isOneHost(text: string): boolean {
  if (/^[A-Za-z0-9]([A-Za-z0-9._-]*[A-Za-z0-9])?\.?$/.test(text)) return text.length <= 253;
  return isIPv6(plainHost(text)) && !text.includes("%");
}

/**
 * Returns one spelling for each host: lower case, no brackets, no final dot, IPv6 compressed, an
 * IPv4 address in IPv6 clothes as IPv4. What is no host comes back as it is, in lower case.
 */
export function canonicalHost(host: string): string {
  const plain = plainHost(host.trim().toLowerCase()).replace(/\.$/, "");
  if (!plain.includes(":")) return plain;
  const [address = "", zone] = plain.split("%", 2);
  const url = URL.parse(`http://[${address}]/`);
  if (url === null) return plain;
  const short = plainHost(url.hostname);
  const mapped = /^::ffff:([0-9a-f]{1,4}):([0-9a-f]{1,4})$/.exec(short);
  if (mapped !== null) {
    const bits = (parseInt(mapped[1] ?? "0", 16) << 16 >>> 0) + parseInt(mapped[2] ?? "0", 16);
    return [24, 16, 8, 0].map((shift) => (bits >>> shift) & 255).join(".");
  }
  return zone === undefined ? short : `${short}%${zone}`;
}

/** True when a list names the host, in whatever spelling; an empty list is any host. */
export function isListedHost(host: string, list: readonly string[]): boolean {
  const one = canonicalHost(host);
  return list.length === 0 || list.some((entry) => canonicalHost(entry) === one);
}

/**
 * Reads `host`, `host:port`, `::1` or `[::1]:2575`; returns undefined for anything else. The host
 * comes back in its one spelling.
 */
export function parseHostEntry(entry: string): HostEntry | undefined {
  if (isOneHost(entry)) return { host: canonicalHost(entry), port: undefined };
  const [, host = "", digits] = /^(.*):(\d{1,5})$/.exec(entry) ?? [];
  const port = Number(digits);
  // Without brackets nobody can tell where an IPv6 address ends and its port begins.
  const isAmbiguous = host.includes(":") && !host.startsWith("[");
  if (isAmbiguous || !isOneHost(host) || port < 1 || port > 65_535) return undefined;
  return { host: canonicalHost(host), port };
}
