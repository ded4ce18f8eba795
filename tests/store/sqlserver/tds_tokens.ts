/** Bytes of the TDS protocol, as far as a scripted server needs them. Source: MS-TDS §2.2. */

export type Cell = string | number | null;
export type Row = Readonly<Record<string, Cell>>;

export const packetTypes = {
  batch: 1,
  rpc: 3,
  reply: 4,
  attention: 6,
  transaction: 14,
  login: 16,
  prelogin: 18,
} as const;

const HEADER = 8;
const END_OF_MESSAGE = 1;
/** Latin1_General, as five bytes. */
const COLLATION = [0x09, 0x04, 0xd0, 0x00, 0x34];

export class Writer {
  readonly #bytes: number[] = [];

  put(...bytes: readonly number[]): this {
    for (const byte of bytes) this.#bytes.push(byte & 0xff);
    return this;
  }

  number(value: number | bigint, bytes: number): this {
    let rest = BigInt.asUintN(64, BigInt(value));
    for (let at = 0; at < bytes; at += 1) {
      this.#bytes.push(Number(rest & 0xffn));
      rest >>= 8n;
    }
    return this;
  }

  ucs2(text: string): this {
    for (let at = 0; at < text.length; at += 1) this.number(text.charCodeAt(at), 2);
    return this;
  }

  /** With its length in one byte. */
  short(text: string): this {
    return this.put(text.length).ucs2(text);
  }

