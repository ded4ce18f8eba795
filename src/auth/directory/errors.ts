/** Why the directory gave no answer that can be used. */
import { ResultCodeError } from "ldapts";
import { EngineError, errorClass } from "../../errors.ts";

/**
 * The directory did not say whether somebody may sign in: `directory.unreachable`,
 * `directory.timeout`, `directory.untrusted`, `directory.service_refused`, `directory.failed`,
 * `directory.unusable_answer`, `directory.ca_file`.
 *
 * Neither the message nor the cause names whoever tried.
 */
export class DirectoryError extends EngineError {
  /** What the directory or TLS called it: `LDAP 51`, `CERT_HAS_EXPIRED`. */
  readonly reason: string | undefined;

  constructor(code: string, message: string, options: { reason?: string; hint?: string } = {}) {
    super(code, message, { hint: options.hint });
    this.reason = options.reason;
  }
}

/** What OpenSSL's checks of a certificate are called by this runtime. */
const CERTIFICATE = /CERT|ISSUER|SIGNATURE|ALTNAME|SELF_SIGNED/;

/** Says what went wrong in a step of the conversation. */
export function directoryFailure(
  thrown: unknown,
  { isTooLate }: { readonly isTooLate: boolean },
): DirectoryError {
  if (thrown instanceof DirectoryError) return thrown;
  if (thrown instanceof ResultCodeError) {
    const reason = `LDAP ${thrown.code}`;
    return new DirectoryError("directory.failed", "The directory cannot answer", { reason });
  }
  if (isTooLate) {
    return new DirectoryError("directory.timeout", "The directory does not answer in time");
  }
  const code = (thrown as { code?: unknown } | null)?.code;
  const reason = typeof code === "string" ? code : errorClass(thrown);
  if (CERTIFICATE.test(reason)) {
    return new DirectoryError("directory.untrusted", "The directory's certificate is not trusted", {
      reason,
      hint: "Compare it with [auth] ad_tls_ca_cert_file and the name in ad_server",
    });
  }
  return new DirectoryError("directory.unreachable", "The directory cannot be reached", { reason });
}

export function unusableAnswer(what: string): DirectoryError {
  return new DirectoryError("directory.unusable_answer", `The directory's answer holds ${what}`);
}
