/// <reference lib="deno.worker" />
/** What runs in the writer's thread: batches in, answers out, one after the other. */
import type { CellCipher } from "../../crypto/cells.ts";
import { type Failpoints, noFailpoints, parseFailpoints } from "../../failpoints.ts";
import { openClaim, sealIntents } from "../cells.ts";
import { describeFailure } from "../errors.ts";
import type { ClaimResult, Intent } from "../intents.ts";
import { decodeIntents, encodeOutcomes, type Outcome } from "../wire.ts";
import { openDatabase, type OpenedDatabase } from "./database.ts";
import type { FromWriter, ToWriter } from "./protocol.ts";
import { Session } from "./session.ts";
import { type OnPoint, Writer } from "./writer.ts";

/** Answers the engine's thread for the life of this worker; cells are sealed with `cipher`. */
export function serveWriter(cipher: CellCipher): void {
  const thread = new WriterThread(cipher);
  self.onmessage = ({ data }: MessageEvent<ToWriter>) => thread.receive(data);
}

class WriterThread {
  readonly #cipher: CellCipher;
  #opened: OpenedDatabase | undefined;
  #session: Session | undefined;
  #writer: Writer | undefined;
  /** What has to wait for sealing runs in the order it came. */
  #tail: Promise<void> = Promise.resolve();

  constructor(cipher: CellCipher) {
    this.#cipher = cipher;
  }

  receive(message: ToWriter): void {
    switch (message.type) {
      case "open":
        return this.#open(message);
      case "batch":
        return this.#inOrder(() => this.#runBatch(message.id, decodeIntents(message.intents)));
      case "counters":
        return this.#count(message.id);
      case "close":
        return this.#inOrder(() => this.#close(message.id));
    }
  }

  #open(message: Extract<ToWriter, { type: "open" }>): void {
    try {
      const opened = openDatabase(message.options);
      this.#opened = opened;
      this.#session = new Session(opened.db, opened.nextSeq);
      const failpoints = message.failpoints ? parseFailpoints(message.failpoints) : noFailpoints;
      const onPoint = failpoints === noFailpoints ? undefined : pointsOf(failpoints);
      this.#writer = new Writer(this.#session, onPoint);
      const { epoch, recovered, lanes } = opened;
      post({ type: "opened", epoch, recovered, lanes });
    } catch (thrown) {
      post({ type: "open_failed", failure: describeFailure(thrown) });
    }
  }

  #count(id: number): void {
    const { commits = 0, intents = 0, checkpoints = 0 } = this.#writer?.counters ?? {};
    const statements = this.#session?.statementCount ?? 0;
    post({ type: "counters", id, counters: { commits, intents, checkpoints, statements } });
  }

  /** Without a key nothing waits, and each message is answered in its own turn. */
  #inOrder(run: () => void | Promise<void>): void {
    if (this.#cipher.isIdentity) run();
    else this.#tail = this.#tail.then(run);
  }

  #runBatch(id: number, intents: readonly Intent[]): void | Promise<void> {
    if (!this.#cipher.isIdentity) return this.#runSealed(id, intents);
    this.#answer(id, intents, this.#writer!.run(intents));
  }

  async #runSealed(id: number, intents: readonly Intent[]): Promise<void> {
    let sealed: readonly Intent[];
    try {
      sealed = await sealIntents(this.#cipher, intents);
    } catch (thrown) {
      // Nothing is written unsealed: this batch fails, the next one has its own try.
      return this.#answer(id, intents, this.#writer!.refuse(intents, thrown));
    }
    const outcomes = this.#writer!.run(sealed).map((outcome, index) =>
      intents[index]!.kind === "claim" ? this.#openRows(outcome) : outcome
    );
    this.#answer(id, intents, await Promise.all(outcomes));
  }

  /** Opens what a claim read. A cipher that throws fails this claim; its commit stands. */
  async #openRows(outcome: Outcome): Promise<Outcome> {
    if (!("result" in outcome)) return outcome;
    try {
      return { result: await openClaim(this.#cipher, outcome.result as ClaimResult) };
    } catch (thrown) {
      return { failure: describeFailure(thrown) };
    }
  }

  #answer(id: number, intents: readonly Intent[], outcomes: readonly Outcome[]): void {
    post({ type: "batch", id, outcomes: encodeOutcomes(intents, outcomes) });
    try {
      this.#writer!.checkpointIfDue();
    } catch {
      // A full disk shows in the next commit, with an answer somebody waits for.
    }
  }

  #close(id: number): void {
    try {
      this.#writer?.checkpoint("TRUNCATE");
    } catch {
      // The log stays; the next opening reads it.
    }
    this.#opened?.db.close();
    this.#opened?.unlock();
    post({ type: "closed", id });
    self.close();
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

function post(message: FromWriter): void {
  self.postMessage(message);
}
