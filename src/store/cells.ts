/** Which parts of intents and rows are sealed, and the one place that seals and opens them. */
import type { CellCipher } from "../crypto/cells.ts";
import { prefixOfKey } from "../crypto/sealed_cells.ts";
import {
  type RegisterChange,
  type RegisterQueryName,
  type RegisterRow,
  sealedColumns,
  sealedValues,
} from "./registers/mod.ts";
import type { ClaimResult, QueueRow } from "./intent_results.ts";
import type { Intent, NewMessage, StateWrite } from "./intents.ts";
import { unfold } from "./fold.ts";

/**
 * Returns the batch with every cell sealed; equal texts of one batch share one sealed form.
 *
 * @param announce is told how many cells will be sealed, before the first is.
 */
export function sealIntents(
  cipher: CellCipher,
  intents: readonly Intent[],
  announce?: (cells: number) => void,
): readonly Intent[] {
  const forms = new Map<string, string>();
  const note = (text: string) => {
    if (cipher.changes(text)) forms.set(text, text);
  };
  for (const intent of intents) eachCell(intent, note);
  if (forms.size === 0) return intents;
  announce?.(forms.size);
  for (const text of forms.keys()) forms.set(text, cipher.seal(text));
  return intents.map((intent) => mapCells(intent, (text) => forms.get(text) ?? text));
}

/**
 * Returns a stored cell as the active key seals it: itself when it is empty or sealed so already,
 * and when no key opens it.
 */
export function renewCell(cipher: CellCipher, cell: string): string {
  const { keyId } = cipher;
  if (keyId === undefined || cell === "" || cell.startsWith(prefixOfKey(keyId))) return cell;
  const text = cipher.open(cell);
  return text === undefined ? cell : cipher.seal(text);
}

/** Shows `see` what `mapCells()` maps, and copies nothing: without a key that is all the work. */
function eachCell(intent: Intent, see: (text: string) => void): void {
  switch (intent.kind) {
    case "receive":
      return see(intent.message.raw);
    case "record_error":
      see(intent.message.raw);
      return see(intent.error);
    case "reingress":
      return eachText(see, intent.message.raw, intent.message.metadata, intent.error);
    case "complete_with_response":
      return eachText(see, intent.response.body, intent.response.detail);
    case "hand_off":
      for (const { error } of intent.failures) see(error);
      return eachDelivery(intent, see);
    case "transform_hand_off":
      return eachDelivery(intent, see);
    case "retry":
    case "dead_letter":
      return see(intent.error);
    case "connection_events":
      for (const { reason } of intent.events) if (reason !== undefined) see(reason);
      return;
    case "register":
      for (const change of intent.changes) {
        for (const at of sealedValues[change.name] ?? []) {
          const value = change.values[at];
          if (typeof value === "string") see(value);
        }
      }
  }
}

function eachText(see: (text: string) => void, ...texts: readonly (string | undefined)[]): void {
  for (const text of texts) if (text !== undefined) see(text);
}

type HandOff = Extract<Intent, { kind: "hand_off" | "transform_hand_off" }>;

function eachDelivery(
  { deliveries, reentries = [], state }: Pick<HandOff, "deliveries" | "reentries" | "state">,
  see: (text: string) => void,
): void {
  for (const { payload } of deliveries) if (payload !== undefined) see(payload);
  for (const { payload } of reentries) if (payload !== undefined) see(payload);
  for (const { value } of state) see(value);
}

type Map1 = (text: string) => string;

function mapCells(intent: Intent, map: Map1): Intent {
  switch (intent.kind) {
    case "receive":
      return { ...intent, message: mapMessage(intent.message, map) };
    case "record_error":
      return { ...intent, message: mapMessage(intent.message, map), error: map(intent.error) };
    case "reingress":
      return {
        ...intent,
        message: mapMessage(intent.message, map),
        error: mapText(intent.error, map),
      };
    case "complete_with_response": {
      const { response } = intent;
      const [body, detail] = [mapText(response.body, map), mapText(response.detail, map)];
      return { ...intent, response: { ...response, body, detail } };
    }
    case "hand_off":
      return {
        ...intent,
        deliveries: mapPayloads(intent.deliveries, map),
        ...mapReentries(intent, map),
        failures: intent.failures.map(({ handler, error }) => ({ handler, error: map(error) })),
        state: mapState(intent.state, map),
      };
    case "transform_hand_off":
      return {
        ...intent,
        deliveries: mapPayloads(intent.deliveries, map),
        ...mapReentries(intent, map),
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
    case "register":
      return { ...intent, changes: intent.changes.map((change) => mapChange(change, map)) };
    default:
      return intent;
  }
}

function mapChange(change: RegisterChange, map: Map1): RegisterChange {
  const sealed = sealedValues[change.name];
  if (sealed === undefined) return change;
  const values = change.values.map((value, at) =>
    sealed.includes(at) && typeof value === "string" ? map(value) : value
  );
  return { ...change, values };
}

function mapMessage(message: NewMessage, map: Map1): NewMessage {
  const mapped = { ...message, raw: map(message.raw) };
  const { metadata } = message;
  return metadata === undefined ? mapped : { ...mapped, metadata: map(metadata) };
}

function mapText(text: string | undefined, map: Map1): string | undefined {
  return text === undefined ? undefined : map(text);
}

function mapPayloads<T extends { readonly payload: string | undefined }>(
  rows: readonly T[],
  map: Map1,
): T[] {
  return rows.map((row) => ({ ...row, payload: mapText(row.payload, map) }));
}

/** Most hand-offs have none, and stay without. */
function mapReentries(
  { reentries }: Pick<HandOff, "reentries">,
  map: Map1,
): Pick<HandOff, "reentries"> {
  return reentries === undefined ? {} : { reentries: mapPayloads(reentries, map) };
}

function mapState(state: readonly StateWrite[], map: Map1): StateWrite[] {
  return state.map((write) => ({ ...write, value: map(write.value) }));
}

/**
 * Opens the cells of claimed rows; a body that cannot be opened comes back undefined. Metadata that
 * cannot is worth no message.
 */
export function openClaim(cipher: CellCipher, claim: ClaimResult): ClaimResult {
  const open = (cell: string | undefined) => cell === undefined ? undefined : cipher.open(cell);
  const isPlain = ({ body, base, metadata }: QueueRow) =>
    base === undefined && open(body) === body && open(metadata) === metadata;
  if (cipher.keyId === undefined && claim.rows.every(isPlain)) return claim;
  const rows = claim.rows.map(({ base, ...row }): QueueRow => ({
    ...row,
    body: unfold(open(row.body), open(base), base !== undefined),
    metadata: open(row.metadata),
  }));
  return { ...claim, rows };
}

/** Opens the cells of a register's rows; one that cannot be opened comes back null. */
export function openRegister(
  cipher: CellCipher,
  name: RegisterQueryName,
  rows: readonly RegisterRow[],
): readonly RegisterRow[] {
  const columns = sealedColumns[name];
  if (columns === undefined) return rows;
  return rows.map((row) => {
    const opened = { ...row };
    for (const column of columns) {
      const cell = row[column];
      if (typeof cell === "string") opened[column] = cipher.open(cell) ?? null;
    }
    return opened;
  });
}
