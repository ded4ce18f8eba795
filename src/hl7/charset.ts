/**
 * Character sets of connections: bytes to text and back, strict both ways.
 *
 * Needs web APIs and Node's buffers, so author code cannot import it. The configured encoding is
 * the only authority; MSH-18 is compared, never obeyed. Source: spec connectors-and-graph §3.10,
 * HL7 v2.5.1 table 0211.
 */
import { Buffer } from "node:buffer";
import { Hl7CharsetError } from "./errors.ts";
import { iso885915, latin1, singleByteTable, usAscii, windows1252 } from "./charset_tables.ts";
import { firstInvalidUtf8 } from "./utf8.ts";

export interface Codec {
  /** The canonical name: `utf-8`, `iso-8859-15`. */
  readonly name: string;
  /** @throws {Hl7CharsetError} `hl7.undecodable`, with the byte offset when it can be told. */
  decode(bytes: Uint8Array): string;
  /** @throws {Hl7CharsetError} `hl7.unencodable`, naming the position, never the character. */
  encode(text: string): Uint8Array<ArrayBuffer>;
  /** Every byte as the character of the same number, to keep what does not decode. */
  decodeLossless(bytes: Uint8Array): string;
}

/**
 * Returns the codec of a connection's `encoding`; names are matched without regard to case, and
 * spaces, slashes and underscores count as hyphens.
 *
 * @throws {Hl7CharsetError} `hl7.charset_refused` for UTF-16 and UTF-32, whose bytes collide with
 * framing characters; `hl7.charset_unknown` for other names we do not have.
 */
export function codecFor(name: string): Codec {
  const canonical = canonicalName(name);
  if (canonical === undefined) throw unknownCharset(name);
  if (/^(?:utf-(?:16|32)|ucs-[24])/.test(canonical)) {
    throw new Hl7CharsetError("hl7.charset_refused", `Cannot use character set "${canonical}"`, {
      hint: "UTF-16 and UTF-32 contain the bytes that frame messages; use utf-8",
    });
  }
  return codecs.get(canonical) ?? remember(makeCodec(canonical));
}

/**
 * The canonical names MSH-18 (first repetition) may stand for; undefined when it names none, or
 * none we know. `charset_mismatch` is the case where the connection's codec is not among them.
 */
export function msh18Names(characterSet: string | undefined): readonly string[] | undefined {
  const first = characterSet?.split("~", 1)[0]?.trim().toUpperCase();
  return first ? msh18Table.get(first) : undefined;
}

/** True when MSH-18 names another character set than the connection's. */
export function isCharsetMismatch(characterSet: string | undefined, codec: Codec): boolean {
  const names = msh18Names(characterSet);
  return names !== undefined && !names.includes(codec.name);
}

/** Every byte as the character of the same number: true latin-1, C1 controls included. */
export function latin1View(bytes: Uint8Array): string {
  return Buffer.from(bytes.buffer, bytes.byteOffset, bytes.length).toString("latin1");
}

/**
 * True when the bytes that `view` shows are ASCII alone. Most messages are, and this look costs a
 * fraction of a strict decoder. UTF-8 gives every character above 7F more than one byte.
 */
function isAscii(view: string): boolean {
  return Buffer.byteLength(view) === view.length;
}

function unitsToString(units: Uint16Array): string {
  let text = "";
  for (let start = 0; start < units.length; start += chunkUnits) {
    const chunk = units.subarray(start, start + chunkUnits);
    text += String.fromCharCode.apply(null, chunk as unknown as number[]);
  }
  return text;
}

const chunkUnits = 4096;

const codecs = new Map<string, Codec>();

function remember(codec: Codec): Codec {
  codecs.set(codec.name, codec);
  return codec;
}

function makeCodec(name: string): Codec {
  if (name === "utf-8") return new Utf8Codec();
  const table = singleByteTables.get(name);
  if (table !== undefined) return new SingleByteCodec(name, table);
  if (/^(?:iso-8859-|windows-|koi8-)/.test(name)) {
    return new SingleByteCodec(name, singleByteTable(name));
  }
  return new MultiByteCodec(name);
}

const singleByteTables: ReadonlyMap<string, string> = new Map([
  ["us-ascii", usAscii],
  ["iso-8859-1", latin1],
  ["iso-8859-15", iso885915],
  ["windows-1252", windows1252],
]);

class Utf8Codec implements Codec {
  readonly name = "utf-8";
  // ignoreBOM keeps the mark: whoever normalises the text strips it.
  readonly #decoder = new TextDecoder("utf-8", { fatal: true, ignoreBOM: true });
  readonly decodeLossless = latin1View;

