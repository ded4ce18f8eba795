/**
 * Many messages in one text: batch files, files with several messages, one message of many orders.
 *
 * Source: HL7 v2.5.1 §2.10.3 (batch protocol); spec connectors-and-graph §3.6 and §3.9.
 */
import { isUsable } from "./delimiters.ts";
import { Message } from "./message.ts";
import { normaliseText } from "./normalise.ts";

/** A trailer that promised another number of messages (BTS-1) or batches (FTS-1). */
export interface BatchMismatch {
  readonly segment: "BTS" | "FTS";
  readonly declared: number;
  readonly counted: number;
}

export interface BatchSplit {
  /** In file order, CR after each segment. The whole text, as it came, when there is no MSH. */
  readonly messages: readonly string[];
  /** False when no MSH was found: the one item is there to be recorded as an error. */
  readonly hasMessages: boolean;
  /** True when FHS, BHS, BTS, FTS or the bytes of MLLP frames stand in the text. */
  readonly hasEnvelope: boolean;
  /** Worth a log line, never a refusal. */
  readonly mismatches: readonly BatchMismatch[];
}

/**
 * Splits at every line that begins an MSH. Envelope segments (FHS, BHS, BTS, FTS), the bytes of MLLP
 * frames, which captures of a connection hold, and anything before the first MSH are left out.
 */
export function splitBatch(text: string): BatchSplit {
  const counts = new EnvelopeCounts();
  const messages: string[] = [];
  let current = "";
  for (const framed of normaliseText(text).split("\r")) {
    const line = framed.endsWith(frameEnd) ? framed.slice(0, -1) : framed;
    if (line !== framed || line.startsWith(frameStart)) counts.hasEnvelope = true;
    const id = segmentIdOf(line);
    if (id === "MSH") {
      if (current !== "") messages.push(current);
      current = line.trimStart() + "\r";
      counts.addMessage();
    } else if (envelopeIds.has(id)) {
      counts.addEnvelope(id, line);
    } else if (current !== "" && line.trim() !== "") {
      current += line + "\r";
    }
  }
  const { hasEnvelope, mismatches } = counts;
  if (current === "") {
    return { messages: [text], hasMessages: false, hasEnvelope, mismatches: [] };
  }
  messages.push(current);
  return { messages, hasMessages: true, hasEnvelope, mismatches };
}

/**
 * Tells whether bytes look like HL7: after an optional BOM, blanks and a stray start-of-frame byte
 * they begin with MSH, FHS or BHS.
 */
export function looksLikeHl7(bytes: Uint8Array): boolean {
  let at = bytes[0] === 0xef && bytes[1] === 0xbb && bytes[2] === 0xbf ? 3 : 0;
  while (leadingBytes.has(bytes[at] ?? -1)) at++;
  return batchStarts.has(String.fromCharCode(...bytes.subarray(at, at + 3)));
}

/**
 * Makes one message of each order: what stands before the first OBR, then one OBR group. MSH-10,
 * where there is one, gets `-1`, `-2`. A message without OBR comes back as it is, as a copy.
 */
export function splitByObr(message: Message): readonly Message[] {
  const head: string[] = [];
  const orders: string[][] = [];
  for (const segment of message.segments()) {
    if (segment.id === "OBR") orders.push([]);
    (orders.at(-1) ?? head).push(segment.encode());
  }
  if (orders.length === 0) return [message.copy()];

  const controlId = message.controlId;
  return orders.map((lines, index) => {
    const order = Message.parse([...head, ...lines, ""].join("\r"));
    return controlId === undefined ? order : order.set("MSH-10", `${controlId}-${index + 1}`);
  });
}

const frameStart = "\x0b";
const frameEnd = "\x1c";
const envelopeIds: ReadonlySet<string> = new Set(["FHS", "BHS", "BTS", "FTS"]);
const batchStarts: ReadonlySet<string> = new Set(["MSH", "FHS", "BHS"]);
const leadingBytes: ReadonlySet<number> = new Set([0x0b, 0x0d, 0x0a, 0x20, 0x09]);

/** Holds what the trailers declare against what was seen since their headers. */
class EnvelopeCounts {
  readonly mismatches: BatchMismatch[] = [];
  hasEnvelope = false;
  #messages = 0;
  #batches = 0;
  #separator = "|";

  addMessage(): void {
    this.#messages++;
  }

  addEnvelope(id: string, line: string): void {
    this.hasEnvelope = true;
    this.#separator = line.trimStart()[3] ?? this.#separator;
    if (id === "BHS") {
      this.#messages = 0;
    } else if (id === "FHS") {
      this.#batches = 0;
    } else if (id === "BTS") {
      this.#compare("BTS", line, this.#messages);
      this.#messages = 0;
      this.#batches++;
    } else {
      this.#compare("FTS", line, this.#batches);
      this.#batches = 0;
    }
  }

  #compare(segment: "BTS" | "FTS", line: string, counted: number): void {
    const declared = line.trimStart().split(this.#separator, 2)[1]?.trim() ?? "";
    if (!/^\d{1,9}$/.test(declared) || Number(declared) === counted) return;
    this.mismatches.push({ segment, declared: Number(declared), counted });
  }
}

/** The id a line begins with, blanks before an MSH or an envelope aside; "" for anything else. */
function segmentIdOf(line: string): string {
  const code = line.charCodeAt(0);
  const start = code === 0x20 || code === 0x09 || code === 0x0b ? line.trimStart() : line;
  const id = start.slice(0, 3);
  if (id === "MSH") return isUsable(start.charAt(3)) ? id : "";
  return start.length === 3 || isUsable(start.charAt(3)) ? id : "";
}
