/**
 * One segment of a message, addressed by field paths.
 *
 * A view: it reads and writes the message it came from. Once the segment is removed, every use
 * throws.
 */
import type { MessageBody } from "./body.ts";
import { Hl7SyntaxError } from "./errors.ts";
import { type FieldPath, parseFieldPath } from "./path.ts";
import type { SegmentRecord } from "./record.ts";
import type { FieldValue } from "./values.ts";

export class Segment {
  readonly #body: MessageBody;
  readonly #record: SegmentRecord;

  /** Not for authors: `Message` makes these. */
  constructor(body: MessageBody, record: SegmentRecord) {
    this.#body = body;
    this.#record = record;
  }

  get id(): string {
    return this.#record.id;
  }

  /** Reads as `Message.get()` does, within this segment. */
  get(path: FieldPath): string | undefined {
    const address = parseFieldPath(path);
    return this.#body.read(this.#live(), address);
  }

  /** Reads as `Message.repetitions()` does, within this segment. */
  repetitions(path: FieldPath): readonly (string | undefined)[] {
    const address = parseFieldPath(path);
    return this.#body.repetitions(this.#live(), address);
  }

  /** Writes as `Message.set()` does, within this segment. */
  set(path: FieldPath, value: FieldValue): this {
    const address = parseFieldPath(path);
    this.#body.write(this.#live(), address, value);
    return this;
  }

  clear(path: FieldPath): this {
    const address = parseFieldPath(path);
    this.#body.clear(this.#live(), address);
    return this;
  }

  /** The segment as a line without its CR: what `Message.addSegment()` takes. */
  encode(): string {
    return this.#live().line;
  }

  /** @throws {Hl7SyntaxError} for MSH. */
  remove(): void {
    const record = this.#live();
    this.#body.remove((each) => each === record);
  }

  #live(): SegmentRecord {
    if (!this.#record.isRemoved) return this.#record;
    throw new Hl7SyntaxError(
      "hl7.stale_view",
      `Cannot use segment "${this.#record.id}": it was removed from its message`,
    );
  }
}
