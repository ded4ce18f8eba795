/** Where a directory server is, as `[auth] ad_server` says it. */
import { isOneHost, plainHost } from "./hosts.ts";

export interface DirectoryAddress {
  readonly host: string;
  readonly port: number;
  /** TLS from the first byte, `ldaps://`. */
  readonly isSecure: boolean;
}

/** RFC 4516 names the schemes, IANA the ports. */
const PORTS: Readonly<Record<string, number | undefined>> = { "ldaps:": 636, "ldap:": 389 };

/** Reads `ldaps://dc1.example.org:636`; undefined for anything that is more than that, or less. */
export function directoryAddress(server: string | undefined): DirectoryAddress | undefined {
  const url = URL.parse(server?.trim() ?? "");
  const usual = PORTS[url?.protocol ?? ""];
  if (url === null || usual === undefined || !isOneHost(url.hostname)) return undefined;
  const port = url.port === "" ? usual : Number(url.port);
  const isBare = url.username === "" && url.password === "" && url.search === "" &&
    url.hash === "" && (url.pathname === "" || url.pathname === "/");
  if (!isBare || port === 0) return undefined;
  return { host: plainHost(url.hostname), port, isSecure: url.protocol === "ldaps:" };
}
