/**
 * Reads the files that appear in a directory, and puts each away once its messages are stored.
 *
 * One scan at a time, one file at a time, in sort order. A file leaves only when every message in it
 * is durable; whatever goes wrong before, it stays and is read again whole, so a message can come
 * twice but never be lost.
 */
import type {
  ConnectionCounters,
  ConnectorContext,
  IntakeAnswer,
  Receive,
  Source,
} from "../connector.ts";
import { ConnectorError } from "../connector.ts";
import { ConnectionIds, newCounters } from "../counters.ts";
import { errorClass } from "../../errors.ts";
import { looksLikeHl7 } from "../../hl7/mod.ts";
import { Filing } from "./filing.ts";
import { type Candidate, listCandidates } from "./listing.ts";
import { splitFile } from "./messages.ts";
import type { FileSourceOptions } from "./options.ts";
import { currentStamp, type FileStamp, isSameStamp, readCandidate } from "./reading.ts";

/** Messages of one file under way at once, so that they can share a commit. */
const messagesOutstandingMax = 64;

/** The runtime puts it for bytes of a name that are no UTF-8, and finds no file under such a name. */
const undecodedByte = "\ufffd";

/** How long messages under way are waited for at a stop. */
const stopMsMax = 5_000;

/** One run from start to stop. */
interface Session {
  readonly receive: Receive;
  readonly root: string;
  readonly filing: Filing;
  readonly connectionId: number;
  isStopped: boolean;
  /** Waits for the next scan; called early by a stop. */
  wake: () => void;
  /** Files of the last scan that were told about, so that each fault is logged once. */
  told: Set<string>;
  /** Files whose messages are stored but which could not be put away: never read again. */
  stored: Map<string, FileStamp>;
}

export class FileSource implements Source {
  readonly counters: ConnectionCounters = newCounters();
  readonly #options: FileSourceOptions;
  readonly #context: ConnectorContext;
  readonly #ids = new ConnectionIds();
  #session: Session | undefined;
  #running: Promise<void> = Promise.resolve();
  #wasLeader = true;

  constructor(options: FileSourceOptions, context: ConnectorContext) {
    this.#options = options;
    this.#context = context;
  }

