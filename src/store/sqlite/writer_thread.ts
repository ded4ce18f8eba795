/// <reference lib="deno.worker" />
/** What runs in the writer's thread: batches in, answers out, one after the other. */
import { clearImmediate, setImmediate } from "node:timers";
import { type CellCipher, keylessCells } from "../../crypto/cells.ts";
import { type CellKeys, keyIdsOf } from "../../crypto/keys.ts";
import { cellCipherOf } from "../../crypto/sealed_cells.ts";
import { noFailpoints, parseFailpoints } from "../../failpoints.ts";
import { openClaim, sealIntents } from "../cells.ts";
import { CountedCells, type UseBudget } from "../counted_cells.ts";
import { describeFailure } from "../errors.ts";
import type { ClaimResult } from "../intent_results.ts";
import type { Intent } from "../intents.ts";
import { pointsOf } from "../points.ts";
import { decodeIntents, encodeOutcomes, type Outcome } from "../wire.ts";
import { CommitLog } from "./commit_log.ts";
import { openDatabase, type OpenedDatabase } from "./database.ts";
import { Prepared } from "./prepared.ts";
import type { BatchMessage, FromWriter, ToWriter } from "./protocol.ts";
import { AuditLog } from "./registers/audit_log.ts";
import { Session } from "./session.ts";
import { addUses } from "./store_keys.ts";
import { Upkeep } from "./upkeep.ts";
import { Writer } from "./writer.ts";

type CipherOf = (keys: CellKeys | undefined) => CellCipher;

/** Answers the engine's thread for the life of this worker; `cipherOf` and `budget` are for tests. */
export function serveWriter(cipherOf: CipherOf = cellCipherOf, budget?: UseBudget): void {
  const thread = new WriterThread(cipherOf, budget);
  self.onmessage = ({ data }: MessageEvent<ToWriter>) => thread.receive(data);
}

/** How long what was answered may lie about before the tables hold it. */
const TIDY_MS = 500;

class WriterThread {
  readonly #cipherOf: CipherOf;
  readonly #budget: UseBudget | undefined;
  #cipher = new CountedCells(keylessCells);
  /** Messages of the engine's thread: how many it has sent, and how many came. */
  #sent: Int32Array<ArrayBufferLike> = new Int32Array(1);
  #came = 0;
  readonly #isWanted = () => Atomics.load(this.#sent, 0) !== this.#came;
  readonly #prepared = new Prepared((intent) => this.#seal([intent])[0]!);
  #tidying: ReturnType<typeof setImmediate> | undefined;
  /** The thread that copies SQLite's log back, and whether it is at it. */
  #checkpoints: MessagePort | undefined;
  #isCheckpointing = false;
  #opened: OpenedDatabase | undefined;
  #session: Session | undefined;
  #writer: Writer | undefined;
  #log: CommitLog | undefined;
  #upkeep: Upkeep | undefined;
  #tidyTimer: ReturnType<typeof setTimeout> | undefined;

  constructor(cipherOf: CipherOf, budget: UseBudget | undefined) {
    this.#cipherOf = cipherOf;
    this.#budget = budget;
  }

  receive(message: ToWriter): void {
    if (message.type !== "open") this.#came = (this.#came + 1) | 0;
    switch (message.type) {
      case "open":
        return this.#open(message);
      case "batch":
        return this.#runBatch(message);
      case "settle":
        return this.#settle(message.id);
      case "counters":
        return this.#count(message.id);
      case "cut":
        return this.#cut(message);
      case "reclaim":
        return this.#reclaim(message);
      case "close":
        return this.#close(message.id);
    }
  }

