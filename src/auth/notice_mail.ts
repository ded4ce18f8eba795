/** Words a notice about an account for a mail to its owner. Pure. */
import type { Mail } from "../alerts/mod.ts";
import type { NoticeEvent, SecurityNotice } from "./notices.ts";

const SAID: Readonly<Record<NoticeEvent, string>> = {
  account_locked: "The account is locked for a while after too many wrong passwords or codes",
  login_after_failures: "Somebody signed in after several failed attempts",
  password_changed: "The password was changed",
  password_reset: "An administrator reset the password",
  email_changed: "The address for notices was changed",
  roles_changed: "The roles of the account were changed",
  account_disabled: "The account was disabled",
  mfa_enabled: "A second factor was set up",
  mfa_disabled: "The second factor was removed",
  admin_action_new_ip: "A sensitive act was tried from an address that is new to the session",
};

export function securityMail(notice: SecurityNotice): Mail {
  const { event, to, username, at, client, failures, newEmail } = notice;
  const facts = {
    account: username,
    event,
    at: new Date(at).toISOString(),
    from: client,
    failures,
    new_address: newEmail,
  };
  const lines = Object.entries(facts).filter(([, value]) => value !== undefined)
    .map(([name, value]) => `${name}: ${value}`);
  return {
    to: [to],
    subject: `[MessageFoundry] ${SAID[event]}`,
    text: `${SAID[event]}.\n\n${lines.join("\n")}\n\n` +
      "If this was not you, tell an administrator. This mail holds no message content.\n",
  };
}
