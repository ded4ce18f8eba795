/** Which hosts a transport may reach. */

/** True when `host` stands in `list`; an empty list is any. Source: A `[alerts]`. */
export function isAllowedHost(host: string, list: readonly string[]): boolean {
  const plain = plainHost(host);
  return list.length === 0 || list.some((entry) => plainHost(entry) === plain);
}

function plainHost(host: string): string {
  return host.trim().toLowerCase().replace(/^\[(.*)\]$/, "$1").replace(/\.$/, "");
}
