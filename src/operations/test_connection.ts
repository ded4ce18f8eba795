/** Reaches for a connection's partner without sending data. */
import type { Engine } from "../engine.ts";
import { findInScope } from "./channel_scope.ts";
import type { Outbound } from "./connection.ts";
import { failureText, operation } from "./operation.ts";

export interface ConnectionTest {
  readonly name: string;
  readonly direction: "inbound" | "outbound";
  /** False: there is nothing outside to reach. */
  readonly supported: boolean;
  readonly success: boolean;
  readonly durationMs: number;
  readonly detail: string | undefined;
}

const PROBE_LIMIT_MS = 35_000;

export const testConnection = operation({
  permission: "connections:test",
  async run(
    engine,
    { name }: { readonly name: string },
    _rowOf,
    actor,
  ): Promise<ConnectionTest> {
    const found = findInScope(engine, name, actor);
    if (found.direction === "outbound") return await probe(engine, found.outbound);
    return {
      name,
      direction: "inbound",
      supported: false,
      success: false,
      durationMs: 0,
      detail: "An inbound reaches for nobody: its status says whether it receives",
    };
  },
  audit: (_input, { name, direction, supported, success, detail }) => ({
    action: "connection_test",
    channel: direction === "inbound" ? name : undefined,
    fields: { connection: name, direction, supported, success, detail },
  }),
});

async function probe(engine: Engine, outbound: Outbound): Promise<ConnectionTest> {
  const { clock } = engine;
  const { name } = outbound;
  const limit = new AbortController();
  const timer = setTimeout(() => limit.abort(), PROBE_LIMIT_MS);
  const startedAt = clock.monotonic();
  const outcome = { name, direction: "outbound" as const, supported: true };
  try {
    await Promise.race([outbound.destination.probe(limit.signal), rejectOn(limit.signal)]);
    const durationMs = clock.monotonic() - startedAt;
    return { ...outcome, success: true, durationMs, detail: undefined };
  } catch (thrown) {
    const durationMs = clock.monotonic() - startedAt;
    const detail = limit.signal.aborted
      ? `No answer within ${PROBE_LIMIT_MS / 1000} seconds`
      : failureText(thrown);
    return { ...outcome, success: false, durationMs, detail };
  } finally {
    clearTimeout(timer);
  }
}

/** For a probe that does not heed its signal. */
function rejectOn(signal: AbortSignal): Promise<never> {
  return new Promise((_, reject) => {
    signal.addEventListener("abort", () => reject(signal.reason), { once: true });
  });
}
