/** What is allowed and hardly meant: sentences for the operator, not refusals. */
import { alertTransports } from "./alert_checks.ts";
import type { Settings } from "./catalogue.ts";

/** Nothing in these settings is wrong; what they say does nothing all the same. */
export function adviceOn(settings: Settings): readonly string[] {
  return [...mailToNobody(settings), ...rulesThatNeverMatch(settings)];
}

function mailToNobody({ alerts }: Settings): readonly string[] {
  const { emailTo = [], emailSmtpHost, emailFrom } = alerts;
  if (emailTo.length === 0 || alertTransports(alerts).includes("email")) return [];
  const missing = [
    ...(emailSmtpHost === undefined ? ["email_smtp_host"] : []),
    ...(emailFrom === undefined ? ["email_from"] : []),
  ];
  return [`[alerts] email_to gets no mail: ${missing.join(" and ")} must be set too`];
}

/** Only a queue has a depth and an oldest row. */
function rulesThatNeverMatch({ alerts: { rules } }: Settings): readonly string[] {
  return rules.flatMap(({ eventType, minDepth, minOldestMs }, index) => {
    const isOfQueues = eventType === "any" || eventType === "queue_buildup";
    if (isOfQueues || (minDepth === undefined && minOldestMs === undefined)) return [];
    const key = minDepth === undefined ? "min_oldest_seconds" : "min_depth";
    return [`[alerts] rules entry ${index + 1} matches nothing: ${key} is of queue_buildup alone`];
  });
}
