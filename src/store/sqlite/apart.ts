/**
 * What moves no message has a commit of its own: changes of registers, audit rows, looks at messages.
 *
 * Upstream: `writer.ts`, which owns log and tables. Downstream: `registers/commit.ts`.
 */
import { describeFailure } from "../errors.ts";
import type { NoteEventIntent } from "../intents.ts";
import type { Outcome } from "../wire.ts";
import type { CommitLog } from "./commit_log.ts";
import { type FrameBuffer, Redo } from "./redo.ts";
import type { AuditLog } from "./registers/audit_log.ts";
import {
  type ApartIntent,
  isNote,
  type Noted,
  type NoteFrame,
  Registers,
} from "./registers/commit.ts";
import type { Session } from "./session.ts";

/** What a note takes in a frame beside its texts, at most. */
const NOTE_BYTES = 1_024;

export interface ApartOptions {
  readonly session: Session;
  readonly log: CommitLog;
  readonly frames: FrameBuffer;
  readonly audit: AuditLog;
  readonly isSyncing: boolean;
  /** Enters that somebody looked at a message the tables hold. */
  readonly note: (intent: NoteEventIntent) => Noted;
  /** Ends the transaction of a step of tidying. */
  readonly endStep: () => void;
  /** Brings everything into the tables. */
  readonly storeAll: () => void;
  /** Sees to it that a frame of so many bytes can be written next; false when that cannot be. */
  readonly makeRoom: (bytes: number) => boolean;
  /** Frames after this one do not count. */
  readonly voidAfter: (frame: number) => void;
}

export class ApartCommits {
  readonly #options: ApartOptions;
  readonly #registers: Registers;

  constructor(options: ApartOptions) {
    this.#options = options;
    this.#registers = new Registers(options.session.db, options);
  }

  /** Never throws. */
  run(intents: readonly ApartIntent[]): readonly Outcome[] {
    const { session, endStep, storeAll } = this.#options;
    try {
      endStep();
      const isInTables = ({ id }: NoteEventIntent) => session.first("findMessage", id);
      if (!intents.every((one) => one.kind === "register" || isInTables(one))) storeAll();
      const frame = intents.every(isNote) ? this.#frameFor(intents) : undefined;
      return this.#registers.commit(intents, frame);
    } catch (thrown) {
      const failure = describeFailure(thrown);
      return intents.map(() => ({ failure }));
    }
  }

  #frameFor(intents: readonly ApartIntent[]): NoteFrame | undefined {
    const { log, frames, makeRoom, voidAfter } = this.#options;
    let bytes = 0;
    for (const intent of intents) bytes += NOTE_BYTES + 3 * charsOf(intent);
    if (!makeRoom(bytes)) return undefined;
    const redo = new Redo();
    let before: number | undefined;
    return {
      redo,
      write() {
        if (redo.isEmpty) return;
        before = log.nextId - 1;
        const end = frames.write(redo);
        log.append(frames.buffer, end);
        log.sync();
      },
      undo() {
        // Whether it is durable nobody knows, and its transaction is undone.
        if (before !== undefined) voidAfter(before);
      },
    };
  }
}

/** Texts of an audit row that can be long. */
function charsOf(intent: ApartIntent): number {
  if (intent.kind === "note_event") return JSON.stringify(intent.audit ?? null).length;
  let chars = 0;
  for (const { detail } of intent.audit) chars += detail?.length ?? 0;
  return chars;
}
