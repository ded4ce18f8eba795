/** Records that wait for a reader: bounded in number and in memory, the oldest go first. */
import type { LogRecord } from "./record.ts";

export interface BufferBounds {
  readonly recordsMax: number;
  /** UTF-16 units of all records together. */
  readonly sizeMax: number;
}

/** Ten thousand records as the specification has it (§9.4), and at most some 16 MB of them. */
export const defaultBounds: BufferBounds = { recordsMax: 10_000, sizeMax: 8_000_000 };

export class RecordBuffer {
  readonly #bounds: BufferBounds;
  /** Taken records leave a hole before `#first`; holes are closed when they are the larger half. */
  #records: (LogRecord | undefined)[] = [];
  #first = 0;
  #size = 0;

  constructor(bounds: BufferBounds) {
    this.#bounds = bounds;
  }

  get length(): number {
    return this.#records.length - this.#first;
  }

  /** Adds a record and returns how many had to go for it. */
  push(record: LogRecord): number {
    this.#records.push(record);
    this.#size += record.size;
    let gone = 0;
    while (this.length > this.#bounds.recordsMax || this.#size > this.#bounds.sizeMax) {
      this.#shift();
      gone++;
    }
    return gone;
  }

  /** Takes the oldest records, at most `recordsMax` of them, out of the buffer. */
  take(recordsMax: number): LogRecord[] {
    const taken: LogRecord[] = [];
    while (taken.length < recordsMax) {
      const record = this.#shift();
      if (record === undefined) break;
      taken.push(record);
    }
    return taken;
  }

  #shift(): LogRecord | undefined {
    const record = this.#records[this.#first];
    if (record === undefined) return undefined;
    this.#records[this.#first++] = undefined;
    this.#size -= record.size;
    if (this.#first * 2 > this.#records.length) {
      this.#records = this.#records.slice(this.#first);
      this.#first = 0;
    }
    return record;
  }
}
