/**
 * Delivers messages to one partner over MLLP and waits for its acknowledgement.
 *
 * A positive acknowledgement of this very message is a delivery; everything else is not, and is
 * either an answer (the partner said no) or a failure (nothing was heard that could be trusted).
 * Whether to try again is decided in `pipeline/retry.ts`.
 */
import type { Buffer } from "node:buffer";
import type net from "node:net";
import {
  latin1View,
  peekControlId,
  readAcknowledgement,
  redelimit,
  refusalReason,
} from "../../hl7/mod.ts";
import {
  type ConnectionCounters,
  type ConnectionEventKind,
  type ConnectorContext,
  type DeliveryAnswer,
  DeliveryError,
  type Destination,
  type OutboundMessage,
} from "../connector.ts";
import { newCounters } from "../counters.ts";
import { impossible, isCarriedBinary, payloadBytes } from "../payload.ts";
import { frameAll, frameUtf8, isUnframable } from "./framing.ts";
import { dial, type Exchange, heedRefusal, MllpLink, unconfirmed } from "./link.ts";
import type { MllpDestinationOptions } from "./options.ts";

/** What the caller of `send()` waits for. */
interface Delivery {
  readonly controlId: string | undefined;
  readonly resolve: (answer: DeliveryAnswer) => void;
  readonly reject: (error: unknown) => void;
}