  decode(bytes: Uint8Array): string {
    const view = latin1View(bytes);
    if (isAscii(view)) return view;
    try {
      return this.#decoder.decode(bytes);
    } catch {
      throw undecodable(this.name, firstInvalidUtf8(bytes));
    }
  }

  encode(text: string): Uint8Array<ArrayBuffer> {
    if (!text.isWellFormed()) throw unencodable(this.name, firstLoneSurrogate(text));
    return text.length > shortCharacters ? encoder.encode(text) : encodeShort(text);
  }
}

/**
 * One byte, one character, after a table of 256, ASCII in its first half; U+FFFD marks a byte
 * without a character.
 */
class SingleByteCodec implements Codec {
  readonly name: string;
  readonly #isLatin1: boolean;
  readonly #characters: Uint16Array;
  readonly #bytes: ReadonlyMap<number, number>;
  /** 1 where the web's windows-1252 gives another character than our table. */
  readonly #differs = new Uint8Array(256);
  readonly decodeLossless = latin1View;

  constructor(name: string, table: string) {
    this.name = name;
    this.#isLatin1 = table === latin1;
    this.#characters = Uint16Array.from(table, (character) => character.charCodeAt(0));
    const everyByte = Uint8Array.from({ length: 256 }, (_, byte) => byte);
    const web = windows1252Decoder.decode(everyByte);
    const bytes = new Map<number, number>();
    for (const [byte, code] of this.#characters.entries()) {
      if (code !== 0xfffd) bytes.set(code, byte);
      if (code !== web.charCodeAt(byte)) this.#differs[byte] = 1;
    }
    this.#bytes = bytes;
  }

  decode(bytes: Uint8Array): string {
    const view = latin1View(bytes);
    if (this.#isLatin1 || isAscii(view)) return view;
    // The runtime's decoder is many times faster than ours and right about most bytes.
    for (let i = 0; i < bytes.length; i++) {
      if (this.#differs[bytes[i] as number] === 1) return this.#decodeByTable(bytes);
    }
    return windows1252Decoder.decode(bytes);
  }

  encode(text: string): Uint8Array<ArrayBuffer> {
    const utf8 = encoder.encode(text);
    if (utf8.length === text.length) return utf8;
    const bytes = new Uint8Array(text.length);
    for (let i = 0; i < text.length; i++) {
      const byte = this.#bytes.get(text.charCodeAt(i));
      if (byte === undefined) throw unencodable(this.name, i);
      bytes[i] = byte;
    }
    return bytes;
  }

  #decodeByTable(bytes: Uint8Array): string {
    const units = new Uint16Array(bytes.length);
    for (let i = 0; i < bytes.length; i++) {
      const code = this.#characters[bytes[i] as number] as number;
      if (code === 0xfffd) throw undecodable(this.name, i);
      units[i] = code;
    }
    return unitsToString(units);
  }
}

/** Texts up to here, acknowledgements for one, are encoded into memory they share with others. */
const shortCharacters = 512;

/** A piece of the runtime's pool costs less than a buffer of its own. */
function encodeShort(text: string): Uint8Array<ArrayBuffer> {
  const { buffer, byteOffset, length } = Buffer.from(text, "utf8");
  return new Uint8Array(buffer, byteOffset, length);
}

const encoder = new TextEncoder();
const windows1252Decoder = new TextDecoder("windows-1252");

/** East Asian sets: decoded by the runtime, encoded as far as ASCII reaches. */
class MultiByteCodec implements Codec {
  readonly name: string;
  readonly #decoder: TextDecoder;
  readonly decodeLossless = latin1View;

  constructor(name: string) {
    this.name = name;
    this.#decoder = new TextDecoder(name, { fatal: true });
  }

  decode(bytes: Uint8Array): string {
    try {
      return this.#decoder.decode(bytes);
    } catch {
      throw undecodable(this.name, undefined);
    }
  }