  async start(receive: Receive): Promise<void> {
    if (this.#session !== undefined) throw new Error(`"${this.#context.name}" has been started`);
    const { root, filing } = await this.#prepare();
    const session: Session = {
      receive,
      root,
      filing,
      connectionId: this.#ids.next(),
      isStopped: false,
      wake: () => {},
      told: new Set(),
      stored: new Map(),
    };
    this.#session = session;
    this.#running = this.#poll(session);
  }

  async stop(): Promise<void> {
    const session = this.#session;
    this.#session = undefined;
    if (session !== undefined) {
      session.isStopped = true;
      session.wake();
    }
    let timer: ReturnType<typeof setTimeout> | undefined;
    const tooLong = new Promise<void>((resolve) => timer = setTimeout(resolve, stopMsMax));
    await Promise.race([this.#running, tooLong]);
    clearTimeout(timer);
  }

  async #prepare(): Promise<{ root: string; filing: Filing }> {
    const { directory, afterRead, processedSubdir, errorSubdir } = this.#options;
    try {
      await Deno.mkdir(directory, { recursive: true });
      const root = await Deno.realPath(directory);
      const filing = new Filing(root);
      if (afterRead === "move") await filing.prepare(processedSubdir);
      await filing.prepare(errorSubdir);
      return { root, filing };
    } catch (cause) {
      throw new ConnectorError(
        "connector.directory_unusable",
        `Cannot poll "${directory}": it cannot be read and written`,
        { cause, hint: "Check its owner and mode, and the process's permission to read and write" },
      );
    }
  }

  async #poll(session: Session): Promise<void> {
    while (!session.isStopped) {
      if (this.#isLeader()) await this.#scan(session);
      if (session.isStopped) return;
      await new Promise<void>((resolve) => {
        const timer = setTimeout(resolve, this.#options.pollMs);
        session.wake = () => {
          clearTimeout(timer);
          resolve();
        };
      });
    }
  }

  /** A follower's tick does nothing; only the change is worth a line. */
  #isLeader(): boolean {
    const isLeader = this.#context.isLeader?.() ?? true;
    if (isLeader !== this.#wasLeader) {
      this.#wasLeader = isLeader;
      this.#log("info", isLeader ? "file.polling_resumed" : "file.polling_paused");
    }
    return isLeader;
  }

  /** Never throws: a fault of one scan is told and the next one tries again. */
  async #scan(session: Session): Promise<void> {
    const toldBefore = session.told;
    session.told = new Set();
    const tell = (key: string, event: string, reason: string) => {
      session.told.add(key);
      if (!toldBefore.has(key)) this.#log("warning", event, reason);
    };
    try {
      const candidates = await listCandidates(session.root, this.#options);
      forgetGone(session.stored, candidates);
      for (const candidate of candidates) {
        if (session.isStopped) return;
        try {
          if (!await this.#take(session, candidate, tell)) return;
        } catch (cause) {
          if (!(cause instanceof Deno.errors.NotFound)) {
            tell(candidate.relative, "file.left", errorClass(cause));
          } else if (candidate.relative.includes(undecodedByte)) {
            tell(candidate.relative, "file.left", "its name is not UTF-8");
          }
        }
      }
    } catch (cause) {
      tell("", "file.scan_failed", errorClass(cause));
    }
  }

  /** Reads one file and puts it away. False ends the scan: what follows must not overtake it. */
  async #take(
    session: Session,
    candidate: Candidate,
    tell: (key: string, event: string, reason: string) => void,
  ): Promise<boolean> {
    const stored = session.stored.get(candidate.relative);
    if (stored !== undefined && isSameStamp(stored, await currentStamp(candidate.path))) {
      await this.#putAway(session, candidate);
      return true;
    }
    const { fileBytesMax, ageMsMin } = this.#options;
    const limits = { root: session.root, fileBytesMax, ageMsMin, now: Date.now() };
    const reading = await readCandidate(candidate, limits);
    switch (reading.kind) {
      case "too_young":
        return true;
      case "not_ours":
        tell(candidate.relative, "file.skipped", "not a plain file within the directory");
        return true;
      case "oversize":
        await this.#quarantine(session, candidate, "over max_file_bytes");
        return true;
    }
    this.counters.bytesIn += reading.bytes.length;
    if (this.#options.isHl7 && !looksLikeHl7(reading.bytes)) {
      await this.#quarantine(session, candidate, "no MSH, FHS or BHS");
      return true;
    }
    if (!await this.#emit(session, candidate, this.#messagesOf(reading.bytes))) return false;
    if (!isSameStamp(reading.stamp, await currentStamp(candidate.path))) {
      // Its writer was not done: what came since would be lost with the file.
      tell(candidate.relative, "file.left", "changed while it was read");
      return true;
    }
    session.stored.set(candidate.relative, reading.stamp);
    await this.#putAway(session, candidate);
    return true;
  }

  #messagesOf(bytes: Uint8Array): readonly Uint8Array[] {
    if (!this.#options.isHl7) return [bytes];
    const { messages, mismatches } = splitFile(bytes, this.#options.codec);
    for (const { segment, declared, counted } of mismatches) {
      const fields = { connection: this.#context.name, segment, declared, counted };
      this.#context.logger?.warning("file.batch_count_mismatch", fields);
    }
    return messages;
  }

  /** Hands the messages of one file over in order; true when every one is stored. */
  async #emit(
    session: Session,
    candidate: Candidate,
    messages: readonly Uint8Array[],
  ): Promise<boolean> {
    const { receive, connectionId } = session;
    const outstanding: Promise<IntakeAnswer>[] = [];
    let handedOver = 0;
    let isStored = true;
    const settleOldest = async () => {
      const answer = await outstanding.shift();
      isStored &&= answer?.stored === true;
    };
    for (const bytes of messages) {
      if (session.isStopped || !isStored) break;
      const message = { bytes, connectionId, origin: candidate.relative };
      outstanding.push(receive(message).catch(() => ({ stored: false }) as const));
      handedOver++;
      if (outstanding.length >= messagesOutstandingMax) await settleOldest();
    }
    while (outstanding.length > 0) await settleOldest();
    return isStored && handedOver === messages.length;
  }

  async #putAway(session: Session, candidate: Candidate): Promise<void> {
    if (this.#options.afterRead === "delete") await session.filing.remove(candidate);
    else await session.filing.move(candidate, this.#options.processedSubdir);
    session.stored.delete(candidate.relative);
  }

  async #quarantine(session: Session, candidate: Candidate, reason: string): Promise<void> {
    await session.filing.move(candidate, this.#options.errorSubdir);
    this.#log("warning", "file.quarantined", reason);
  }

  /** Without the file's name: partners put names of people into names of files. */
  #log(level: "info" | "warning", event: string, reason?: string): void {
    this.#context.logger?.log(level, event, { connection: this.#context.name, reason });
  }
}

function forgetGone(stored: Map<string, FileStamp>, candidates: readonly Candidate[]): void {
  if (stored.size === 0) return;
  const present = new Set(candidates.map(({ relative }) => relative));
  for (const relative of stored.keys()) if (!present.has(relative)) stored.delete(relative);
}
