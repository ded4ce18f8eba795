/**
 * The one writer of a store on a server: executes batches of intents, one transaction a batch, over
 * one pipelined connection.
 *
 * A batch changes the messages it names in memory, as every backend does (`execute.ts`), and says
 * what changed in one statement over arrays. Rows are the authority: the store's lock is taken first
 * and held until the commit, and whoever finds under it that another node has written since forgets
 * what it remembers and looks.
 *
 * A commit whose answer is lost is looked up before anybody is answered, and never repeated blindly.
 */
import type { CellCipher } from "../../crypto/cells.ts";
import { behindFailed, LaneGate } from "../lane_gate.ts";
import {
  execute,
  isRegisterIntent,
  isRowIntent,
  type RowIntent,
  type TableIntent,
} from "../execute.ts";
import type { IntentResults } from "../intent_results.ts";
import type { ActAudit, Intent } from "../intents.ts";
import type { RegisterIntent } from "../registers/mod.ts";
import type { CommitPoint, OnPoint } from "../points.ts";
import type { Outcome } from "../wire.ts";
import type { AuditLog } from "./audit_log.ts";
import { ConnectionLost } from "./connection_lost.ts";
import type { Dialect, Fence } from "./dialect.ts";
import { fenced } from "./fenced.ts";
import { claim, connectionEvents, noteEvent, resync, sweepMissing } from "./lanes.ts";
import type { Link } from "./link.ts";
import { Memory } from "./memory.ts";
import { cancelQueued, replayDead, replayMessage } from "./operate.ts";
import { endPurge, purge } from "./purge.ts";
import { changeRegisters, NotApplied } from "./register_changes.ts";
import { Numbers, Transaction } from "./transaction.ts";

/** So many connections lost under one batch, and the batch is to be refused. */
const LOST_MAX = 3;

export interface WriterOptions {
  readonly dialect: Dialect;
  readonly link: Link;
  readonly session: string;
  /** Of this opening: what its claims are known by. */
  readonly epoch: number;
  readonly cipher: CellCipher;
  readonly audit: AuditLog;
  /** How long a batch waits for a connection that was lost, before it fails. */
  readonly patienceMs: number;
  /** The same for a batch that may have taken place. */
  readonly doubtMs: number;
  /** The fence was seen closed: somebody else leads. Told once for each fence. */
  readonly onFenced?: () => void;
  readonly onPoint?: OnPoint;
}

export interface TransactOptions {
  readonly onPoint?: (point: CommitPoint) => void;
  /** Whether memory holds all that the work looks at. */
  readonly isInMemory?: () => boolean;
}

/** What acts say of themselves. */
interface Counts {
  readonly found?: boolean;
  readonly requeued?: number;
  readonly cancelled?: number;
}

/** How each intent that looks for rows is carried out; one without an entry does not compile. */
type Acts = {
  readonly [K in TableIntent["kind"]]: (
    tx: Transaction,
    intent: Extract<TableIntent, { kind: K }>,
  ) => Promise<IntentResults[K]>;
};

export class Writer {
  readonly #options: WriterOptions;
  readonly #gate = new LaneGate();
  readonly #numbers = new Numbers();
  readonly #acts: Acts;
  readonly #memory: Memory;
  #batch = 0;
  /** The fence that was told of. */
  #toldFence: Fence | undefined;
  /** Undefined: this node is alone. */
  fence: Fence | undefined;
  readonly counters = { commits: 0, intents: 0 };