  encode(text: string): Uint8Array<ArrayBuffer> {
    const utf8 = encoder.encode(text);
    if (utf8.length === text.length) return utf8;
    for (let i = 0; i < text.length; i++) {
      if (text.charCodeAt(i) > 0x7f) throw unencodable(this.name, i);
    }
    return utf8;
  }
}

/** Spellings that configuration files bring, beside the canonical names. */
const aliases: ReadonlyMap<string, string> = new Map([
  ["utf8", "utf-8"],
  ["unicode-utf-8", "utf-8"],
  ["u8", "utf-8"],
  ["ascii", "us-ascii"],
  ["usascii", "us-ascii"],
  ["ansi-x3.4-1968", "us-ascii"],
  ["iso646-us", "us-ascii"],
  ["latin-1", "iso-8859-1"],
  ["latin1", "iso-8859-1"],
  ["l1", "iso-8859-1"],
  ["latin-9", "iso-8859-15"],
  ["latin9", "iso-8859-15"],
  ["cp819", "iso-8859-1"],
  ["cp1252", "windows-1252"],
  ["1252", "windows-1252"],
  ["ansi", "windows-1252"],
  ["iso-ir87", "iso-2022-jp"],
  ["iso-ir159", "iso-2022-jp"],
  ["gb-18030-2000", "gb18030"],
  ["gb-18030", "gb18030"],
  ["gbk", "gb18030"],
  ["gb2312", "gb18030"],
  ["ks-x-1001", "euc-kr"],
  ["big-5", "big5"],
  ["sjis", "shift-jis"],
  ["shift-jis", "shift-jis"],
  ["eucjp", "euc-jp"],
  ["euckr", "euc-kr"],
]);

const multiByteNames: ReadonlySet<string> = new Set([
  "iso-2022-jp",
  "gb18030",
  "euc-kr",
  "big5",
  "shift-jis",
  "euc-jp",
]);

function canonicalName(name: string): string | undefined {
  const spelled = name.trim().toLowerCase().replace(/[\s_/]+/g, "-").replace(/^unicode-(?=u)/, "");
  const known = aliases.get(spelled) ?? spelled;
  if (known === "utf-8" || known === "us-ascii" || multiByteNames.has(known)) return known;
  if (/^(?:utf-?(?:16|32)|ucs-?[24])(?:-?[bl]e)?$/.test(known)) {
    return known.replace(/^(utf|ucs)-?/, "$1-");
  }
  // 8859/12 does not exist.
  const iso = /^(?:iso-?)?8859-(1[0-13-6]|[1-9])$/.exec(known);
  if (iso !== null) return `iso-8859-${iso[1]}`;
  const windows = /^(?:windows|cp)-?(125[0-8]|874)$/.exec(known);
  if (windows !== null) return `windows-${windows[1]}`;
  return /^koi8-[ru]$/.test(known) ? known : undefined;
}

/** HL7 table 0211, upper case. `ASCII` is left out, for it reads the same in every set here. */
const msh18Table: ReadonlyMap<string, readonly string[]> = new Map([
  ...Array.from({ length: 16 }, (_, i) => i + 1).filter((n) => n !== 12)
    .map((n): [string, readonly string[]] => [`8859/${n}`, [`iso-8859-${n}`]]),
  ["UNICODE UTF-8", ["utf-8"]],
  ["UTF-8", ["utf-8"]],
  ["UNICODE UTF-16", ["utf-16"]],
  ["UTF-16", ["utf-16"]],
  ["UNICODE UTF-32", ["utf-32"]],
  ["UTF-32", ["utf-32"]],
  ["ISO IR87", ["iso-2022-jp"]],
  ["ISO IR159", ["iso-2022-jp"]],
  ["GB 18030-2000", ["gb18030"]],
  ["KS X 1001", ["euc-kr"]],
  ["BIG-5", ["big5"]],
]);

function firstLoneSurrogate(text: string): number {
  for (let i = 0; i < text.length; i++) {
    const code = text.charCodeAt(i);
    if (code < 0xd800 || code > 0xdfff) continue;
    const next = text.charCodeAt(i + 1);
    if (code > 0xdbff || !(next >= 0xdc00 && next <= 0xdfff)) return i;
    i++;
  }
  return -1;
}

function undecodable(charset: string, position: number | undefined): Hl7CharsetError {
  const where = position === undefined ? "" : ` at byte ${position}`;
  return new Hl7CharsetError("hl7.undecodable", `Cannot decode message as ${charset}${where}`, {
    position,
    hint: "Compare the connection's encoding with what the partner sends",
  });
}

function unencodable(charset: string, position: number): Hl7CharsetError {
  return new Hl7CharsetError(
    "hl7.unencodable",
    `Cannot encode message as ${charset}: the character at position ${position} is not in it`,
    { position },
  );
}

function unknownCharset(name: string): Hl7CharsetError {
  return new Hl7CharsetError("hl7.charset_unknown", `Cannot find character set "${name}"`, {
    hint: "Use utf-8, us-ascii, iso-8859-1 to -16, windows-1252, or a set of HL7 table 0211",
  });
}
