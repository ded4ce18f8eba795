/**
 * The one base class of every failure the engine throws on purpose.
 *
 * Upstream: every room. Downstream: the API maps `code` to a status, the CLI prints message and hint.
 * Expected answers (a NAK, an empty lane) are values, not errors; defects of ours use built-in classes.
 */

export interface EngineErrorOptions {
  cause?: unknown;
  /** One sentence for the operator: what to do next. */
  hint?: string;
}

/** A failure with a stable `code`; its message never carries patient data. */
export class EngineError extends Error {
  /** Stable, dotted, lower case: `"delivery.connect_failed"`. Listed in docs/reference/errors.md. */
  readonly code: string;
  readonly hint: string | undefined;

  constructor(code: string, message: string, options: EngineErrorOptions = {}) {
    super(message, options.cause === undefined ? undefined : { cause: options.cause });
    this.name = new.target.name;
    this.code = code;
    this.hint = options.hint;
  }
}

/** Returns the text of any thrown value, for logs that pass the redactor. */
export function errorText(thrown: unknown): string {
  return thrown instanceof Error ? thrown.message : String(thrown);
}

/** Returns the class name of any thrown value; safe to log, for it is never data. */
export function errorClass(thrown: unknown): string {
  return thrown instanceof Error ? thrown.name : typeof thrown;
}
