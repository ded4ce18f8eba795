/**
 * A disk that refuses to sync: every COMMIT fails while `strace` makes it so, and nobody may be told
 * otherwise. Source: spec pipeline-store-cluster I3, I9.
 */
import { MllpSender } from "../connectors/mllp_sender.ts";
import { bodyOf, type InboundName, inbounds, type Kind } from "./expectation.ts";
import { checkAtEnd, type Violation } from "./invariants.ts";
import type { SentFrame } from "./load.ts";
import { Site } from "./site.ts";

export interface CommitFailureResult {
  /** Frames sent while no commit could succeed. */
  readonly refused: number;
  readonly acknowledged: number;
  readonly violations: readonly Violation[];
}

const kinds: Readonly<Record<InboundName, Kind>> = {
  IB_FAST: "plain",
  IB_COUNT: "count",
  IB_SLOW: "slow",
};
const SYNCS = "fsync,fdatasync";
const SETTLED_MS = 90_000;

/** @throws {Error} when `strace` cannot hold the engine. */
export async function runCommitFailure(seed: string): Promise<CommitFailureResult> {
  await using site = await Site.open(seed, "full");
  const sent: SentFrame[] = [];
  const violations: Violation[] = [];
  const child = site.spawn();
  await child.becomesReady();
  await sendEverywhere(site, sent, { name: "before", count: 8 });
  const isGood = sent.every(({ code }) => code === "AA");
  if (!isGood) violations.push({ invariant: "I1", detail: "a healthy engine refused" });

  const before = sent.length;
  {
    await using _fault = await failSyncs(child.pid);
    await sendEverywhere(site, sent, { name: "during", count: 8 });
  }
  const during = sent.slice(before);
  for (const { controlId, code } of during) {
    if (code === undefined) continue;
    violations.push({ invariant: "I3", detail: `${controlId} was answered ${code}` });
  }
  await sendEverywhere(site, sent, { name: "after", count: 8 });
  const left = await site.flowsOff(SETTLED_MS);
  if (left > 0) violations.push({ invariant: "I66", detail: `${left} rows stay open` });
  child.signal("SIGTERM");
  await child.ended;
  const endedInOrder = new Set<number>();
  // Doubles of one life are the deliveries that could not be noted: no crash explains them.
  violations.push(
    ...checkAtEnd(site.evidence(), { sent, exchanges: site.exchanges, endedInOrder })
      .filter(({ invariant }) => invariant !== "I35"),
  );
  return {
    refused: during.length,
    acknowledged: sent.filter(({ code }) => code === "AA").length,
    violations,
  };
}

/** Sends `count` frames to each inbound over a connection of its own, in one write. */
async function sendEverywhere(
  site: Site,
  sent: SentFrame[],
  { name, count }: { name: string; count: number },
): Promise<void> {
  await Promise.all(inbounds.map(async (inbound) => {
    using sender = await MllpSender.connect(site.ports[inbound]);
    const frames = Array.from({ length: count }, (_, sequence): SentFrame => {
      const kind = kinds[inbound];
      const controlId = `${inbound}-${name}-${sequence}`;
      const body = bodyOf(kind, controlId, 50);
      return {
        inbound,
        sender: `${inbound}-${name}`,
        sequence,
        kind,
        controlId,
        body,
        code: undefined,
      };
    });
    sent.push(...frames);
    sender.send(...frames.map(({ body }) => body));
    await sender.waitForReplies(count, 20_000).catch(() => {});
    for (const [index, reply] of sender.replies.entries()) {
      frames[index]!.code = /\rMSA\|(A[AER])/.exec(reply)?.[1];
    }
  }));
}

/** Makes every sync of a process fail until disposed. */
async function failSyncs(pid: number): Promise<AsyncDisposable> {
  const tracer = new Deno.Command("strace", {
    args: [
      "-f",
      "-o",
      "/dev/null",
      ...["-e", `trace=${SYNCS}`, "-e", `inject=${SYNCS}:error=EIO`],
      ...["-p", String(pid)],
    ],
    stdin: "null",
    stdout: "null",
    stderr: "piped",
  }).spawn();
  const told = Promise.withResolvers<boolean>();
  const reading = (async () => {
    const decoder = new TextDecoder();
    let text = "";
    for await (const chunk of tracer.stderr) {
      text += decoder.decode(chunk);
      if (/attached/.test(text)) told.resolve(true);
    }
    told.resolve(false);
  })();
  if (!await told.promise) {
    await tracer.status;
    throw new Error("strace cannot hold the engine");
  }
  return {
    async [Symbol.asyncDispose]() {
      tracer.kill("SIGINT");
      await reading;
      await tracer.status;
    },
  };
}