  constructor(options: WriterOptions) {
    this.#options = options;
    const { cipher, audit, epoch } = options;
    this.#memory = new Memory(this.#numbers, cipher);
    this.#acts = {
      claim: (tx, intent) => claim(tx, intent, cipher),
      resync: (tx, intent) => resync(tx, intent, epoch),
      replay: replayMessage,
      replay_dead: replayDead,
      cancel: cancelQueued,
      sweep_missing: (tx, intent) => sweepMissing(tx, intent, cipher),
      note_event: noteEvent,
      connection_events: connectionEvents,
      purge: (tx, intent) => purge(tx, intent, cipher),
      end_purge: (tx, intent) => endPurge(tx, intent, audit),
    };
  }

  /** Runs a batch; its answers are durable when this resolves. Never rejects. */
  async run(intents: readonly Intent[]): Promise<readonly Outcome[]> {
    const registers = intents.filter(isRegisterIntent);
    if (registers.length === 0) return this.#runGated(intents);
    const others = intents.filter((intent) => !isRegisterIntent(intent));
    const answers = others.length === 0 ? [] : await this.#runGated(others);
    const done = await this.#runRegisters(registers);
    let [next, nextOther] = [0, 0];
    return intents.map((one) => isRegisterIntent(one) ? done[next++]! : answers[nextOther++]!);
  }

  /** Answers a batch of which nothing is written. */
  refuse(intents: readonly Intent[], thrown: unknown): readonly Outcome[] {
    const failure = this.#options.dialect.describeFailure(thrown);
    for (const intent of intents) this.#gate.failed(intent);
    return intents.map(() => ({ failure }));
  }

  /**
   * Does something in a transaction of its own; it is durable when this resolves.
   *
   * @throws what the server says; nothing is changed then, unless the connection was lost and did
   * not come back in time.
   */
  async transact<R>(
    act: (tx: Transaction) => Promise<R>,
    { onPoint, isInMemory = () => false }: TransactOptions = {},
  ): Promise<R> {
    const { dialect, link, session, patienceMs, doubtMs } = this.#options;
    const memory = this.#memory;
    let mayTrust = true;
    for (let lost = 0;;) {
      const connection = await link.connection(patienceMs);
      const batch = this.#batch += 1;
      const isTrusting: boolean = mayTrust && !this.#numbers.isLow && isInMemory();
      const tx = new Transaction({
        ...{ dialect, connection, session, link: link.number, batch, isTrusting },
        ...{ numbers: this.#numbers, fence: this.fence },
      });
      tx.begun.then(() => {
        if (!tx.wasMine) memory.forget();
        if (!tx.mayClaim) this.#tellFenced();
      }, () => {});
      try {
        const result = tx.result = await act(tx);
        await tx.begun;
        onPoint?.("before_commit");
        await tx.commit();
        link.answeredBatch = batch;
        onPoint?.("after_commit");
        return result;
      } catch (thrown) {
        this.#options.audit.forget();
        memory.forget();
        if (!(thrown instanceof ConnectionLost)) {
          await tx.rollBack();
          mayTrust &&= !(isTrusting && dialect.isRefusedTrust(thrown));
          if (isTrusting && !mayTrust) continue;
          throw thrown;
        }
        if ((lost += 1) > LOST_MAX) throw thrown;
        if (!tx.isCommitting) continue;
        await link.connection(doubtMs);
        if (link.lastBatch === batch) {
          link.answeredBatch = batch;
          return tx.result as R;
        }
      }
    }
  }

  #tellFenced(): void {
    if (this.#toldFence === this.fence) return;
    this.#toldFence = this.fence;
    this.#options.onFenced?.();
  }

  /**
   * Carries out register intents, each whole or not at all: all in one transaction, and each in one
   * of its own once any of them fails or does not apply.
   */
  async #runRegisters(intents: readonly RegisterIntent[]): Promise<readonly Outcome[]> {
    const { dialect, audit } = this.#options;
    try {
      const results = await this.transact((tx) =>
        changeRegisters(tx, intents, { audit, texts: dialect.registers })
      );
      this.counters.commits += 1;
      this.counters.intents += intents.length;
      return results.map((result) => ({ result }));
    } catch (thrown) {
      if (intents.length === 1 && thrown instanceof NotApplied) return [{ result: thrown.result }];
      if (intents.length === 1 || dialect.isEnvironmental(thrown)) {
        const failure = dialect.describeFailure(thrown);
        return intents.map(() => ({ failure }));
      }
    }
    const outcomes: Outcome[] = [];
    for (const intent of intents) outcomes.push(...await this.#runRegisters([intent]));
    return outcomes;
  }

  async #runGated(intents: readonly Intent[]): Promise<readonly Outcome[]> {
    const open = intents.filter((intent) => !this.#gate.isClosed(intent));
    if (open.length === intents.length) return this.#run(intents);
    const outcomes = open.length === 0 ? [] : await this.#run(open);
    let next = 0;
    const isOpen = new Set(open);
    return intents.map((one) => isOpen.has(one) ? outcomes[next++]! : { failure: behindFailed });
  }

  async #run(intents: readonly Intent[]): Promise<readonly Outcome[]> {
    try {
      return await this.#commit(intents);
    } catch (thrown) {
      if (intents.length === 1 || this.#options.dialect.isEnvironmental(thrown)) {
        return this.refuse(intents, thrown);
      }
    }
    // One of them is to blame: each by itself costs its neighbours one retry and nothing else.
    const outcomes: Outcome[] = [];
    for (const intent of intents) {
      outcomes.push(
        this.#gate.isClosed(intent) ? { failure: behindFailed } : (await this.#run([intent]))[0]!,
      );
    }
    return outcomes;
  }

  async #commit(intents: readonly Intent[]): Promise<readonly Outcome[]> {
    const { onPoint } = this.#options;
    const failed: Intent[] = [];
    const outcomes = await this.transact(
      (tx) => {
        failed.length = 0;
        return this.#work(tx, intents, failed);
      },
      {
        onPoint: onPoint && ((point) => onPoint(point, intents)),
        isInMemory: () => intents.every(isRowIntent) && this.#memory.holds(intents as RowIntent[]),
      },
    );
    for (const intent of failed) this.#gate.failed(intent);
    this.#gate.committed(intents);
    this.counters.commits += 1;
    this.counters.intents += intents.length;
    return outcomes;
  }

  /** Carries out a batch in order: runs of intents that name their rows in memory, others one by one. */
  async #work(
    tx: Transaction,
    intents: readonly Intent[],
    failed: Intent[],
  ): Promise<readonly Outcome[]> {
    const outcomes: Outcome[] = [];
    for (let at = 0; at < intents.length;) {
      const intent = intents[at]!;
      if (isRowIntent(intent)) {
        let end = at;
        while (end < intents.length && isRowIntent(intents[end]!)) end += 1;
        outcomes.push(
          ...await this.#executeRows(tx, intents.slice(at, end) as RowIntent[], failed),
        );
        at = end;
      } else {
        const result = await this.#act(tx, intent as TableIntent);
        outcomes.push({ result });
        at += 1;
        // It has changed rows that memory may hold.
        this.#memory.forget();
      }
      tx.flush();
      this.#options.onPoint?.("inside_batch", intents);
    }
    return outcomes;
  }

  async #act(tx: Transaction, intent: TableIntent): Promise<unknown> {
    const act = this.#acts[intent.kind] as (tx: Transaction, intent: TableIntent) => unknown;
    const result = await act(tx, intent);
    if ("audit" in intent && intent.audit !== undefined && intent.kind !== "end_purge") {
      await this.#note(tx, intent.audit as ActAudit, result as Counts);
    }
    return result;
  }

  /** The audit row of an act that did something. */
  async #note(
    tx: Transaction,
    { detail, ...audit }: ActAudit,
    { found, requeued, cancelled }: Counts,
  ): Promise<void> {
    if (found === false || requeued === 0 || cancelled === 0) return;
    const counted = JSON.stringify({ ...detail, requeued, cancelled });
    await this.#options.audit.append(tx, { ...audit, detail: counted });
  }

  /** A member that fails by itself is left out, and the others are carried out as if it were not there. */
  async #executeRows(
    tx: Transaction,
    given: readonly RowIntent[],
    failed: Intent[],
  ): Promise<readonly Outcome[]> {
    const memory = this.#memory;
    const failures = new Map<number, Outcome>();
    for (;;) {
      if (!tx.isTrusting || !memory.holds(given)) await memory.prepare(tx, given);
      const intents = tx.mayClaim ? given : given.map(fenced);
      const outcomes: Outcome[] = [];
      const gate = new LaneGate();
      let hasFailed = false;
      for (const [index, intent] of intents.entries()) {
        const failure = failures.get(index) ??
          (gate.isClosed(intent) ? { failure: behindFailed } : undefined);
        if (failure !== undefined) {
          gate.failed(intent);
          outcomes.push(failure);
          continue;
        }
        try {
          outcomes.push({ result: execute(memory.work, intent) });
        } catch (thrown) {
          failures.set(index, { failure: this.#options.dialect.describeFailure(thrown) });
          hasFailed = true;
          break;
        }
      }
      if (hasFailed) {
        memory.forget();
        continue;
      }
      for (const [index, outcome] of outcomes.entries()) {
        if ("failure" in outcome) failed.push(intents[index]!);
      }
      memory.finish(tx);
      return outcomes;
    }
  }
}
