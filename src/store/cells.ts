/** Which parts of intents and rows are sealed, and the one place that seals and opens them. */
import type { CellCipher } from "../crypto/cells.ts";
import type { ClaimResult, Intent, NewDelivery, NewMessage, StateWrite } from "./intents.ts";

/** Returns the batch with every cell sealed; equal texts of one batch share one sealed form. */
export async function sealIntents(
  cipher: CellCipher,
  intents: readonly Intent[],
): Promise<readonly Intent[]> {
  if (cipher.isIdentity) return intents;
  const texts = new Set<string>();
  for (const intent of intents) mapCells(intent, (text) => (texts.add(text), text));
  const plain = [...texts].filter((text) => text !== "");
  const sealed = await cipher.seal(plain);
  const forms = new Map(plain.map((text, index) => [text, sealed[index]!]));
  return intents.map((intent) => mapCells(intent, (text) => forms.get(text) ?? text));
}

type Map1 = (text: string) => string;

function mapCells(intent: Intent, map: Map1): Intent {
  switch (intent.kind) {
    case "receive":
      return { ...intent, message: mapMessage(intent.message, map) };
    case "record_error":
      return { ...intent, message: mapMessage(intent.message, map), error: map(intent.error) };
    case "hand_off":
      return {
        ...intent,
        deliveries: mapDeliveries(intent.deliveries, map),
        failures: intent.failures.map(({ handler, error }) => ({ handler, error: map(error) })),
        state: mapState(intent.state, map),
      };
    case "transform_hand_off":
      return {
        ...intent,
        deliveries: mapDeliveries(intent.deliveries, map),
        state: mapState(intent.state, map),
      };
    case "retry":
    case "dead_letter":
      return { ...intent, error: map(intent.error) };
    case "connection_events":
      return {
        ...intent,
        events: intent.events.map((event) => ({
          ...event,
          reason: event.reason === undefined ? undefined : map(event.reason),
        })),
      };
    default:
      return intent;
  }
}

function mapMessage(message: NewMessage, map: Map1): NewMessage {
  return { ...message, raw: map(message.raw) };
}

function mapDeliveries(deliveries: readonly NewDelivery[], map: Map1): NewDelivery[] {
  return deliveries.map((delivery) => ({
    ...delivery,
    payload: delivery.payload === undefined ? undefined : map(delivery.payload),
  }));
}

function mapState(state: readonly StateWrite[], map: Map1): StateWrite[] {
  return state.map((write) => ({ ...write, value: map(write.value) }));
}

/** Opens the bodies of claimed rows; a body that cannot be opened comes back undefined. */
export async function openClaim(cipher: CellCipher, claim: ClaimResult): Promise<ClaimResult> {
  if (cipher.isIdentity) return claim;
  const bodies = await cipher.open(claim.rows.map((row) => row.body ?? ""));
  const rows = claim.rows.map((row, index) =>
    row.body === undefined ? row : { ...row, body: bodies[index] }
  );
  return { ...claim, rows };
}
