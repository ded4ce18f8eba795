/**
 * The failures of this room, each with a stable code and never with a value of a message.
 *
 * A path may be quoted, for the author wrote it; what stands at the path may not.
 */
import { EngineError } from "../errors.ts";

/** A text that is not the HL7, JSON, XML or timestamp it is taken for, or may not be written. */
export class Hl7SyntaxError extends EngineError {}

/** A path that is malformed, does not suit the call, or leads to a segment that is not there. */
export class Hl7PathError extends EngineError {}

/** Bytes that do not decode, or text that does not encode, in the character set of a connection. */
export class Hl7CharsetError extends EngineError {
  /** Index of the first offending byte (decoding) or UTF-16 unit (encoding), from 0, when known. */
  readonly position: number | undefined;

  constructor(code: string, message: string, options: { position?: number; hint?: string } = {}) {
    super(code, message, { hint: options.hint });
    this.position = options.position;
  }
}
