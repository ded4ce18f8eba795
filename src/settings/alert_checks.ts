/** Rules between the keys of `[alerts]`: whoever is to be told can be. */
import type { Settings } from "./catalogue.ts";
import { type Check, type Finding, finding } from "./finding.ts";
import { isListedHost, isOneHost } from "./hosts.ts";
import { mailAddress } from "./mail_address.ts";

/** The address may carry a token, so it is not shown. */
export function webhookUrlIsHttp({ alerts }: Settings): readonly Finding[] {
  if (alerts.webhookUrl === undefined || webhookHost(alerts) !== undefined) return [];
  return [finding(
    "alerts",
    "webhook_url",
    '[alerts] webhook_url takes an address of one host that starts with "https://" or "http://"',
  )];
}

/** Source: A `[alerts]`: an empty list is any host. */
export function alertHostsAreAllowed({ alerts }: Settings): readonly Finding[] {
  const { webhookAllowedHosts, smtpAllowedHosts, emailSmtpHost } = alerts;
  const found: Finding[] = [];
  const host = webhookHost(alerts);
  if (host !== undefined && !isListedHost(host, webhookAllowedHosts)) {
    found.push(finding(
      "alerts",
      "webhook_url",
      `[alerts] webhook_url names host "${host}", which is not in webhook_allowed_hosts`,
    ));
  }
  if (emailSmtpHost !== undefined && !isListedHost(emailSmtpHost, smtpAllowedHosts)) {
    found.push(finding(
      "alerts",
      "email_smtp_host",
      `[alerts] email_smtp_host "${emailSmtpHost}" is not in smtp_allowed_hosts`,
    ));
  }
  return found;
}

function webhookHost({ webhookUrl }: Settings["alerts"]): string | undefined {
  const url = URL.parse(webhookUrl ?? "");
  const isWeb = url?.protocol === "https:" || url?.protocol === "http:";
  // It becomes a permission, and a URL may have a star in its host.
  return isWeb && isOneHost(url.hostname) ? url.hostname : undefined;
}

/** The transports that have all they need. Source: A `[alerts]`. */
export function alertTransports(
  { webhookUrl, emailSmtpHost, emailFrom, emailTo = [] }: Settings["alerts"],
): readonly ("webhook" | "email")[] {
  const hasMail = emailSmtpHost !== undefined && emailFrom !== undefined && emailTo.length > 0;
  return [
    ...(webhookUrl === undefined ? [] : ["webhook" as const]),
    ...(hasMail ? ["email" as const] : []),
  ];
}

/** A rule for a transport that is off would lose its alerts without a word. Source: A `[alerts]`. */
export function alertRulesReachSomeone({ alerts }: Settings): readonly Finding[] {
  const configured: readonly string[] = alertTransports(alerts);
  const needs: Readonly<Record<string, string>> = {
    webhook: "webhook_url",
    email: "email_smtp_host, email_from and email_to",
  };
  return alerts.rules.flatMap(({ transports = [] }, index) =>
    transports.filter((name) => !configured.includes(name)).map((name) => ({
      ...finding(
        "alerts",
        "rules",
        `[alerts] rules entry ${index + 1} tells "${name}", which needs ${needs[name]}`,
      ),
      path: [index, "transports"],
    }))
  );
}

/** It becomes a permission; the port stands in its own key. */
export function mailHostIsOneHost({ alerts: { emailSmtpHost } }: Settings): readonly Finding[] {
  if (emailSmtpHost === undefined || isOneHost(emailSmtpHost)) return [];
  return [finding(
    "alerts",
    "email_smtp_host",
    "[alerts] email_smtp_host takes one host name or address; the port stands in email_smtp_port",
  )];
}

/** Mail to what is no address would be lost. */
export function mailAddressesAreAddresses({ alerts }: Settings): readonly Finding[] {
  const { emailFrom, emailTo = [] } = alerts;
  const named = [
    ...(emailFrom === undefined ? [] : [["email_from", emailFrom] as const]),
    ...emailTo.map((to) => ["email_to", to] as const),
  ];
  return named.filter(([, text]) => mailAddress(text) === undefined).map(([key, text]) =>
    finding("alerts", key, `[alerts] ${key} takes addresses such as "a@example.org", not "${text}"`)
  );
}

/** The password would cross the network in the clear. */
export function mailLoginUsesTls({ alerts }: Settings): readonly Finding[] {
  if (alerts.emailUsername === undefined || alerts.emailUseTls) return [];
  return [finding("alerts", "email_use_tls", "[alerts] email_username needs email_use_tls")];
}

export const alertChecks: readonly Check[] = [
  webhookUrlIsHttp,
  alertHostsAreAllowed,
  alertRulesReachSomeone,
  mailHostIsOneHost,
  mailAddressesAreAddresses,
  mailLoginUsesTls,
];
