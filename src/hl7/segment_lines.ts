/**
 * The segments of one text, each made when it is first asked for.
 *
 * A text with one CR after each segment, as nearly every one has, is not split at all: where its
 * lines begin is enough to find a segment, and to write back the few that were changed. Any other
 * text is split at once. Upstream: `body.ts`, which knows paths and delimiters.
 */
import { mshLine } from "./delimiters.ts";
import { SegmentRecord } from "./record.ts";

const CR = 0x0d;
const BLANK = 0x20;
const TAB = 0x09;

export class SegmentLines {
  /** Begins with MSH. */
  readonly #source: string;
  readonly #separator: string;
  /** Index in the source where each line begins; undefined until needed, and for a split text. */
  #starts: readonly number[] | undefined;
  /** By line; when the text is not split, a line nobody asked for has none. */
  #records: (SegmentRecord | undefined)[] = [];
  #isSplit = false;

  constructor(source: string, separator: string) {
    this.#source = source;
    this.#separator = separator;
  }

  /** The MSH, found without looking at the rest. */
  get header(): SegmentRecord {
    return this.#records[0] ??= new SegmentRecord("MSH", mshLine(this.#source, 0));
  }

  /** Returns the nth segment with this id of three characters; `occurrence` counts from 1. */
  find(id: string, occurrence: number): SegmentRecord | undefined {
    const starts = this.#lineStarts();
    let left = occurrence;
    if (starts === undefined) {
      for (const record of this.all()) {
        if (record.id === id && --left === 0) return record;
      }
      return undefined;
    }
    for (let index = 0; index < starts.length; index++) {
      if (this.#hasId(starts[index] as number, id) && --left === 0) {
        return this.#records[index] ??= new SegmentRecord(id, this.#lineAt(index));
      }
    }
    return undefined;
  }

  /** Every segment in order, MSH first. What is put in or taken out of the list is so here. */
  all(): SegmentRecord[] {
    if (!this.#isSplit) this.#splitAll();
    return this.#records as SegmentRecord[];
  }

  /** Keeps only these. */
  keep(records: SegmentRecord[]): void {
    this.all();
    this.#records = records;
  }

  /** The text with what was written to its segments; each ends with CR. */
  encode(): string {
    const starts = this.#lineStarts();
    let text = "";
    if (starts === undefined) {
      for (const record of this.all()) text += record.line + "\r";
      return text;
    }
    let copied = 0;
    for (let index = 0; index < this.#records.length; index++) {
      const record = this.#records[index];
      if (record === undefined || !record.isChanged) continue;
      text += this.#source.slice(copied, starts[index]) + record.line;
      copied = this.#endOf(index);
    }
    text += this.#source.slice(copied);
    return this.#source.endsWith("\r") ? text : text + "\r";
  }

  /** Lines of their own that start from the same segments. */
  copy(): SegmentLines {
    const copy = new SegmentLines(this.#source, this.#separator);
    copy.#starts = this.#starts;
    copy.#isSplit = this.#isSplit;
    copy.#records = this.#records.map((record) => record?.copy());
    return copy;
  }

  /** Where the lines begin, or undefined when the text is split or has to be. */
  #lineStarts(): readonly number[] | undefined {
    if (this.#starts === undefined && !this.#isSplit) {
      this.#starts = plainStarts(this.#source);
      if (this.#starts === undefined) this.#splitAll();
    }
    return this.#starts;
  }

  #lineAt(index: number): string {
    return this.#source.slice(this.#starts?.[index], this.#endOf(index));
  }

  /** Index in the source after the last character of a line, its CR not counted. */
  #endOf(index: number): number {
    const next = this.#starts?.[index + 1];
    if (next !== undefined) return next - 1;
    return this.#source.length - (this.#source.endsWith("\r") ? 1 : 0);
  }

  /** True when the line at `start` has this id as `SegmentRecord.ofLine()` sees it. */
  #hasId(start: number, id: string): boolean {
    const source = this.#source;
    if (source.charCodeAt(start) !== id.charCodeAt(0)) return false;
    if (source.charCodeAt(start + 1) !== id.charCodeAt(1)) return false;
    if (source.charCodeAt(start + 2) !== id.charCodeAt(2)) return false;
    const at = start + 3;
    if (at >= source.length) return true;
    const after = source.charCodeAt(at);
    return after === CR || after === this.#separator.charCodeAt(0);
  }

  #splitAll(): void {
    const starts = this.#starts ?? plainStarts(this.#source);
    if (starts === undefined) {
      this.#records = splitLines(this.#source, this.#separator, this.header);
    } else {
      this.#starts = starts;
      for (let index = 0; index < starts.length; index++) {
        this.#records[index] ??= SegmentRecord.ofLine(this.#lineAt(index), this.#separator);
      }
    }
    this.#starts = undefined;
    this.#isSplit = true;
  }
}

/** Where each line begins, or undefined for a text with LF or with a line that may be blank. */
function plainStarts(source: string): readonly number[] | undefined {
  if (source.includes("\n")) return undefined;
  const starts = [0];
  for (let at = source.indexOf("\r") + 1; at > 0 && at < source.length;) {
    const first = source.charCodeAt(at);
    if (first === CR || first === BLANK || first === TAB) return undefined;
    starts.push(at);
    at = source.indexOf("\r", at) + 1;
  }
  return starts;
}

function splitLines(source: string, separator: string, header: SegmentRecord): SegmentRecord[] {
  const lines = source.indexOf("\n") < 0 ? source.split("\r") : source.split(/[\r\n]+/);
  const records: SegmentRecord[] = [header];
  for (let i = 1; i < lines.length; i++) {
    const line = lines[i] as string;
    if (line === "" || isBlankLine(line)) continue;
    records.push(SegmentRecord.ofLine(line, separator));
  }
  return records;
}

function isBlankLine(line: string): boolean {
  const code = line.charCodeAt(0);
  return (code === BLANK || code === TAB) && line.trim() === "";
}
