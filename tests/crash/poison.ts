/**
 * A message that ends the process: its handler uses up the heap. It is given up after its attempts,
 * and whoever stood beside it is delivered. Source: spec pipeline-store-cluster §1.8, I15.
 */
import { MllpSender } from "../connectors/mllp_sender.ts";
import { bodyOf, type InboundName, type Kind, kindOf } from "./expectation.ts";
import { checkAtEnd, type Violation } from "./invariants.ts";
import type { SentFrame } from "./load.ts";
import { Site } from "./site.ts";

export interface PoisonResult {
  /** How often the process ended itself. */
  readonly crashes: number;
  readonly sent: number;
  readonly violations: readonly Violation[];
}

/** As `ATTEMPTS_MAX` of the pipeline: the message may end so many processes. */
const CRASHES_MAX = 5;
const LIFE_MS = 30_000;

export async function runPoison(seed: string): Promise<PoisonResult> {
  await using site = await Site.open(seed, "normal");
  const sent: SentFrame[] = [];
  const violations: Violation[] = [];
  let crashes = 0;
  for (let isFirst = true;; isFirst = false) {
    const child = site.spawn();
    if (await child.becomesReady() && isFirst) await sendAll(site, sent);
    if (await site.flowsOff(LIFE_MS) === 0) break;
    if (child.status === undefined) {
      violations.push({ invariant: "I15", detail: `nothing moved for ${LIFE_MS} ms` });
      break;
    }
    crashes += 1;
    if (crashes > CRASHES_MAX) {
      violations.push({ invariant: "I15", detail: `${crashes} processes were ended` });
      break;
    }
  }
  site.child.signal("SIGTERM");
  await site.child.ended;
  const evidence = site.evidence();
  const endedInOrder = new Set<number>();
  violations.push(...checkAtEnd(evidence, { sent, exchanges: site.exchanges, endedInOrder }));
  const poisoned = evidence.messages.filter(({ raw }) => kindOf(raw) === "poison");
  for (const { status, error } of poisoned) {
    if (status === "error" && error === "attempts exhausted") continue;
    violations.push({ invariant: "I15", detail: `the message is ${status}: ${error}` });
  }
  return { crashes, sent: sent.length, violations };
}

/** The guilty one in the middle of its lane; on the other lanes messages that run beside it. */
async function sendAll(site: Site, sent: SentFrame[]): Promise<void> {
  const lanes: readonly (readonly [InboundName, readonly Kind[]])[] = [
    ["IB_COUNT", Array.from({ length: 8 }, () => "count" as const)],
    ["IB_SLOW", Array.from({ length: 4 }, () => "slow" as const)],
    ["IB_FAST", ["plain", "both", "plain", "poison", "plain", "both", "filtered", "plain"]],
  ];
  await Promise.all(lanes.map(async ([inbound, kinds]) => {
    using sender = await MllpSender.connect(site.ports[inbound]);
    const frames = kinds.map((kind, sequence): SentFrame => {
      const controlId = `${inbound}-${sequence}`;
      const body = bodyOf(kind, controlId, 50);
      return { inbound, sender: inbound, sequence, kind, controlId, body, code: undefined };
    });
    sent.push(...frames);
    sender.send(...frames.map(({ body }) => body));
    // The process may end before it has answered: then nobody knows, and that is right.
    await sender.waitForReplies(frames.length, 10_000).catch(() => {});
    for (const [index, reply] of sender.replies.entries()) {
      frames[index]!.code = /\rMSA\|(A[AER])/.exec(reply)?.[1];
    }
  }));
}
