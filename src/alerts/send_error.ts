import { EngineError } from "../errors.ts";

/** A notice or a mail that did not get through: `alerts.webhook_failed`, `alerts.mail_failed`. */
export class SendError extends EngineError {
  /** What the other side answered: an HTTP status, an SMTP reply code. */
  readonly status: number | undefined;
  /** Trying again cannot help. */
  readonly isFinal: boolean;

  constructor(
    code: string,
    message: string,
    options: { cause?: unknown; status?: number; isFinal: boolean },
  ) {
    super(code, message, options);
    this.status = options.status;
    this.isFinal = options.isFinal;
  }
}
