/**
 * The receive path of one inbound: bytes are decoded, looked at, committed, and only then answered.
 *
 * Whatever passed framing gets a row: RECEIVED when it can enter the pipeline, ERROR with its bytes
 * when it cannot. Nothing that happens after the commit is visible to the sender. Source: spec
 * pipeline-store-cluster §1.2, connectors-and-graph §2.1.
 */
import { setImmediate } from "node:timers";
import type { Clock } from "../clock.ts";
import type { IntakeAnswer, ReceivedMessage } from "../connectors/connector.ts";
import { errorClass } from "../errors.ts";
import { type Failpoints, noFailpoints } from "../failpoints.ts";
import type { InboundDefinition } from "../graph/graph.ts";
import {
  buildAcknowledgement,
  type Codec,
  codecFor,
  isAcknowledgement,
  isCharsetMismatch,
  latin1View,
} from "../hl7/mod.ts";
import { encodeCarriage } from "../hl7/carriage.ts";
import type { Logger } from "../logging/logger.ts";
import type { NewMessage } from "../store/intents.ts";
import type { Store } from "../store/store.ts";
import { type FirstLook, isBinary, lookAtText, oversize } from "./first_look.ts";
import type { IngressLane } from "./ingress_lane.ts";
import type { MessageIds } from "./message_id.ts";
import type { Pace } from "./pace.ts";
import type { InboundStatistics } from "./statistics.ts";

export type ValidateStrict = (
  text: string,
  hl7Version: string | undefined,
) => Promise<{ readonly ok: true } | { readonly ok: false; readonly error: string }>;

export interface IntakeOptions {
  readonly definition: InboundDefinition;
  readonly lane: IngressLane;
  readonly store: Store;
  readonly clock: Clock;
  readonly logger: Logger;
  readonly failpoints: Failpoints;
  readonly ids: MessageIds;
  readonly pace: Pace;
  readonly statistics: InboundStatistics;
  readonly validateStrict: ValidateStrict;
  readonly redact: (text: string) => string;
  readonly onCharsetMismatch: (characterSet: string) => void;
  readonly onStoreFailure: (error: unknown) => void;
  /** Whether this node may take messages at this moment; what it has begun to store is stored. */
  readonly mayAct?: () => boolean;
  /** Whether a sender may be told that its message is taken, once it is stored. */
  readonly mayAnswer?: () => boolean;
}

export class Intake {
  readonly #options: IntakeOptions;
  readonly #codec: Codec;
  readonly #isHl7: boolean;
  readonly #isBinary: boolean;
  readonly #charsetsSeen = new Set<string>();
  /** Keeps arrival order where a step has to wait (strict validation). */
  #tail: Promise<unknown> = Promise.resolve();

  constructor(options: IntakeOptions) {
    this.#options = options;
    const { definition } = options;
    this.#isHl7 = definition.contentType === "hl7v2";
    this.#isBinary = isBinary(definition.contentType);
    this.#codec = codecFor(String(definition.settings.encoding ?? "utf-8"));
  }

