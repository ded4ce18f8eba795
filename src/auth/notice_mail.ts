/**
 * Words a notice for the mail to an account's owner: account, event, address, count. Pure.
 *
 * Source: spec api §2.10.
 */
import type { NoticeEvent, SecurityNotice } from "./notices.ts";

const SENTENCES: Readonly<Record<NoticeEvent, string>> = {
  account_locked: "was locked after failed sign-ins",
  login_after_failures: "was signed in to, after sign-ins that failed",
  password_changed: "has a new password",
  password_reset: "got a new password from an administrator",
  email_changed: "has another e-mail address",
  roles_changed: "has other roles",
  account_disabled: "was disabled",
  mfa_enabled: "has a second factor now",
  mfa_disabled: "has no second factor any more",
  admin_action_new_ip: "did something from an address it was not seen at before",
};

/** One mail of plain text. */
export interface NoticeMail {
  readonly to: readonly string[];
  readonly subject: string;
  readonly text: string;
}

export function noticeMail(notice: SecurityNotice): NoticeMail {
  const { event, to, username, at, client, failures, newEmail } = notice;
  const sentence = `Your account "${username}" ${SENTENCES[event]}.`;
  const facts = {
    event,
    at: new Date(at).toISOString(),
    from: client,
    failed_sign_ins: failures,
    new_address: newEmail,
  };
  return {
    to: [to],
    subject: `MessageFoundry: ${event}`,
    text: `${sentence}\n\n${
      Object.entries(facts).filter(([, value]) => value !== undefined)
        .map(([name, value]) => `${name}: ${value}`).join("\n")
    }\n\nIf that was not you, tell your administrator. Nobody reads answers to this mail.\n`,
  };
}
