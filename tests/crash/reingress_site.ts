/**
 * An engine whose partner's answers come back in, killed at one point of the way: what its store
 * says afterwards. Without a key, so that the tables can be read here.
 */
import { DatabaseSync } from "node:sqlite";
import { MllpSender } from "../connectors/mllp_sender.ts";
import { ScriptedPartner } from "../connectors/scripted_partner.ts";
import { freePort, pause } from "../connectors/waiting.ts";
import { admission } from "../walk/bench.ts";
import { EngineChild } from "./engine_child.ts";

/** A message, its answers and what was made of them. */
export interface Traced {
  readonly controlId: string;
  readonly status: string;
  /** Deliveries to the lab that are done. */
  readonly done: number;
  readonly answers: number;
  /** Messages of the loopback that say they came from it, one for each answer. */
  readonly children: readonly string[];
}

const FAILPOINT_MS = 20_000;
const DRAIN_MS = 30_000;

export interface Outcome {
  /** The blow fell. */
  readonly reached: boolean;
  readonly traced: readonly Traced[];
  /** Control IDs the last partner got, as often as it got them. */
  readonly forwarded: readonly string[];
  readonly open: number;
}

/** Runs one engine into `failpoint`, another one until nothing is open. */
export async function runReingress(failpoint: string, messages = 12): Promise<Outcome> {
  await using lab = await ScriptedPartner.start();
  await using ward = await ScriptedPartner.start();
  const dir = await Deno.realPath(await Deno.makeTempDir({ prefix: "mefor_reingress_" }));
  const [port, apiPort] = [await freePort(), await freePort()];
  await Deno.chmod(dir, 0o755);
  await Deno.mkdir(`${dir}/graph`, { mode: 0o755 });
  const graph = graphText({ port, lab: lab.port, ward: ward.port });
  await Deno.writeTextFile(`${dir}/graph/loop.ts`, graph, { mode: 0o644 });
  await Deno.writeTextFile(`${dir}/messagefoundry.toml`, settingsText(dir, apiPort), {
    mode: 0o644,
  });
  let child: EngineChild | undefined;
  try {
    child = new EngineChild({ dir, failpoints: failpoint });
    await child.becomesReady();
    const sent = sendUntilAcknowledged(port, messages);
    const reached = await child.endsWithin(FAILPOINT_MS) && child.status?.signal === "SIGKILL";
    child.signal("SIGKILL");
    await child.ended;
    child = new EngineChild({ dir });
    if (!await child.becomesReady()) throw new Error(`No second life: ${child.errors}`);
    await sent;
    const open = await flowsOff(dir, apiPort);
    child.signal("SIGTERM");
    await child.ended;
    const forwarded = ward.received.map(({ controlId }) => controlId);
    return { reached, open, forwarded, traced: trace(`${dir}/store.db`) };
  } finally {
    child?.signal("SIGKILL");
    await child?.ended;
    await Deno.remove(dir, { recursive: true });
  }
}

/** Each message over a connection of its own, again until it has its answer. */
async function sendUntilAcknowledged(port: number, messages: number): Promise<void> {
  for (let index = 0; index < messages; index += 1) {
    for (;;) {
      try {
        using sender = await MllpSender.connect(port);
        sender.send(admission(`M${index}`));
        await sender.waitForReplies(1);
        break;
      } catch {
        await pause(50);
      }
    }
  }
}

async function flowsOff(dir: string, apiPort: number): Promise<number> {
  const deadline = performance.now() + DRAIN_MS;
  for (;;) {
    // A read over the API brings what is answered into the tables.
    const stats = await fetch(`http://127.0.0.1:${apiPort}/stats`);
    await stats.body?.cancel();
    using db = new DatabaseSync(`${dir}/store.db`, { readOnly: true, timeout: 1_000 });
    const open = Number(
      db.prepare("SELECT count(*) AS open FROM queue WHERE status IN ('pending', 'inflight')")
        .get()?.open,
    );
    if (open === 0 || performance.now() > deadline) return open;
    await pause(50);
  }
}

function trace(path: string): readonly Traced[] {
  using db = new DatabaseSync(path, { readOnly: true });
  const origins = db.prepare(`
    SELECT m.id, m.control_id, m.status,
           (SELECT count(*) FROM queue q
             WHERE q.message_seq = m.seq AND q.stage = 'outbound' AND q.status = 'done') AS done,
           (SELECT count(*) FROM response r WHERE r.message_seq = m.seq) AS answers
      FROM messages m
     WHERE m.channel_id = 'IB_ADT'
     ORDER BY m.seq`).all();
  const children = db.prepare("SELECT metadata FROM messages WHERE channel_id = 'IB_LOOP'").all()
    .map(({ metadata }) => JSON.parse(String(metadata)));
  return origins.map(({ id, control_id, status, done, answers }) => ({
    controlId: String(control_id),
    status: String(status),
    done: Number(done),
    answers: Number(answers),
    children: children.filter(({ correlation_id }) => correlation_id === id)
      .map(({ reingress_of_seq, passthrough_from }) => passthrough_from ?? `${reingress_of_seq}`),
  }));
}

function graphText(ports: { port: number; lab: number; ward: number }): string {
  return `
import { handler, inbound, loopback, mllp, outbound, router, send } from "messagefoundry";
const retry = { backoffSeconds: 0.05, backoffMultiplier: 1 };
const to = (port: number) => ({ host: "127.0.0.1", port });
const lab = outbound("OB_LAB", mllp({ ...to(${ports.lab}), reingressTo: "IB_LOOP" }), { retry });
const ward = outbound("OB_WARD", mllp(to(${ports.ward})), { retry });
const toLab = handler("to_lab", (msg) => [send(lab, msg), send("IB_LOOP", msg)]);
const toWard = handler("to_ward", (msg) => send(ward, msg.set("MSH-10", msg.get("MSA-2") ?? "own")));
const route = router("route", () => toLab);
const answers = router("answers", () => toWard);
inbound("IB_ADT", mllp({ port: ${ports.port} }), { router: route });
inbound("IB_LOOP", loopback(), { router: answers });
`;
}

function settingsText(dir: string, apiPort: number): string {
  return `[store]
path = "${dir}/store.db"
synchronous = "full"

[api]
port = ${apiPort}

[auth]
enabled = false

[environments]
base_dir = "${dir}"
`;
}
