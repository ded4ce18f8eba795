import assert from "node:assert/strict";
import { hasPostgres } from "../../postgres/server.ts";
import { hasNetworks, Network } from "./network.ts";

// Goal: whatever becomes of the way between a node and its database, a leader that is cut off stops
// while its lease lasts, another follows when it has ended, nothing is lost or reordered, no two send
// or acknowledge at one time, and a node that is healed works as one.
// Method: nodes as processes on machines of a network that the kernel makes and breaks; the program
// beside the database and the partner is partitions.ts.

const isHere = hasPostgres() && await hasNetworks();
const LIMIT_MS = 120_000;

function test(name: string, partition: string): void {
  Deno.test({ name, ignore: !isHere, fn: () => hold(partition) });
}

test(
  "a way to the database that falls silent, both ways or one, costs a standby nothing and a leader its term",
  "silence",
);

test(
  "connections that are reset, pulled out, forgotten or left half open are noticed in time at both ends",
  "ends",
);

async function hold(partition: string): Promise<void> {
  await using network = await Network.make(2);
  const program = network.start(new URL("partitions.ts", import.meta.url), [partition], "piped");
  const timer = setTimeout(() => program.kill("SIGKILL"), LIMIT_MS);
  const { success, stderr } = await program.output();
  clearTimeout(timer);
  assert.ok(success, new TextDecoder().decode(stderr));
}
