/**
 * Payloads as changes of their message, and back.
 *
 * A handler mostly changes some fields. Kept as changes, its payload takes a tenth of the room in log
 * and tables, and a tenth of the sealing.
 */
import type { QueueRow } from "./intent_results.ts";
import type { HandOffIntent, Intent, NewDelivery, TransformHandOffIntent } from "./intents.ts";
import { changesFrom, withChanges } from "./text_changes.ts";

/** Returns an intent as a backend keeps it: without the message's text. */
export function foldIntent(intent: Intent): Intent {
  if (intent.kind !== "hand_off" && intent.kind !== "transform_hand_off") return intent;
  const { messageText, ...rest } = intent;
  if (typeof messageText !== "string") return intent;
  return { ...rest, deliveries: foldDeliveries(messageText, intent) };
}

function foldDeliveries(
  base: string,
  { deliveries }: HandOffIntent | TransformHandOffIntent,
): readonly NewDelivery[] {
  let last: { readonly payload: string; readonly changes: string | undefined } | undefined;
  return deliveries.map((delivery) => {
    const { payload } = delivery;
    // What is no text the writer refuses, with an answer of its own.
    if (typeof payload !== "string") return delivery;
    // The same to many destinations is worked out once.
    if (last?.payload !== payload) last = { payload, changes: checkedChanges(base, payload) };
    return last.changes === undefined
      ? delivery
      : { ...delivery, payload: last.changes, isChanges: true };
  });
}

/** What a partner gets after a restart is never left to an algorithm alone. */
function checkedChanges(base: string, payload: string): string | undefined {
  const changes = changesFrom(base, payload);
  if (changes === undefined || withChanges(base, changes) !== payload) return undefined;
  return changes;
}

/** The cells of a row as a claim reads it: changes of a body that is gone are no body. */
export function cellsOf(
  body: string | undefined,
  base: string | undefined,
  isChanges: boolean,
): Pick<QueueRow, "body" | "base"> {
  if (!isChanges) return { body };
  return base === undefined ? { body: undefined } : { body, base };
}

/** Returns the text a body stands for, or undefined when a part of it is lost. */
export function unfold(
  body: string | undefined,
  base: string | undefined,
  isChanges: boolean,
): string | undefined {
  if (!isChanges || body === undefined) return body;
  return base === undefined ? undefined : withChanges(base, body);
}
