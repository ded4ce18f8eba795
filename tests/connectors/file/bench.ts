/** A File source on a temporary directory, with a scripted intake and its log. */
import path from "node:path";
import type {
  ConnectorSettings,
  IntakeAnswer,
  ReceivedMessage,
  Source,
} from "../../../src/connectors/connector.ts";
import { file } from "../../../src/connectors/file/mod.ts";
import type { LogFields, Logger, LogLevel } from "../../../src/logging/logger.ts";
import { until } from "../waiting.ts";

type Intake = (message: ReceivedMessage) => IntakeAnswer | Promise<IntakeAnswer>;

export const stored: IntakeAnswer = { stored: true, accepted: true, reply: undefined };
export const refused: IntakeAnswer = { stored: false };

export interface LogLine extends LogFields {
  readonly level: LogLevel;
  readonly event: string;
}

/** A logger that keeps its lines. */
export function recordingLogger(lines: LogLine[]): Logger {
  const log = (level: LogLevel, event: string, fields: LogFields = {}) => {
    lines.push({ ...fields, level, event });
  };
  return {
    log,
    debug: (event, fields) => log("debug", event, fields),
    info: (event, fields) => log("info", event, fields),
    warning: (event, fields) => log("warning", event, fields),
    error: (event, fields) => log("error", event, fields),
    audit: ({ action, actor }) => log("info", "audit", { action, actor }),
  };
}

export interface FileBenchOptions {
  readonly contentType?: string;
  readonly intake?: Intake;
  readonly isLeader?: () => boolean;
}

export class FileBench implements AsyncDisposable {
  /** The temporary directory; `directory` lies below it, so there is an outside. */
  readonly base: string;
  readonly directory: string;
  readonly source: Source;
  readonly received: ReceivedMessage[] = [];
  readonly log: LogLine[] = [];
  intake: Intake;

  private constructor(base: string, settings: ConnectorSettings, options: FileBenchOptions) {
    this.base = base;
    this.directory = path.join(base, "in");
    this.intake = options.intake ?? (() => stored);
    const build = file.createSource;
    if (build === undefined) throw new Error("File has no source");
    this.source = build({
      settings: { directory: this.directory, poll_seconds: 0.02, ...settings },
      bindHost: "127.0.0.1",
      sourceIpAllowlist: [],
      contentType: options.contentType ?? "hl7v2",
    }, {
      name: "FILE-IN_TEST",
      onEvent: () => {},
      logger: recordingLogger(this.log),
      isLeader: options.isLeader,
    });
  }

  /** Not started yet. */
  static async open(
    settings: ConnectorSettings = {},
    options: FileBenchOptions = {},
  ): Promise<FileBench> {
    const base = await Deno.realPath(await Deno.makeTempDir());
    const bench = new FileBench(base, settings, options);
    await Deno.mkdir(bench.directory);
    return bench;
  }

  start(): Promise<void> {
    return this.source.start(async (message) => {
      this.received.push(message);
      return await this.intake(message);
    });
  }

  /** Writes a file as careful writers do: beside, then renamed. */
  async drop(name: string, content: string | Uint8Array): Promise<void> {
    const target = path.join(this.directory, name);
    const temporary = path.join(this.base, crypto.randomUUID());
    await Deno.mkdir(path.dirname(target), { recursive: true });
    if (typeof content === "string") await Deno.writeTextFile(temporary, content);
    else await Deno.writeFile(temporary, content);
    await Deno.rename(temporary, target);
  }

  get texts(): string[] {
    return this.received.map(({ bytes }) => new TextDecoder().decode(bytes));
  }

  get logged(): string[] {
    return this.log.map(({ event }) => event);
  }

  /** Every file below the directory, relative and sorted. */
  files(): string[] {
    return filesBelow(this.directory);
  }

  waitForMessages(count: number): Promise<void> {
    return until(() => this.received.length >= count, `message ${count}`);
  }

  waitForFiles(expected: readonly string[]): Promise<void> {
    const wanted = JSON.stringify([...expected].sort());
    return until(() => JSON.stringify(this.files()) === wanted, `files ${wanted}`);
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await this.source.stop();
    await Deno.remove(this.base, { recursive: true });
  }
}

export function filesBelow(directory: string): string[] {
  const found: string[] = [];
  const visit = (below: string) => {
    for (const entry of Deno.readDirSync(path.join(directory, below))) {
      const relative = path.join(below, entry.name);
      if (entry.isDirectory) visit(relative);
      else found.push(relative);
    }
  };
  visit("");
  return found.sort();
}