export class MllpDestination implements Destination {
  readonly counters: ConnectionCounters = newCounters();
  readonly #options: MllpDestinationOptions;
  readonly #context: ConnectorContext;
  #link: MllpLink | undefined;
  #delivery: Delivery | undefined;
  #isClosed = false;
  /** False from a transport failure to the next reply. */
  #isHealthy = true;
  #hasToldAbsentId = false;
  /** Ends a connection attempt under way. */
  #dialling: AbortController | undefined;
  /** The lane's signal rarely changes, so it is listened to once and not once a message. */
  #signal: AbortSignal | undefined;
  readonly #onAbort = () => this.#interrupt("the lane was stopped");
  /** One object for all exchanges: nothing is allocated a message but the promise. */
  readonly #exchange: Exchange = {
    replied: (frame) => this.#replied(frame),
    failed: (error) => this.#failed(error),
  };

  constructor(options: MllpDestinationOptions, context: ConnectorContext) {
    this.#options = options;
    this.#context = context;
  }

  /**
   * Sends one message and waits for the partner's acknowledgement.
   *
   * A negative acknowledgement is an answer and is returned, not thrown. Source: HL7 v2.5.1 §2.9.2
   * (original mode), design §5 for MSA-2.
   *
   * @throws {DeliveryError} `reached: "no"` while nothing has left this machine, `"unknown"` once
   * the partner may hold the message; `permanent` when it can never be sent.
   */
  send(message: OutboundMessage, signal: AbortSignal): Promise<DeliveryAnswer> {
    if (this.#delivery !== undefined) {
      return Promise.reject(new TypeError("A delivery over this MLLP connection is under way"));
    }
    return new Promise((resolve, reject) => {
      try {
        this.#requireOpen(signal);
        const text = this.#textOf(message);
        const frame = this.#frame(text);
        const controlId = this.#controlIdOf(message, text);
        this.#delivery = { controlId, resolve, reject };
        this.#listenTo(signal);
        const now = performance.now();
        if (this.#link?.isReusable(now)) this.#begin(this.#link, frame, now);
        else this.#dialAndBegin(frame);
      } catch (refusal) {
        reject(refusal);
      }
    });
  }

  async probe(signal: AbortSignal): Promise<void> {
    this.#requireOpen(signal);
    const socket = await dial(this.#options, { signal });
    try {
      if (this.#options.tls !== undefined) await heedRefusal(socket);
    } finally {
      socket.on("error", () => {});
      socket.destroy();
    }
  }

  close(): Promise<void> {
    this.#isClosed = true;
    this.#listenTo(undefined);
    this.#interrupt("the connection was closed by the engine");
    return Promise.resolve();
  }

  #replied(frame: Uint8Array): void {
    if (!this.#isHealthy) {
      this.#isHealthy = true;
      this.#emit("connection_restored");
    }
    if (!this.#options.isPersistent) this.#dropLink();
    const outcome = this.#classify(frame);
    if (outcome instanceof DeliveryError) {
      this.#dropLink();
      this.#take()?.reject(outcome);
    } else {
      this.#take()?.resolve(outcome);
    }
  }

  /** No frame will come: the connection could not be opened, broke, or timed out. */
  #failed(error: DeliveryError): void {
    this.#forgetLink();
    if (error.code !== "delivery.aborted") this.#tellLost(error);
    this.#take()?.reject(error);
  }

  #classify(frame: Uint8Array): DeliveryAnswer | DeliveryError {
    const reply = this.#decode(frame);
    const { verdict, code, controlId, isAck } = readAcknowledgement(reply);
    if (verdict === "not_hl7") {
      return unconfirmed("delivery.ack_unparseable", "the reply is not an HL7 acknowledgement");
    }
    const sent = this.#delivery?.controlId;
    if (isAck && controlId !== undefined && sent !== undefined && controlId !== sent) {
      this.#emit("ack_mismatch", "MSA-2 is not the MSH-10 that was sent");
      return unconfirmed("delivery.ack_mismatch", "the acknowledgement is of another message");
    }
    if (verdict !== "accepted") {
      const permanent = verdict === "rejected";
      const said = refusalReason(reply);
      const answer = {
        accepted: false,
        code: code ?? (permanent ? "AR" : "AE"),
        permanent,
      } as const;
      return said === undefined ? answer : { ...answer, said };
    }
    if (controlId === undefined && sent !== undefined) {
      if (this.#options.verifyAckControlId === "strict") {
        this.#emit("ack_id_absent", "MSA-2 is empty");
        return unconfirmed("delivery.ack_id_absent", "the acknowledgement names no message");
      }
      this.#tellAbsentId();
    }
    return { accepted: true, reply };
  }

  /** Codes and ids are ASCII: a reply with a letter of another character set is still read. */
  #decode(frame: Uint8Array): string {
    const { codec } = this.#options;
    try {
      return codec.decode(frame);
    } catch {
      return codec.decodeLossless(frame);
    }
  }

  #dialAndBegin(frame: Buffer): void {
    this.#dropLink();
    const dialling = this.#dialling = new AbortController();
    const { signal } = dialling;
    let link: MllpLink | undefined;
    dial(this.#options, { signal, onRead: (chunk) => link?.read(chunk) }).then((socket) => {
      this.#dialling = undefined;
      link = this.#adopt(socket);
      this.#begin(link, frame, performance.now());
    }, (error) => {
      this.#dialling = undefined;
      this.#failed(error as DeliveryError);
    });
  }

  #adopt(socket: net.Socket): MllpLink {
    const link = new MllpLink(socket, this.#options, (bytes) => {
      this.counters.bytesIn += bytes;
    });
    this.#link = link;
    this.counters.connectionsOpen = 1;
    this.#hasToldAbsentId = false;
    socket.on("close", () => {
      if (this.#link === link) this.#forgetLink();
    });
    return link;
  }

  #begin(link: MllpLink, frame: Buffer, now: number): void {
    this.counters.bytesOut += frame.length;
    link.begin(frame, this.#exchange, now);
  }

  #textOf(message: OutboundMessage): string {
    const { delimiters } = this.#options;
    if (delimiters === undefined) return message.text;
    try {
      return redelimit(message.text, delimiters);
    } catch (cause) {
      throw impossible(
        "delivery.not_hl7",
        "Cannot rewrite message with encoding_characters: its own delimiters cannot be read",
        { cause },
      );
    }
  }

  /** Rewriting can change how MSH-10 is escaped, so then it is read again. */
  #controlIdOf(message: OutboundMessage, text: string): string | undefined {
    const controlId = text === message.text ? message.controlId : peekControlId(text);
    return controlId?.trim() || undefined;
  }

  #frame(text: string): Buffer {
    const { codec } = this.#options;
    if (codec.name === "utf-8" && text.isWellFormed() && !isCarriedBinary(text)) {
      requireFramable(text);
      return frameUtf8(text);
    }
    const body = payloadBytes(text, codec);
    requireFramable(latin1View(body));
    return frameAll([body]);
  }

  #requireOpen(signal: AbortSignal): void {
    if (!this.#isClosed && !signal.aborted) return;
    throw new DeliveryError("delivery.aborted", "Cannot deliver: the connection is stopped", {
      reached: "no",
    });
  }

  /** Ends whatever is under way: before the first byte it never left, after it nobody knows. */
  #interrupt(reason: string): void {
    this.#dialling?.abort();
    this.#dropLink(unconfirmed("delivery.aborted", reason));
  }

  #listenTo(signal: AbortSignal | undefined): void {
    if (signal === this.#signal) return;
    this.#signal?.removeEventListener("abort", this.#onAbort);
    this.#signal = signal;
    signal?.addEventListener("abort", this.#onAbort);
  }

  #dropLink(error?: DeliveryError): void {
    const link = this.#link;
    this.#forgetLink();
    link?.close(error);
  }

  #forgetLink(): void {
    this.#link = undefined;
    this.counters.connectionsOpen = 0;
  }

  #take(): Delivery | undefined {
    const delivery = this.#delivery;
    this.#delivery = undefined;
    return delivery;
  }

  #tellLost(error: DeliveryError): void {
    const cause = (error.cause as { code?: string } | undefined)?.code;
    // With TLS 1.3 a refused client certificate shows only after the first write (RFC 8446 §4.4.2).
    if (error.code === "delivery.tls_failed" || cause?.startsWith("ERR_SSL")) {
      this.#emit("tls_error", cause);
    }
    if (!this.#isHealthy) return;
    this.#isHealthy = false;
    this.#emit("connection_lost", error.code);
  }

  /** Once a connection: a partner that leaves it out always does. */
  #tellAbsentId(): void {
    if (this.#hasToldAbsentId) return;
    this.#hasToldAbsentId = true;
    this.#emit("ack_id_absent", "MSA-2 is empty");
  }

  #emit(kind: ConnectionEventKind, reason?: string): void {
    const { name, onEvent } = this.#context;
    const peer = this.#options.host;
    onEvent({ connection: name, transport: "mllp", direction: "outbound", kind, peer, reason });
  }
}

/** @throws {DeliveryError} permanent: `delivery.unframable`. */
function requireFramable(body: string): void {
  if (!isUnframable(body)) return;
  throw impossible(
    "delivery.unframable",
    "Cannot deliver message: it contains the bytes that begin and end MLLP frames",
  );
}
