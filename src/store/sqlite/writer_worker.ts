/// <reference lib="deno.worker" />
/** The thread that owns the store's one writing connection. */
import { identityCipher } from "../../crypto/cells.ts";
import { type Failpoints, noFailpoints, parseFailpoints } from "../../failpoints.ts";
import { openClaim, sealIntents } from "../cells.ts";
import { describeFailure } from "../errors.ts";
import type { ClaimResult, Intent } from "../intents.ts";
import { openDatabase, type OpenedDatabase } from "./database.ts";
import type { FromWriter, ToWriter } from "./protocol.ts";
import { Session } from "./session.ts";
import { decodeIntents, encodeOutcomes, type Outcome } from "../wire.ts";
import { type OnPoint, Writer } from "./writer.ts";

const cipher = identityCipher;
let opened: OpenedDatabase | undefined;
let session: Session | undefined;
let writer: Writer | undefined;
/** Batches run one after the other even when sealing them has to wait. */
let tail: Promise<void> | undefined;

self.onmessage = ({ data }: MessageEvent<ToWriter>) => {
  switch (data.type) {
    case "open":
      return open(data);
    case "batch":
      if (cipher.isIdentity) return runBatch(data.id, decodeIntents(data.intents));
      tail = (tail ?? Promise.resolve()).then(() =>
        runSealed(data.id, decodeIntents(data.intents))
      );
      return;
    case "counters":
      return post({
        type: "counters",
        id: data.id,
        counters: {
          commits: writer?.counters.commits ?? 0,
          intents: writer?.counters.intents ?? 0,
          checkpoints: writer?.counters.checkpoints ?? 0,
          statements: session?.statementCount ?? 0,
        },
      });
    case "close":
      return close(data.id);
  }
};

function open(message: Extract<ToWriter, { type: "open" }>): void {
  try {
    opened = openDatabase(message.options);
    session = new Session(opened.db, opened.nextSeq);
    const failpoints = message.failpoints ? parseFailpoints(message.failpoints) : noFailpoints;
    writer = new Writer(session, failpoints === noFailpoints ? undefined : pointsOf(failpoints));
    const { epoch, recovered, lanes } = opened;
    post({ type: "opened", epoch, recovered, lanes });
  } catch (thrown) {
    post({ type: "open_failed", failure: describeFailure(thrown) });
  }
}

/** A commit point is hit once for the batch and once for each kind of intent in it. */
function pointsOf(failpoints: Failpoints): OnPoint {
  return (point, intents) => {
    failpoints.hit(`store.${point}`);
    for (const kind of new Set(intents.map((intent) => intent.kind))) {
      failpoints.hit(`store.${point}.${kind}`);
    }
  };
}

function runBatch(id: number, intents: readonly Intent[]): void {
  post({ type: "batch", id, outcomes: encodeOutcomes(intents, writer!.run(intents)) });
  checkpoint();
}

async function runSealed(id: number, intents: readonly Intent[]): Promise<void> {
  const outcomes = writer!.run(await sealIntents(cipher, intents));
  const answers = await Promise.all(outcomes.map(async (outcome, index): Promise<Outcome> => {
    if (!("result" in outcome) || intents[index]!.kind !== "claim") return outcome;
    return { result: await openClaim(cipher, outcome.result as ClaimResult) };
  }));
  post({ type: "batch", id, outcomes: encodeOutcomes(intents, answers) });
  checkpoint();
}

function checkpoint(): void {
  try {
    writer!.checkpointIfDue();
  } catch {
    // A full disk shows in the next commit, with an answer somebody waits for.
  }
}

function close(id: number): void {
  try {
    writer?.checkpoint("TRUNCATE");
  } catch {
    // The log stays; the next opening reads it.
  }
  opened?.db.close();
  opened?.unlock();
  post({ type: "closed", id });
  self.close();
}

function post(message: FromWriter): void {
  self.postMessage(message);
}
