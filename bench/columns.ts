/**
 * Growing logs of numbers, one typed array a column, and the file they travel in.
 *
 * Upstream: `sender.ts` and `sink.ts` append one row a message. Downstream: `run.ts` loads both
 * for `reconcile.ts`. There is no object per message, so logging costs no collection of garbage.
 */

/** What every sent message leaves: index = order of sending over all connections. */
export interface SentLog {
  readonly length: number;
  readonly source: Float64Array;
  readonly sequence: Float64Array;
  /** Milliseconds since the epoch of the run; a queued message counts from when it was due. */
  readonly sentAt: Float64Array;
  /** Milliseconds since the epoch of the run; 0 while unanswered. */
  readonly ackAt: Float64Array;
  /** One of `ACK_CODES`. */
  readonly ack: Float64Array;
}

/** What every arrival at a partner leaves: index = order of arrival over all lanes. */
export interface ArrivalLog {
  readonly length: number;
  readonly lane: Float64Array;
  /** `source * SEQUENCES_MAX + sequence`, -1 when the control ID was not one of ours. */
  readonly key: Float64Array;
  /** Milliseconds since the epoch of the run. */
  readonly at: Float64Array;
}

/** Values of `SentLog.ack`. */
export const ACK_CODES = { none: 0, accepted: 1, refused: 2, mismatched: 3 } as const;

const SENT = ["source", "sequence", "sentAt", "ackAt", "ack"] as const;
const ARRIVALS = ["lane", "key", "at"] as const;
const FIRST_ROWS = 65_536;

/** A log of `Name` columns that doubles when full. */
export class ColumnLog<Name extends string> {
  length = 0;
  readonly #names: readonly Name[];
  readonly #columns: Float64Array[];

  constructor(names: readonly Name[]) {
    this.#names = names;
    this.#columns = names.map(() => new Float64Array(FIRST_ROWS));
  }

  /** Adds a row of zeros and returns its index. */
  add(): number {
    const row = this.length++;
    if (row === this.#columns[0]!.length) this.#grow();
    return row;
  }

  /** Sets one cell; `column` is the position of its name, from 0. */
  set(row: number, column: number, value: number): void {
    this.#columns[column]![row] = value;
  }

  /** Reads one cell. */
  get(row: number, column: number): number {
    return this.#columns[column]![row]!;
  }

  /** Writes a line of JSON with names and length, then the columns one after the other. */
  async save(path: string): Promise<void> {
    const head = JSON.stringify({ names: this.#names, length: this.length }) + "\n";
    using file = await Deno.open(path, { write: true, create: true, truncate: true });
    await writeAll(file, new TextEncoder().encode(head));
    for (const column of this.#columns) {
      await writeAll(file, new Uint8Array(column.buffer, 0, this.length * 8));
    }
  }

  #grow(): void {
    for (let index = 0; index < this.#columns.length; index++) {
      const wider = new Float64Array(this.#columns[index]!.length * 2);
      wider.set(this.#columns[index]!);
      this.#columns[index] = wider;
    }
  }
}

/** Columns of a sent log by position. */
export const sentColumns = { source: 0, sequence: 1, sentAt: 2, ackAt: 3, ack: 4 } as const;
/** Columns of an arrival log by position. */
export const arrivalColumns = { lane: 0, key: 1, at: 2 } as const;

/** Opens an empty log of sent messages. */
export function sentLog(): ColumnLog<typeof SENT[number]> {
  return new ColumnLog(SENT);
}

/** Opens an empty log of arrivals. */
export function arrivalLog(): ColumnLog<typeof ARRIVALS[number]> {
  return new ColumnLog(ARRIVALS);
}

/** Loads a log of sent messages. @throws {Error} when the file holds something else. */
export async function loadSent(path: string): Promise<SentLog> {
  const { length, columns } = await load(path, SENT);
  return { length, ...columns };
}

/** Loads a log of arrivals. @throws {Error} when the file holds something else. */
export async function loadArrivals(path: string): Promise<ArrivalLog> {
  const { length, columns } = await load(path, ARRIVALS);
  return { length, ...columns };
}

async function load<Name extends string>(
  path: string,
  names: readonly Name[],
): Promise<{ length: number; columns: Record<Name, Float64Array> }> {
  const bytes = await Deno.readFile(path);
  const lineEnd = bytes.indexOf(0x0a);
  const head = JSON.parse(new TextDecoder().decode(bytes.subarray(0, lineEnd)));
  if (JSON.stringify(head.names) !== JSON.stringify(names)) {
    throw new Error(`Cannot load "${path}": it holds other columns`);
  }
  const length: number = head.length;
  // Copied because a Float64Array must start at a multiple of eight bytes.
  const body = bytes.slice(lineEnd + 1);
  if (body.length !== length * 8 * names.length) {
    throw new Error(`Cannot load "${path}": it is cut short`);
  }
  const entries = names.map((name, index) => [
    name,
    new Float64Array(body.buffer, index * length * 8, length),
  ]);
  return { length, columns: Object.fromEntries(entries) };
}

async function writeAll(file: Deno.FsFile, bytes: Uint8Array): Promise<void> {
  for (let at = 0; at < bytes.length;) at += await file.write(bytes.subarray(at));
}