  /** The callback of the inbound's source. Never throws; messages of one source keep their order. */
  receive = (received: ReceivedMessage): Promise<IntakeAnswer> => {
    if (this.#options.mayAct?.() === false) return Promise.resolve({ stored: false });
    const prepared = this.#prepare(received.bytes);
    if (!this.#options.definition.strict) return this.#store(prepared, received);
    const validated = prepared.fault ? prepared : this.#validate(prepared);
    const turn = this.#tail.then(() => validated);
    // A validator that is gone says nothing of the messages behind this one.
    this.#tail = turn.catch(() => {});
    return turn.then(
      (verdict) => this.#store(verdict, received),
      (thrown) => this.#refuse(thrown),
    );
  };

  #prepare(bytes: Uint8Array): FirstLook {
    if (this.#isBinary) {
      const text = encodeCarriage(bytes);
      return { text, header: undefined, fault: oversize(bytes.length) };
    }
    let decoded: string;
    try {
      decoded = this.#codec.decode(bytes);
    } catch {
      const fault = { code: "AR" as const, told: "decode error", stored: "decode error" };
      return { text: latin1View(bytes), header: undefined, fault };
    }
    return lookAtText(decoded, this.#options.definition.contentType);
  }

  async #validate(prepared: FirstLook): Promise<FirstLook> {
    const { definition, validateStrict, redact } = this.#options;
    const verdict = await validateStrict(prepared.text, definition.hl7Version);
    if (verdict.ok) return prepared;
    const fault = {
      code: "AE" as const,
      told: verdict.error.slice(0, 200),
      stored: redact(verdict.error),
    };
    return { ...prepared, fault };
  }

  async #store(prepared: FirstLook, received: ReceivedMessage): Promise<IntakeAnswer> {
    const { pace, clock, ids, definition, store, failpoints, statistics } = this.#options;
    const turn = pace.wait();
    if (turn) await turn;
    const nowMs = clock.now();
    const { header, text, fault } = prepared;
    const message: NewMessage = {
      id: ids.next(nowMs),
      channel: definition.name,
      receivedAt: Math.round(nowMs * 1000),
      sourceType: definition.type,
      controlId: header?.controlId,
      messageType: header?.messageType,
      raw: text,
    };
    failpoints.hit("intake.before_submit");
    try {
      if (fault) {
        await store.submit({ kind: "record_error", message, error: fault.stored });
      } else {
        await this.#enter(message, received.connectionId);
      }
    } catch (thrown) {
      return this.#refuse(thrown);
    }
    // Whoever leads by now finds the row later than what the sender would give it next: the sender
    // keeps the message and sends it there, in its place.
    if (this.#options.mayAnswer?.() === false) return { stored: false };
    failpoints.hit("intake.before_reply");
    if (failpoints !== noFailpoints) {
      // The source writes in a microtask; by then the reply has left.
      setImmediate(() => failpoints.hit("intake.after_reply"));
    }
    statistics.read += 1;
    statistics.lastAt = nowMs;
    if (fault) statistics.errored += 1;
    if (header?.characterSet) this.#noteCharset(header.characterSet);
    return { stored: true, accepted: !fault, reply: this.#reply(prepared, nowMs) };
  }

  /** Nothing is durable: the sender gets no answer and keeps its message. */
  #refuse(thrown: unknown): IntakeAnswer {
    this.#options.onStoreFailure(thrown);
    return { stored: false };
  }

  /** T1; once durable the lane has the message, in memory or by a look at the store. */
  async #enter(message: NewMessage, waiter: number): Promise<void> {
    const { lane, store } = this.#options;
    const { generation } = lane.memory;
    const token = lane.admit(message.raw);
    try {
      const { seq, messageSeq } = await store.submit({ kind: "receive", message, token }, {
        waiter,
      });
      if (token === undefined) return lane.wake();
      lane.committed({
        seq,
        token,
        messageSeq,
        text: message.raw,
        receivedAt: message.receivedAt,
        handler: undefined,
        attempts: 1,
        messageId: message.id,
        metadata: undefined,
        answer: undefined,
      }, generation);
    } catch (thrown) {
      lane.refused(message.raw, token !== undefined, generation);
      throw thrown;
    }
  }

  #reply({ header, text, fault }: FirstLook, now: number): Uint8Array | undefined {
    const { definition, statistics, logger } = this.#options;
    if (!this.#isHl7 || definition.ackMode === "none") return undefined;
    // Two engines that acknowledged acknowledgements would never stop.
    if (header && isAcknowledgement(header)) return undefined;
    if (fault) statistics.naksSent += 1;
    const acknowledgement = buildAcknowledgement({
      header,
      rawStart: header ? "" : text.slice(0, 4096),
      code: fault?.code ?? "AA",
      mode: definition.ackMode,
      reason: fault?.told,
      now,
    });
    try {
      return this.#codec.encode(acknowledgement);
    } catch (thrown) {
      // Only a reason can hold such a character: echoed fields came through the same codec.
      logger.warning("intake.reply_not_encodable", { error: errorClass(thrown) });
      return this.#codec.encode(acknowledgement.replace(/[^\r\x20-\x7e]/g, "?"));
    }
  }

  #noteCharset(characterSet: string): void {
    if (this.#charsetsSeen.has(characterSet) || this.#charsetsSeen.size >= 100) return;
    this.#charsetsSeen.add(characterSet);
    if (isCharsetMismatch(characterSet, this.#codec)) {
      this.#options.onCharsetMismatch(characterSet);
    }
  }
}
