/** Why somebody is not let in, or may not do what they ask for. */
import { EngineError } from "../errors.ts";

/**
 * A refusal of sign-in, session or account: `auth.disabled`, `auth.not_signed_in`, `auth.refused`,
 * `auth.busy`, `auth.too_many_attempts`, `auth.too_many_reads`, `auth.password_change_required`,
 * `auth.mfa_required`, `auth.step_up_required`, `auth.wrong_password`, `auth.wrong_code`,
 * `auth.code_not_accepted`, `auth.password_policy`, `auth.breach_list`, `auth.invalid`, `auth.conflict`,
 * `auth.not_found`.
 *
 * Clients sort a 403 by key words of its message (spec api §9.2): "password change", "step-up",
 * "multi-factor", "permission". They stay in.
 */
export class AuthError extends EngineError {}

export function notSignedIn(): AuthError {
  return new AuthError("auth.not_signed_in", "Sign in first: there is no valid session");
}

/** The one answer to every sign-in that fails: it must not tell which part was wrong. */
export function signInRefused(): AuthError {
  return new AuthError("auth.refused", "The sign-in is refused");
}

export function invalid(message: string): AuthError {
  return new AuthError("auth.invalid", message);
}

export function notFound(message: string): AuthError {
  return new AuthError("auth.not_found", message);
}
