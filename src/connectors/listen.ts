/**
 * Binds a listening socket, or says in one sentence why it cannot be bound.
 *
 * The permission is asked for first: a listen the runtime refuses throws out of reach of every
 * handler and would end the process.
 */
import net from "node:net";
import { hostAndPort } from "../settings/mod.ts";
import { ConnectorError, type ListenAddress } from "./connector.ts";

/**
 * Resolves once `server` listens.
 *
 * @throws {ConnectorError} `connector.bind_denied`, `connector.bind_in_use`,
 * `connector.bind_unavailable` or `connector.bind_failed`.
 */
export async function listen(server: net.Server, wanted: ListenAddress): Promise<void> {
  requirePermission(wanted);
  // A name and its address are granted apart, and the runtime asks for both.
  const address = { host: resolve(wanted), port: wanted.port };
  requirePermission(address);
  await new Promise<void>((resolve, reject) => {
    const fail = (cause: Error & { code?: string }) => reject(bindError(address, cause));
    server.once("error", fail);
    server.listen({ port: address.port, host: address.host }, () => {
      server.off("error", fail);
      resolve();
    });
  });
}

/** Stops accepting; resolves once the listening socket and all its connections are gone. */
export function closeServer(server: net.Server): Promise<void> {
  return new Promise((resolve) => server.close(() => resolve()));
}

/** Finds the address of a name by binding it for a moment: a plain look-up needs a wider grant. */
function resolve({ host, port }: ListenAddress): string {
  if (net.isIP(host) !== 0) return host;
  try {
    using listener = Deno.listen({ hostname: host, port });
    return listener.addr.hostname;
  } catch (cause) {
    throw bindError({ host, port }, cause as Error);
  }
}

function requirePermission(address: ListenAddress): void {
  const host = hostAndPort(address);
  if (Deno.permissions.querySync({ name: "net", host }).state === "granted") return;
  throw new ConnectorError(
    "connector.bind_denied",
    `Cannot listen on "${host}": the process has no permission for it`,
    { hint: `Start the engine with --allow-net=${host}, or let serve derive its permissions` },
  );
}

function bindError(address: ListenAddress, cause: Error & { code?: string }): ConnectorError {
  const host = hostAndPort(address);
  switch (cause.code) {
    case "EADDRINUSE":
      return new ConnectorError("connector.bind_in_use", `Cannot listen on "${host}": in use`, {
        cause,
        hint: "Stop the program that listens there, or give this connection another port",
      });
    // The runtime reports an address of another machine as EINVAL.
    case "EADDRNOTAVAIL":
    case "EINVAL":
    case undefined: // a name that nobody knows
      return new ConnectorError(
        "connector.bind_unavailable",
        `Cannot listen on "${host}": this machine has no such address`,
        { cause, hint: 'Set "bind_address" to an address of this machine' },
      );
    case "EACCES":
    case "EPERM":
      return new ConnectorError(
        "connector.bind_denied",
        `Cannot listen on "${host}": the operating system refuses it`,
        { cause, hint: "Ports below 1024 need a privilege; use a higher one" },
      );
    default:
      return new ConnectorError("connector.bind_failed", `Cannot listen on "${host}"`, { cause });
  }
}
