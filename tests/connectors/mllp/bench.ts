/** Benches for MLLP tests: a source with a scripted intake, a destination, and their events. */
import type {
  ConnectionEvent,
  ConnectionEventKind,
  ConnectorContext,
  ConnectorSettings,
  IntakeAnswer,
  ReceivedMessage,
} from "../../../src/connectors/connector.ts";
import { MllpDestination } from "../../../src/connectors/mllp/destination.ts";
import { readDestinationOptions, readSourceOptions } from "../../../src/connectors/mllp/options.ts";
import { MllpSource } from "../../../src/connectors/mllp/source.ts";
import { acknowledgementFor } from "../scripted_partner.ts";
import { until } from "../waiting.ts";

const latin1 = new TextDecoder("latin1");

/** One HL7 message, 1 line or more, ended as HL7 wants. */
export function adt(controlId: string, text = ""): string {
  return `MSH|^~\\&|SEND|SITE|ENGINE|HOSP|20260101120000||ADT^A01^ADT_A01|${controlId}|P|2.5.1\r` +
    `EVN|A01|20260101120000\rPID|1||900${controlId}^^^HOSP^MR||TEST^PATIENT${text}\r`;
}

/** The MSA-2 of each reply. */
export function acknowledged(replies: readonly string[]): string[] {
  return replies.map((reply) => /\rMSA\|A[AER]\|([^|\r]*)/.exec(reply)?.[1] ?? "?");
}

export class Recorder {
  readonly events: ConnectionEvent[] = [];
  readonly context: ConnectorContext;

  constructor(name: string, options: Partial<ConnectorContext> = {}) {
    this.context = { name, onEvent: (event) => this.events.push(event), ...options };
  }

  get kinds(): ConnectionEventKind[] {
    return this.events.map((event) => event.kind);
  }

  waitFor(kind: ConnectionEventKind): Promise<void> {
    return until(() => this.kinds.includes(kind), `event "${kind}"`);
  }
}

type Intake = (message: ReceivedMessage) => IntakeAnswer | Promise<IntakeAnswer>;

/** Accepts everything with a positive acknowledgement. */
export const accept: Intake = ({ bytes }) => ({
  stored: true,
  accepted: true,
  reply: new TextEncoder().encode(acknowledgementFor(latin1.decode(bytes))),
});

/** A started source on a free loopback port. */
export class SourceBench implements AsyncDisposable {
  readonly source: MllpSource;
  readonly recorder: Recorder;
  readonly received: ReceivedMessage[] = [];
  intake: Intake = accept;

  private constructor(source: MllpSource, recorder: Recorder) {
    this.source = source;
    this.recorder = recorder;
  }

  static async open(
    settings: ConnectorSettings = {},
    options: {
      port?: number;
      bindHost?: string;
      allowlist?: readonly string[];
      intake?: Intake;
    } = {},
  ): Promise<SourceBench> {
    const recorder = new Recorder("IB_TEST_ADT");
    const read = readSourceOptions({
      settings: { port: 2575, ...settings },
      bindHost: options.bindHost ?? "127.0.0.1",
      sourceIpAllowlist: options.allowlist ?? [],
      contentType: "hl7v2",
    });
    // The table wants a real port; the system's choice keeps tests apart.
    const address = { ...read.address, port: options.port ?? 0 };
    const source = new MllpSource({ ...read, address }, recorder.context);
    const bench = new SourceBench(source, recorder);
    bench.intake = options.intake ?? accept;
    await bench.start();
    return bench;
  }

  start(): Promise<void> {
    return this.source.start((message) => {
      this.received.push(message);
      return Promise.resolve(this.intake(message));
    });
  }

  get port(): number {
    return this.source.port as number;
  }

  /** Bodies received, latin-1. */
  get texts(): string[] {
    return this.received.map(({ bytes }) => latin1.decode(bytes));
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await this.source.stop();
  }
}

/** A destination with its events. */
export class DestinationBench implements AsyncDisposable {
  readonly destination: MllpDestination;
  readonly recorder: Recorder;

  constructor(
    settings: ConnectorSettings,
    options: { verify?: "lenient" | "strict"; allowInsecureTls?: boolean } = {},
  ) {
    this.recorder = new Recorder("OB_TEST_ADT", { allowInsecureTls: options.allowInsecureTls });
    const read = readDestinationOptions(
      {
        settings: { host: "127.0.0.1", ...settings },
        verifyAckControlId: options.verify ?? "lenient",
      },
      { allowInsecureTls: options.allowInsecureTls ?? false },
    );
    this.destination = new MllpDestination(read, this.recorder.context);
  }

  /** Sends one message with this control ID. */
  send(controlId: string, signal: AbortSignal = new AbortController().signal) {
    return this.destination.send({ text: adt(controlId), controlId }, signal);
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await this.destination.close();
  }
}
