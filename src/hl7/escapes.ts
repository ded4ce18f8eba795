/**
 * HL7 escape sequences, read generously and written sparingly.
 *
 * Reading resolves what has a meaning in plain text and drops the rest; writing produces only the
 * five sequences that protect delimiters. To carry formatting through, copy whole fields.
 * Source: HL7 v2.5.1 §2.7.
 */
import type { Delimiters } from "./delimiters.ts";
import { Hl7SyntaxError } from "./errors.ts";
import { decodeUtf8 } from "./utf8.ts";

/** Largest count a formatting sequence may name; `\.in600\` is dropped. */
export const escapeCountMax = 512;

/** Characters that reading escapes may add to one message. */
export const escapeGrowthMax = 16 * 1024 * 1024;

/** What is left of `escapeGrowthMax`; one per message. */
export interface GrowthBudget {
  left: number;
}

/** Returns `value` with every delimiter in it escaped. The caller refuses CR and LF. */
export function escape(value: string, delimiters: Delimiters): string {
  const { field, component, repetition, subcomponent } = delimiters;
  const mark = delimiters.escape;
  let result = "";
  let copied = 0;
  for (let i = 0; i < value.length; i++) {
    let letter: string;
    switch (value[i]) {
      case field:
        letter = "F";
        break;
      case component:
        letter = "S";
        break;
      case repetition:
        letter = "R";
        break;
      case subcomponent:
        letter = "T";
        break;
      case mark:
        letter = "E";
        break;
      default:
        continue;
    }
    result += value.slice(copied, i) + mark + letter + mark;
    copied = i + 1;
  }
  return copied === 0 ? value : result + value.slice(copied);
}

/**
 * Returns `raw` with its escape sequences resolved. An escape character without a closing one is
 * data and stays.
 *
 * @throws {Hl7SyntaxError} `hl7.escape_growth` when the budget is spent.
 */
export function unescape(raw: string, delimiters: Delimiters, budget?: GrowthBudget): string {
  const mark = delimiters.escape;
  let open = raw.indexOf(mark);
  if (open < 0) return raw;

  const room = budget ?? { left: escapeGrowthMax };
  let result = "";
  let copied = 0;
  while (open >= 0) {
    const close = raw.indexOf(mark, open + 1);
    if (close < 0) break;
    result += raw.slice(copied, open);
    let end = close + 1;
    let text: string;
    if (raw[open + 1] === "X") {
      ({ text, end } = readHexRun(raw, open, mark));
    } else {
      text = readSequence(raw.slice(open + 1, close), delimiters);
    }
    spend(room, text.length - (end - open));
    result += text;
    copied = end;
    open = raw.indexOf(mark, end);
  }
  return result + raw.slice(copied);
}

function spend(budget: GrowthBudget, growth: number): void {
  if (growth <= 0) return;
  budget.left -= growth;
  if (budget.left >= 0) return;
  throw new Hl7SyntaxError(
    "hl7.escape_growth",
    "Cannot read message: its escape sequences grow beyond 16 MiB",
  );
}

function readSequence(name: string, delimiters: Delimiters): string {
  switch (name) {
    case "F":
      return delimiters.field;
    case "S":
      return delimiters.component;
    case "R":
      return delimiters.repetition;
    case "T":
      return delimiters.subcomponent;
    case "E":
      return delimiters.escape;
  }
  // Highlighting (H, N), character set switches (C, M), local (Z) and unknown sequences have no
  // plain text.
  return name.startsWith(".") ? readFormatting(name) : "";
}

/** Formatting commands: `.br`, `.sp3`, `.in+4`. */
function readFormatting(name: string): string {
  const unit = formatting.get(name.slice(1, 3));
  if (unit === undefined) return "";
  const digits = name.slice(3);
  if (digits === "") return unit;
  if (!/^\+?\d{1,9}$/.test(digits)) return "";
  const count = Number(digits);
  return count > escapeCountMax ? "" : unit.repeat(count);
}

const formatting: ReadonlyMap<string, string> = new Map([
  ["br", "\n"],
  ["sp", "\n"],
  ["ce", "\n"],
  ["in", "    "],
  ["ti", "    "],
  ["sk", " "],
  ["fi", ""],
  ["nf", ""],
]);

/**
 * Reads adjoining `\Xhh…\` sequences as one run of bytes, for some senders escape every byte of a
 * character on its own. UTF-8 when the run is that, else one character a byte.
 */
function readHexRun(raw: string, start: number, mark: string): { text: string; end: number } {
  const bytes: number[] = [];
  let end = start;
  while (raw[end] === mark && raw[end + 1] === "X") {
    const close = raw.indexOf(mark, end + 1);
    if (close < 0) break;
    const digits = raw.slice(end + 2, close);
    if (digits.length % 2 === 0 && /^[0-9A-Fa-f]*$/.test(digits)) {
      for (let i = 0; i < digits.length; i += 2) {
        bytes.push(Number.parseInt(digits.slice(i, i + 2), 16));
      }
    }
    end = close + 1;
  }
  const decoded = decodeUtf8(Uint8Array.from(bytes));
  return { text: decoded.ok ? decoded.text : latin1(bytes), end };
}

function latin1(bytes: readonly number[]): string {
  let text = "";
  for (const byte of bytes) text += String.fromCharCode(byte);
  return text;
}
