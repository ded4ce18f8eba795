/// <reference lib="deno.worker" />
/**
 * What runs in the writer's thread: batches in, answers out, one after the other. Sealing and the
 * server's protocol cost the engine's thread nothing.
 */
import { type CellCipher, keylessCells } from "../../crypto/cells.ts";
import { keyIdsOf } from "../../crypto/keys.ts";
import { cellCipherOf } from "../../crypto/sealed_cells.ts";
import { parseFailpoints } from "../../failpoints.ts";
import { openClaim, sealIntents } from "../cells.ts";
import { CountedCells } from "../counted_cells.ts";
import type { ClaimResult } from "../intent_results.ts";
import type { Intent } from "../intents.ts";
import { pointsOf } from "../points.ts";
import { decodeIntents, encodeOutcomes, type Outcome } from "../wire.ts";
import { AuditLog, openAuditKey } from "./audit_log.ts";
import type { Dialect } from "./dialect.ts";
import { beginEpoch, recover } from "./epoch.ts";
import { Link } from "./link.ts";
import type { FromWriter, ToWriter } from "./protocol.ts";
import { newSession } from "./session_name.ts";
import { addUses } from "./store_keys.ts";
import { Writer } from "./writer.ts";

/** Answers the engine's thread for the life of this worker. */
export function serveWriter(dialect: Dialect): void {
  const thread = new WriterThread(dialect);
  self.onmessage = ({ data }: MessageEvent<ToWriter>) => thread.receive(data);
}

class WriterThread {
  readonly #dialect: Dialect;
  #cipher = new CountedCells(keylessCells);
  #link: Link | undefined;
  #writer: Writer | undefined;
  #epoch = 0;
  /** What was received is done in order, one thing at a time. */
  #tail: Promise<void> = Promise.resolve();

  constructor(dialect: Dialect) {
    this.#dialect = dialect;
  }

  receive(message: ToWriter): void {
    this.#tail = this.#tail.then(() => this.#take(message));
  }

