/**
 * The process that asks the API while messages flow: a fixed mix of reads at a fixed rate, on a few
 * kept connections.
 *
 * Upstream: `run.ts`. Downstream: the engine's API. Commands: `call` for some seconds; reports
 * `called` with how many were asked, answered otherwise than 200, and their latencies.
 */
import { ApiConnection } from "./api_connection.ts";
import { obey, readPlan, report } from "./child.ts";
import { percentile } from "./reconcile.ts";

export interface CallerPlan {
  readonly port: number;
  readonly token: string;
  readonly ratePerSecond: number;
}

const CONNECTIONS = 24;

/** What a console asks: mostly lists, then what was found in them, then figures. */
const MIX = [
  ...["/messages?limit=50", "MESSAGE", "/connections", "/messages?limit=50", "MESSAGE"],
  ...["/stats", "/messages?status=error", "/messages?limit=50&offset=500", "/dead-letters"],
  ...["/messages?channel_id=IB_1", "/status", "/events", "/alerts/active"],
] as const;

const plan = readPlan<CallerPlan>();
const connections = await Promise.all(
  Array.from({ length: CONNECTIONS }, () => ApiConnection.open(plan.port, plan.token)),
);
report({ event: "ready" });

/** Of a message that a list has shown. */
let messageId: string | undefined;

async function call(seconds: number): Promise<void> {
  const latencies: number[] = [];
  let asked = 0;
  let refused = 0;
  const total = Math.round(seconds * plan.ratePerSecond);
  const startedAt = performance.now();
  await Promise.all(connections.map(async (connection) => {
    while (asked < total) {
      const turn = asked++;
      const dueAt = startedAt + turn * 1000 / plan.ratePerSecond;
      const waitMs = dueAt - performance.now();
      if (waitMs > 0) await new Promise((resolve) => setTimeout(resolve, waitMs));
      const path = pathOf(turn);
      const answer = await connection.get(path);
      // From when it was due: a wait for a connection is a wait of the one who asks.
      latencies.push(performance.now() - dueAt);
      if (answer.status !== 200) refused += 1;
      if (messageId === undefined && path.startsWith("/messages?")) remember(answer.text());
    }
  }));
  const sorted = Float64Array.from(latencies).sort();
  report({
    ...{ event: "called", asked, refused },
    callsPerSecond: asked / ((performance.now() - startedAt) / 1000),
    p50Ms: percentile(sorted, 0.5),
    p99Ms: percentile(sorted, 0.99),
  });
}

function pathOf(turn: number): string {
  const path = MIX[turn % MIX.length]!;
  if (path !== "MESSAGE") return path;
  return messageId === undefined ? "/messages?limit=1" : `/messages/${messageId}`;
}

function remember(body: string): void {
  messageId = (JSON.parse(body) as { messages: { id: string }[] }).messages[0]?.id;
}

await obey(({ command, seconds }) => {
  if (command !== "call") return;
  call(Number(seconds)).catch((error) => report({ event: "failed", reason: String(error) }));
});
