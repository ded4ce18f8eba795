/**
 * What author code costs by itself: batches through the sandbox, no sockets, no store.
 *
 * Upstream: `sandbox_run.ts` starts this process and says what to run. Downstream: the engine's own
 * `Sandbox` and its worker. Every result is looked at, so that nothing is measured that fails.
 */
import process from "node:process";
import { type RunRequest, type RunResult, Sandbox } from "../src/sandbox/mod.ts";
import { obey, readPlan, report } from "./child.ts";
import { CONTROL_ID_BYTES } from "./control_id.ts";
import { FACILITY, FACILITY_MAPPED, messagePool } from "./messages.ts";

/** What `sandbox_run.ts` passes as the first argument. */
export interface SandboxPlan {
  readonly graph: string;
  /** True when every result must carry the mapped facility. */
  readonly transforms: boolean;
  readonly messageBytes: number;
}

const POOL_SIZE = 16;
/** Of a load, a batch and a message: far above what any takes. */
const LIMIT_MS = 10_000;

const plan = readPlan<SandboxPlan>();
const texts = messagePool({ count: POOL_SIZE, bytes: plan.messageBytes }).map(({ bytes }) =>
  new TextDecoder().decode(bytes.subarray(1, bytes.length - 2))
);
let nextMessage = 0;

function nextRequest(): RunRequest {
  const number = nextMessage++;
  // A control ID of its own makes each text new, as each is that comes from a partner.
  const controlId = `B${String(number).padStart(CONTROL_ID_BYTES - 1, "0")}`;
  const text = texts[number % POOL_SIZE]!.replace(/B0{13}/, controlId);
  return {
    inbound: "IB_0",
    router: "route_0",
    text,
    contentType: "hl7v2",
    ingestTime: 1_700_000_000,
  };
}

/** True when the handler ran and sent what it should. */
function isRight({ error, outcomes }: RunResult): boolean {
  const [outcome] = outcomes;
  const [send] = outcome?.sends ?? [];
  if (error !== undefined || outcome?.error !== undefined || send === undefined) return false;
  return !plan.transforms || send.payload?.includes(`|${FACILITY_MAPPED}|`) === true;
}

async function runBatches(sandbox: Sandbox, batch: number, seconds: number): Promise<void> {
  const cpuFrom = process.cpuUsage();
  const from = performance.now();
  let messages = 0, wrong = 0;
  while (performance.now() - from < seconds * 1000) {
    const results = await sandbox.run(Array.from({ length: batch }, nextRequest));
    for (const result of results) if (!isRight(result)) wrong++;
    messages += batch;
  }
  const wallUs = (performance.now() - from) * 1000;
  const { user, system } = process.cpuUsage(cpuFrom);
  report({
    event: "ran",
    messages,
    wrong,
    wallUsPerMessage: wallUs / messages,
    cpuUsPerMessage: (user + system) / messages,
  });
}

const { sandbox, problems } = await Sandbox.load({
  graphDir: "graph",
  modules: [{ path: "bench.ts", source: plan.graph }],
  codeSets: [{ name: "facilities", entries: [[FACILITY, FACILITY_MAPPED]] }],
  environment: "dev",
  state: [],
  loadTimeoutMs: LIMIT_MS,
  batchTimeoutMs: LIMIT_MS,
  messageTimeoutMs: LIMIT_MS,
  redact: () => "redacted",
});
if (sandbox === undefined || problems.length > 0) {
  report({ event: "failed", reason: problems.map(({ message }) => message).join(", ") });
} else {
  report({ event: "ready" });
  await obey(({ command, batch, seconds }) => {
    if (command !== "run") return;
    runBatches(sandbox, Number(batch), Number(seconds))
      .catch((error) => report({ event: "failed", reason: String(error) }));
  });
}