  #open(message: Extract<ToWriter, { type: "open" }>): void {
    try {
      this.#cipher = new CountedCells(this.#cipherOf(message.keys), this.#budget);
      const uses = this.#cipher.wanted(0);
      const keyIds = keyIdsOf(message.keys);
      const opened = openDatabase({ ...message.options, keyIds, uses });
      this.#cipher.grant(uses);
      this.#opened = opened;
      this.#session = new Session(opened.db, opened.nextSeq);
      const failpoints = message.failpoints ? parseFailpoints(message.failpoints) : noFailpoints;
      const { path, tag } = opened.log;
      this.#log = new CommitLog({ path, tag, nextId: opened.nextFrame });
      this.#writer = new Writer({
        session: this.#session,
        log: this.#log,
        cipher: this.#cipher,
        audit: new AuditLog(opened.db, this.#cipher),
        isSyncing: message.options.synchronous === "full",
        onPoint: pointsOf(failpoints),
      });
      this.#upkeep = new Upkeep({ session: this.#session, writer: this.#writer, log: this.#log });
      this.#sent = new Int32Array(message.sent);
      this.#checkpoints = message.checkpoints;
      this.#checkpoints.onmessage = () => {
        this.#isCheckpointing = false;
        this.#writer!.behind.checkpoints.doneElsewhere();
      };
      const { epoch, recovered, lanes, keysInUse, keyUses } = opened;
      post({ type: "opened", epoch, recovered, lanes, keysInUse, keyUses });
    } catch (thrown) {
      post({ type: "open_failed", failure: describeFailure(thrown) });
    }
  }

  #askForCheckpoint(): void {
    if (this.#isCheckpointing) return;
    this.#isCheckpointing = true;
    this.#checkpoints!.postMessage(null);
  }

  #count(id: number): void {
    const { commits = 0, intents = 0 } = this.#writer?.counters ?? {};
    const checkpoints = this.#writer?.behind.checkpoints.count ?? 0;
    const statements = this.#session?.statementCount ?? 0;
    post({ type: "counters", id, counters: { commits, intents, checkpoints, statements } });
  }

  #runBatch(message: BatchMessage): void {
    const { before, known, intents: after } = message;
    const { sealed: ready, open } = this.#prepared.take(known);
    const [first, last] = [decodeIntents(before), open.concat(decodeIntents(after))];
    const intents = [...first, ...ready, ...last];
    let sealed: readonly Intent[];
    try {
      // What the batch takes into memory may have to be sealed anew, whether the batch is or not.
      this.#enterUses(0);
      sealed = [...this.#seal(first), ...ready, ...this.#seal(last)];
    } catch (thrown) {
      // Nothing is written unsealed: this batch fails, the next one has its own try.
      return this.#answer(message, intents, this.#writer!.refuse(intents, thrown));
    }
    const outcomes = this.#writer!.run(sealed);
    this.#answer(
      message,
      intents,
      outcomes.map((outcome, index) =>
        intents[index]!.kind === "claim" ? this.#openRows(outcome) : outcome
      ),
    );
  }

  #seal(intents: readonly Intent[]): readonly Intent[] {
    return sealIntents(this.#cipher, intents, (cells) => this.#enterUses(cells));
  }

  /** Enters uses of the key in the store before so many cells are sealed, many at a time. */
  #enterUses(cells: number): void {
    const uses = this.#cipher.wanted(cells);
    if (uses === 0) return;
    this.#writer!.behind.durably(({ db }) => {
      post({ type: "key_uses", uses: addUses(db, this.#cipher.keyId!, uses) });
    });
    this.#cipher.grant(uses);
  }

  /** Enters that uses were not made after all. */
  #giveUsesBack(): void {
    const { keyId, left } = this.#cipher;
    if (keyId === undefined || left === 0) return;
    this.#cipher.grant(-left);
    this.#writer!.behind.durably(({ db }) => addUses(db, keyId, -left));
  }

  /** Opens what a claim read. A cipher that throws fails this claim; its commit stands. */
  #openRows(outcome: Outcome): Outcome {
    if (!("result" in outcome)) return outcome;
    try {
      return { result: openClaim(this.#cipher, outcome.result as ClaimResult) };
    } catch (thrown) {
      return { failure: describeFailure(thrown) };
    }
  }

  #answer(
    { id, next }: BatchMessage,
    intents: readonly Intent[],
    outcomes: readonly Outcome[],
  ): void {
    post({ type: "batch", id, outcomes: encodeOutcomes(intents, outcomes) });
    this.#prepared.add(decodeIntents(next));
    // What fails here fails again in its batch, with an answer somebody waits for.
    this.#quietly(() => this.#prepared.go(this.#isWanted));
    this.#tidy();
    this.#tidySoon();
  }

  /** Tidies until the engine's thread wants something, and goes on after that. */
  #tidy(): void {
    this.#quietly((writer) => {
      if (!writer.behind.tidy(this.#isWanted)) {
        writer.behind.checkpointIfDue(() => this.#askForCheckpoint());
      } else {
        this.#tidying ??= setImmediate(() => {
          this.#tidying = undefined;
          this.#tidy();
        });
      }
    });
  }

  /** Nothing lies about for long: a copy of the tables is of a moment ago. */
  #tidySoon(): void {
    if (!this.#writer!.behind.isUntidy) return;
    this.#tidyTimer ??= setTimeout(() => {
      this.#tidyTimer = undefined;
      this.#quietly((writer) => writer.behind.tidyOld());
      this.#tidySoon();
    }, TIDY_MS);
  }

  /** Makes the tables readable; when that cannot be, readers see what they held before. */
  #settle(id: number): void {
    this.#quietly((writer) => writer.behind.storeAll());
    post({ type: "settled", id });
  }

  #cut({ id, log }: Extract<ToWriter, { type: "cut" }>): void {
    this.#answering(id, (upkeep) => {
      const isCut = log === "write_ahead" ? upkeep.cutWriteAheadLog() : true;
      if (log === "commits") upkeep.cutCommitLog();
      post({ type: "cut", id, isCut });
    });
  }

  #reclaim({ id, pages }: Extract<ToWriter, { type: "reclaim" }>): void {
    this.#answering(id, (upkeep) => {
      const left = upkeep.reclaim(pages);
      post({ type: "reclaimed", id, left });
      this.#quietly((writer) => writer.behind.checkpointIfDue(() => this.#askForCheckpoint()));
    });
  }

  #answering(id: number, act: (upkeep: Upkeep) => void): void {
    try {
      act(this.#upkeep!);
    } catch (thrown) {
      post({ type: "failed", id, failure: describeFailure(thrown) });
    }
  }

  /** A full disk shows in the next commit, with an answer somebody waits for. */
  #quietly(act: (writer: Writer) => void): void {
    try {
      if (this.#opened?.db.isOpen) act(this.#writer!);
    } catch {
      // Said there.
    }
  }

  #close(id: number): void {
    clearTimeout(this.#tidyTimer);
    clearImmediate(this.#tidying);
    // What cannot be done now the next opening does, from the logs.
    this.#quietly((writer) => {
      writer.behind.storeAll(true);
      this.#giveUsesBack();
      writer.behind.checkpoints.run("TRUNCATE");
      this.#log?.remove();
      this.#log = undefined;
    });
    this.#log?.close();
    this.#opened?.db.close();
    this.#opened?.unlock();
    this.#checkpoints?.close();
    post({ type: "closed", id });
    self.close();
  }
}

function post(message: FromWriter): void {
  self.postMessage(message);
}