  /** A token with its length in two bytes. */
  token(type: number, body: Writer): this {
    return this.put(type).number(body.#bytes.length, 2).put(...body.#bytes);
  }

  get bytes(): Uint8Array {
    return Uint8Array.from(this.#bytes);
  }
}

export class Reader {
  readonly #bytes: Uint8Array;
  at = 0;

  constructor(bytes: Uint8Array) {
    this.#bytes = bytes;
  }

  get isAtEnd(): boolean {
    return this.at >= this.#bytes.length;
  }

  number(bytes: number): number {
    let value = 0n;
    for (let at = bytes - 1; at >= 0; at -= 1) {
      value = value << 8n | BigInt(this.#bytes[this.at + at]!);
    }
    this.at += bytes;
    return Number(bytes === 8 ? BigInt.asIntN(64, value) : value);
  }

  take(bytes: number): Uint8Array {
    this.at += bytes;
    return this.#bytes.subarray(this.at - bytes, this.at);
  }

  ucs2(characters: number): string {
    let text = "";
    for (let at = 0; at < characters; at += 1) text += String.fromCharCode(this.number(2));
    return text;
  }
}

export interface Packet {
  readonly type: number;
  readonly body: Uint8Array;
}

/** Messages out of a stream; packets of one message are joined. */
export async function* messagesOf(readable: ReadableStream<Uint8Array>): AsyncIterable<Packet> {
  let bytes = new Uint8Array();
  let body = new Uint8Array();
  for await (const chunk of readable) {
    bytes = joined(bytes, chunk);
    for (;;) {
      const length = bytes.length < HEADER ? Infinity : bytes[2]! << 8 | bytes[3]!;
      if (bytes.length < length) break;
      body = joined(body, bytes.subarray(HEADER, length));
      const [type, status] = [bytes[0]!, bytes[1]!];
      bytes = bytes.slice(length);
      if ((status & END_OF_MESSAGE) === 0) continue;
      yield { type, body };
      body = new Uint8Array();
    }
  }
}

export function joined(one: Uint8Array, other: Uint8Array): Uint8Array<ArrayBuffer> {
  const all = new Uint8Array(one.length + other.length);
  all.set(one);
  all.set(other, one.length);
  return all;
}

const PACKET_BYTES = 4_096;

/** A message as packets; one that is not whole goes on in others. */
export function packets(type: number, body: Uint8Array, { isWhole = true } = {}): Uint8Array {
  let all = new Uint8Array();
  for (let from = 0; from === 0 || from < body.length; from += PACKET_BYTES - HEADER) {
    const part = body.subarray(from, from + PACKET_BYTES - HEADER);
    const isLast = from + part.length >= body.length;
    const length = part.length + HEADER;
    const header = [
      type,
      isLast && isWhole ? END_OF_MESSAGE : 0,
      length >> 8,
      length & 0xff,
      0,
      0,
      1,
      0,
    ];
    all = joined(all, joined(Uint8Array.from(header), part));
  }
  return all;
}

export interface Login {
  readonly user: string;
  readonly application: string;
  readonly database: string;
  readonly packetSize: number;
}

export function readLogin(body: Uint8Array): Login {
  const textAt = (offset: number) => {
    const place = new Reader(body);
    place.at = offset;
    const [from, length] = [place.number(2), place.number(2)];
    place.at = from;
    return place.ucs2(length);
  };
  const sizes = new Reader(body);
  sizes.at = 8;
  return {
    packetSize: sizes.number(4),
    user: textAt(40),
    application: textAt(48),
    database: textAt(68),
  };
}

export interface Call {
  readonly text: string;
  readonly values: readonly (string | number | boolean | null)[];
  /** `nvarchar(4000)`, `nvarchar(max)`, `bigint`, … */
  readonly types: readonly string[];
}

/** A batch, or a statement with its values. */
export function readCall({ type, body }: Packet): Call {
  const reader = new Reader(body);
  reader.at = new Reader(body).number(4);
  if (type === packetTypes.batch) {
    return { text: reader.ucs2((body.length - reader.at) / 2), values: [], types: [] };
  }
  const nameLength = reader.number(2);
  reader.take(nameLength === 0xffff ? 2 : 2 * nameLength);
  reader.take(2);
  const given: { value: Call["values"][number]; type: string }[] = [];
  while (!reader.isAtEnd) {
    reader.ucs2(reader.number(1));
    reader.take(1);
    given.push(readValue(reader));
  }
  // The text, what it declares, then the values.
  const values = given.slice(2);
  return {
    text: String(given[0]!.value),
    values: values.map(({ value }) => value),
    types: values.map((one) => one.type),
  };
}

function readValue(reader: Reader): { value: Call["values"][number]; type: string } {
  const type = reader.number(1);
  if (type === 0xe7) {
    const max = reader.number(2);
    reader.take(5);
    if (max !== 0xffff) {
      const length = reader.number(2);
      const value = length === 0xffff ? null : reader.ucs2(length / 2);
      return { value, type: `nvarchar(${max / 2})` };
    }
    const marks = reader.take(8);
    if (marks.every((byte) => byte === 0xff)) return { value: null, type: "nvarchar(max)" };
    let text = "";
    for (let length = reader.number(4); length > 0; length = reader.number(4)) {
      text += reader.ucs2(length / 2);
    }
    return { value: text, type: "nvarchar(max)" };
  }
  const size = reader.number(1);
  const length = reader.number(1);
  const value = length === 0 ? null : reader.number(length);
  if (type === 0x26) return { value, type: size === 8 ? "bigint" : "int" };
  if (type === 0x68) return { value: value === null ? null : value === 1, type: "bit" };
  throw new Error(`Type ${type} is not known here`);
}

/** Texts as `nvarchar(max)`, numbers as `bigint`; a column of nulls is of texts. */
export function writeRows(
  to: Writer,
  rows: readonly Row[],
  names = Object.keys(rows[0] ?? {}),
): void {
  if (names.length === 0) return;
  const isNumber = (name: string) => rows.some((row) => typeof row[name] === "number");
  to.put(0x81).number(names.length, 2);
  for (const name of names) {
    to.number(0, 4).number(1, 2);
    if (isNumber(name)) to.put(0x26, 8);
    else to.put(0xe7).number(0xffff, 2).put(...COLLATION);
    to.short(name);
  }
  for (const row of rows) {
    to.put(0xd1);
    for (const name of names) {
      const cell = row[name] ?? null;
      if (isNumber(name)) {
        if (cell === null) to.put(0);
        else to.put(8).number(Number(cell), 8);
      } else if (cell === null) to.number(-1, 8);
      else {
        const text = String(cell);
        to.number(2 * text.length, 8);
        if (text.length > 0) to.number(2 * text.length, 4).ucs2(text);
        to.number(0, 4);
      }
    }
  }
}

const doneTokens = { batch: 0xfd, procedure: 0xfe, statement: 0xff } as const;

export function writeDone(
  to: Writer,
  of: keyof typeof doneTokens,
  { count, isError = false, isAttention = false, isMore = false }: {
    readonly count?: number;
    readonly isError?: boolean;
    readonly isAttention?: boolean;
    readonly isMore?: boolean;
  },
): void {
  const status = (isMore ? 1 : 0) | (isError ? 2 : 0) | (count === undefined ? 0 : 0x10) |
    (isAttention ? 0x20 : 0);
  to.put(doneTokens[of]).number(status, 2).number(0, 2).number(count ?? 0, 8);
}

export function writeError(to: Writer, number: number, severity: number): void {
  const body = new Writer().number(number, 4).put(1, severity);
  const message = `error ${number}`;
  body.number(message.length, 2).ucs2(message).short("fake").short("").number(1, 4);
  to.token(0xaa, body);
}

/** A transaction begins (8), was committed (9) or rolled back (10). */
export function writeTransaction(to: Writer, change: 8 | 9 | 10): void {
  const id = [1, 0, 0, 0, 0, 0, 0, 1];
  const body = new Writer().put(change);
  if (change === 8) body.put(id.length, ...id, 0);
  else body.put(0, id.length, ...id);
  to.token(0xe3, body);
}

export function writeLoginAck(to: Writer, packetSize: number): void {
  to.token(0xad, new Writer().put(1, 0x74, 0, 0, 4).short("fake").put(15, 0, 0, 0));
  to.token(0xe3, new Writer().put(4).short(String(packetSize)).short("4096"));
}

/** What a server offers before a login: its version, and whether it encrypts. */
export function preloginReply(encrypts: boolean): Uint8Array {
  const options = [0, 0, 11, 0, 6, 1, 0, 17, 0, 1, 0xff];
  return Uint8Array.from([...options, 15, 0, 0, 0, 0, 0, encrypts ? 1 : 2]);
}
