/**
 * Dials an address that no partner has, in a network namespace that has it; prints what came of it.
 * A literal stands for a name here: the engine is not asked whether the graph may name it.
 */
import net from "node:net";
import { dial } from "../../../src/connectors/mllp/link.ts";
import type { MllpDestinationOptions } from "../../../src/connectors/mllp/options.ts";

const [bind = "", host = ""] = Deno.args;
let connections = 0;
let bytes = 0;
const server = net.createServer((socket) => {
  connections += 1;
  socket.on("data", (chunk) => bytes += chunk.length);
  socket.on("error", () => {});
});
await new Promise<void>((resolve) => server.listen(0, bind, resolve));
const { port } = server.address() as net.AddressInfo;
const options = { host, port, connectTimeoutMs: 5_000 } as MllpDestinationOptions;
let outcome: string;
try {
  const socket = await dial(options, { signal: new AbortController().signal });
  socket.destroy();
  outcome = "connected";
} catch (thrown) {
  outcome = String((thrown as { code?: unknown }).code);
}
await new Promise((resolve) => setTimeout(resolve, 50));
console.log(JSON.stringify({ outcome, connections, bytes }));
Deno.exit(0);
