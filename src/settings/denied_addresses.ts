/**
 * Addresses no partner has: link-local hosts, and the metadata services of clouds, which would hand
 * out credentials.
 *
 * Held three times: a graph that names one does not load; the process is started with `--deny-net`,
 * which the runtime checks again after a name was looked up; and a connector looks where a name has
 * led it before it sends a byte. The flag takes no IPv6 range and lets an IPv4 address in IPv6
 * clothes pass, so the other two are the wider ones.
 */
import { BlockList, isIP } from "node:net";
import { canonicalHost } from "./hosts.ts";

/** As `--deny-net` takes them. */
export const deniedNet: readonly string[] = [
  "169.254.0.0/16",
  "100.100.100.200",
  "168.63.129.16",
  "[fd00:ec2::254]",
];

const denied = new BlockList();
denied.addSubnet("169.254.0.0", 16, "ipv4");
denied.addAddress("100.100.100.200", "ipv4");
denied.addAddress("168.63.129.16", "ipv4");
denied.addAddress("fd00:ec2::254", "ipv6");
denied.addSubnet("fe80::", 10, "ipv6");

/** True for an address of that kind, however it is written; names are not looked up. */
export function isDeniedAddress(host: string): boolean {
  const canonical = canonicalHost(host);
  const family = isIP(canonical);
  return family !== 0 && denied.check(canonical, family === 4 ? "ipv4" : "ipv6");
}