  async #take(message: ToWriter): Promise<void> {
    switch (message.type) {
      case "open":
        return this.#open(message);
      case "batch":
        return this.#runBatch(message.id, decodeIntents(message.intents));
      case "fence":
        this.#writer!.fence = message.fence;
        return;
      case "recover":
        return this.#recover(message);
      case "counters":
        return this.#count(message.id);
      case "close":
        return this.#close(message.id);
    }
  }

  async #open(message: Extract<ToWriter, { type: "open" }>): Promise<void> {
    const { server, isAlone, now, keys, patienceMs } = message;
    const keyIds = keyIdsOf(keys);
    const session = newSession(keyIds[0]);
    try {
      this.#cipher = new CountedCells(cellCipherOf(keys));
      const uses = this.#cipher.wanted(0);
      const onChange = (change: Extract<FromWriter, { type: "link" }>["change"]) =>
        post({ type: "link", change });
      this.#link = await Link.open({ dialect: this.#dialect, server, session, isAlone, onChange });
      const connection = await this.#link.connection(0);
      const warnings = await this.#dialect.openSchema(connection, server);
      const opened = await beginEpoch(connection, {
        ...{ now, keyIds, uses, session, isAlone, warnings },
      });
      this.#epoch = opened.epoch;
      this.#cipher.grant(uses);
      const failpoints = parseFailpoints(message.failpoints ?? "");
      const auditKey = await openAuditKey(
        (name, ...values) => connection.run(name, ...values),
        this.#cipher,
      );
      this.#writer = new Writer({
        dialect: this.#dialect,
        link: this.#link,
        session,
        epoch: opened.epoch,
        cipher: this.#cipher,
        audit: new AuditLog(auditKey),
        patienceMs,
        doubtMs: Math.max(patienceMs, server.connectTimeoutMs),
        onFenced: () => post({ type: "fenced" }),
        onPoint: pointsOf(failpoints),
      });
      post({ type: "opened", ...opened });
    } catch (thrown) {
      await this.#link?.[Symbol.asyncDispose]();
      post({ type: "open_failed", failure: this.#dialect.describeFailure(thrown) });
    }
  }

  async #runBatch(id: number, intents: readonly Intent[]): Promise<void> {
    const writer = this.#writer!;
    let sealed: readonly Intent[];
    try {
      // What the batch takes into memory may have to be sealed anew, whether the batch is or not.
      await this.#enterUses(0);
      sealed = await this.#seal(intents);
    } catch (thrown) {
      // Nothing is written unsealed: this batch fails, the next one has its own try.
      return this.#answer(id, intents, writer.refuse(intents, thrown));
    }
    const outcomes = await writer.run(sealed);
    this.#answer(
      id,
      intents,
      outcomes.map((outcome, index) =>
        intents[index]!.kind === "claim" ? this.#openRows(outcome) : outcome
      ),
    );
  }

  /** Uses are entered before the first of them is made. */
  async #seal(intents: readonly Intent[]): Promise<readonly Intent[]> {
    let wanted = 0;
    const probe: CellCipher = {
      keyId: this.#cipher.keyId,
      changes: (text) => this.#cipher.changes(text),
      seal: (text) => text,
      open: (cell) => cell,
    };
    if (this.#cipher.keyId !== undefined) sealIntents(probe, intents, (cells) => wanted = cells);
    await this.#enterUses(wanted);
    return sealIntents(this.#cipher, intents);
  }

  /** Enters uses of the key in the store before so many cells are sealed, many at a time. */
  async #enterUses(cells: number): Promise<void> {
    const uses = this.#cipher.wanted(cells);
    if (uses === 0) return;
    const total = await this.#addUses(uses);
    this.#cipher.grant(uses);
    post({ type: "key_uses", uses: total });
  }

  #addUses(uses: number): Promise<number> {
    const keyId = this.#cipher.keyId!;
    return this.#writer!.transact((tx) =>
      addUses((name, ...values) => tx.all(name, ...values), keyId, uses)
    );
  }

  /** Enters that uses were not made after all. */
  async #giveUsesBack(): Promise<void> {
    const { keyId, left } = this.#cipher;
    if (keyId === undefined || left === 0) return;
    this.#cipher.grant(-left);
    await this.#addUses(-left);
  }

  /** Opens what a claim read. A cipher that throws fails this claim; its commit stands. */
  #openRows(outcome: Outcome): Outcome {
    if (!("result" in outcome)) return outcome;
    try {
      return { result: openClaim(this.#cipher, outcome.result as ClaimResult) };
    } catch (thrown) {
      return { failure: this.#dialect.describeFailure(thrown) };
    }
  }

  #answer(id: number, intents: readonly Intent[], outcomes: readonly Outcome[]): void {
    post({ type: "batch", id, outcomes: encodeOutcomes(intents, outcomes) });
  }

  async #recover({ id, now }: Extract<ToWriter, { type: "recover" }>): Promise<void> {
    try {
      const epoch = this.#epoch;
      const rows = await this.#writer!.transact((tx) =>
        recover((name, ...values) => tx.all(name, ...values), { now, epoch })
      );
      post({ type: "recovered", id, rows });
    } catch (thrown) {
      post({ type: "failed", id, failure: this.#dialect.describeFailure(thrown) });
    }
  }

  #count(id: number): void {
    const { commits, intents } = this.#writer!.counters;
    const { statements } = this.#link!;
    post({ type: "counters", id, counters: { commits, intents, statements, checkpoints: 0 } });
  }

  async #close(id: number): Promise<void> {
    try {
      await this.#giveUsesBack();
    } catch {
      // They count as made, which is safe.
    }
    await this.#link?.[Symbol.asyncDispose]();
    post({ type: "closed", id });
    self.close();
  }
}

function post(message: FromWriter): void {
  self.postMessage(message);
}
