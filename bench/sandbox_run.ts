/**
 * The `sandbox` profile: author code at several batch sizes, typical work beside none.
 *
 * Upstream: `main.ts`. Downstream: one `sandbox.ts` process per kind of author code, and
 * `report.ts`. The difference between the two kinds is the author's; the rest is the boundary's.
 */
import { fileURLToPath } from "node:url";
import { Child } from "./child.ts";
import { graphText } from "./engine_bundle.ts";
import { profiles } from "./profiles.ts";
import type { SandboxPlan } from "./sandbox.ts";

export const SANDBOX_PROFILE = "sandbox";

/** One line of the sandbox table; without times, `reason` says why. */
export interface SandboxResult {
  /** What the handler does: reads four fields, maps one and sets two, or only sends. */
  readonly handler: "typical" | "send only";
  /** Messages that cross the boundary together. */
  readonly batch: number;
  readonly messageBytes: number;
  readonly messages?: number;
  readonly wallUsPerMessage?: number;
  /** User and system time of all threads. */
  readonly cpuUsPerMessage?: number;
  readonly reason?: string;
}

const BATCHES = [1, 8, 64] as const;
const START_LIMIT_MS = 30_000;
const MESSAGE_BYTES = profiles[0]!.messageBytes;

const sendOnly = `import { handler, inbound, mllp, outbound, router, send } from "messagefoundry";
const partner = outbound("OB_0", mllp({ host: "127.0.0.1", port: 1 }));
const convert = handler("convert_0", (msg) => send(partner, msg));
inbound("IB_0", mllp({ port: 2 }), { router: router("route_0", () => convert) });
`;

/** Measures both kinds of author code for `seconds` a batch size, after as long to warm up. */
export async function runSandbox(seconds: number): Promise<SandboxResult[]> {
  const typical = graphText({ profile: profiles[0]!, inboundPorts: [2], lanePorts: [1] });
  return [
    ...await measure("typical", { graph: typical, transforms: true, seconds }),
    ...await measure("send only", { graph: sendOnly, transforms: false, seconds }),
  ];
}

async function measure(
  handler: SandboxResult["handler"],
  { seconds, ...rest }: Omit<SandboxPlan, "messageBytes"> & { readonly seconds: number },
): Promise<SandboxResult[]> {
  const plan: SandboxPlan = { ...rest, messageBytes: MESSAGE_BYTES };
  await using child = new Child({
    name: "sandbox",
    // The engine's files are read for the worker, which itself may do nothing.
    flags: ["--no-prompt", `--allow-read=${fileURLToPath(new URL("..", import.meta.url))}`],
    module: fileURLToPath(new URL("./sandbox.ts", import.meta.url)),
    args: [JSON.stringify(plan)],
  });
  const results: SandboxResult[] = [];
  for (const batch of BATCHES) {
    const result = { handler, batch, messageBytes: MESSAGE_BYTES };
    try {
      if (batch === BATCHES[0]) await child.next("ready", START_LIMIT_MS);
      await runBatch(child, { batch, seconds });
      results.push({ ...result, ...await runBatch(child, { batch, seconds }) });
    } catch (error) {
      results.push({ ...result, reason: error instanceof Error ? error.message : String(error) });
    }
  }
  return results;
}

async function runBatch(
  child: Child,
  { batch, seconds }: { readonly batch: number; readonly seconds: number },
): Promise<Partial<SandboxResult>> {
  await child.tell({ command: "run", batch, seconds });
  const ran = await child.next("ran", seconds * 1000 + START_LIMIT_MS);
  if (ran.wrong !== 0) return { reason: `${ran.wrong} messages without the wanted result` };
  return {
    messages: Number(ran.messages),
    wallUsPerMessage: Number(ran.wallUsPerMessage),
    cpuUsPerMessage: Number(ran.cpuUsPerMessage),
  };
}
