/** Words a notice for a mail. Pure. */
import { payloadOf, reasonOf } from "./event.ts";
import type { Mail } from "./mail.ts";
import type { Notice } from "./throttle.ts";

export function noticeMail({ event, severity, at }: Notice, to: readonly string[]): Mail {
  const facts = { severity, at: new Date(at).toISOString(), ...payloadOf(event) };
  return {
    to,
    subject: `[${severity.toUpperCase()}] ${event.type} ${event.connection}`,
    text: `${event.connection}: ${reasonOf(event)}\n\n${
      Object.entries(facts).filter(([, value]) => value !== null)
        .map(([name, value]) => `${name}: ${value}`).join("\n")
    }\n\nSent by MessageFoundry. It holds no message content.\n`,
  };
}
