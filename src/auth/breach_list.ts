/**
 * An operator's own list of breached passwords: `[auth] breach_corpus_file`. No network is asked.
 *
 * Two forms, told apart by the first line: one password a line, case aside; or SHA-1 in hex,
 * `HASH[:count]` a line, as the well-known downloads have it. The list is never in memory. A small one
 * is read through for each password, in pieces; a large one has to be hashes in order, and is
 * searched by halves, a few reads each. Source: spec api §2.2.
 */
import { createHash } from "node:crypto";
import { AuthError } from "./errors.ts";

export interface BreachListLimits {
  /** Files up to this size are read through, whatever their order. */
  readonly scanBytes: number;
  /** Unordered hashes and passwords: larger files are refused, for each check reads all of it. */
  readonly unorderedBytesMax: number;
}

const LIMITS: BreachListLimits = { scanBytes: 8 << 20, unorderedBytesMax: 256 << 20 };
const PIECE_BYTES = 1 << 18;
/** `HASH:count` and its line end are shorter. */
const HASH_LINE_BYTES = 128;
/** The last stretch of a search is read whole. */
const STRETCH_BYTES = 4_096;
/** Lines looked at to see whether a file is in order. */
const SAMPLES = 1_000;
/** A password field takes no more, so a longer line is none. */
const LINE_CHARS_MAX = 4_096;
const HASH_LINE = /^([0-9A-F]{40})(?::\d{1,15})?\s*$/i;

type Form = "passwords" | "hashes" | "ordered_hashes";

interface Line {
  /** Where it begins. */
  readonly at: number;
  /** Upper case. */
  readonly hash: string;
}

export class BreachList implements Disposable {
  readonly #path: string;
  readonly #file: Deno.FsFile;
  readonly #size: number;
  #form: Form = "passwords";
  /** Lookups share one file position, so they follow one another. */
  #last: Promise<unknown> = Promise.resolve();

  /**
   * Opens a list and holds it open: a file put in its place is read after the next start.
   * @throws {AuthError} `auth.breach_list`: it cannot be read, or not be searched.
   */
  static async open(path: string, limits = LIMITS): Promise<BreachList> {
    let file: Deno.FsFile;
    let info: Deno.FileInfo;
    try {
      file = await Deno.open(path);
    } catch (cause) {
      throw unusable(path, "it cannot be read", "Name a readable file", cause);
    }
    try {
      info = await file.stat();
      if (!info.isFile) throw unusable(path, "it is no file", "Name a readable file");
      const list = new BreachList(path, file, info.size);
      list.#form = await list.#formOf(limits);
      return list;
    } catch (thrown) {
      file.close();
      throw thrown;
    }
  }

  private constructor(path: string, file: Deno.FsFile, size: number) {
    this.#path = path;
    this.#file = file;
    this.#size = size;
  }

  get form(): Form {
    return this.#form;
  }

  /** Whether a password is in the list. @throws {AuthError} `auth.breach_list`. */
  has(password: string): Promise<boolean> {
    const found = this.#last.then(() => this.#has(password));
    this.#last = found.catch(() => {});
    return found;
  }

  async #has(password: string): Promise<boolean> {
    const spellings = new Set([password, password.normalize("NFKC"), password.toLowerCase()]);
    if (this.#form === "passwords") {
      return await this.#scan([...spellings].map((text) => text.toLowerCase()), "\n");
    }
    const hashes = [...spellings].map((text) =>
      createHash("sha1").update(text).digest("hex").toUpperCase()
    );
    if (this.#form === "hashes") {
      return await this.#scan(hashes.map((hash) => hash.toLowerCase()), "\n:");
    }
    for (const hash of hashes) if (await this.#hasOrdered(hash)) return true;
    return false;
  }

  /** Reads all of it; true when a line begins with a needle and one of `ends` follows. */
  async #scan(needles: readonly string[], ends: string): Promise<boolean> {
    const wanted = needles.filter((needle) => needle !== "" && !/[\r\n]/.test(needle));
    const decoder = new TextDecoder();
    let text = "\n";
    for (let at = 0; at < this.#size; at += PIECE_BYTES) {
      const piece = decoder.decode(await this.#read(at, PIECE_BYTES), { stream: true });
      text += piece.toLowerCase().replaceAll("\r", "");
      if (wanted.some((needle) => holdsLine(text, needle, ends))) return true;
      // What follows the last line end goes on in the next piece.
      text = text.slice(text.lastIndexOf("\n")).slice(0, LINE_CHARS_MAX);
    }
    return wanted.some((needle) => holdsLine(`${text}\n`, needle, ends));
  }

  async #hasOrdered(hash: string): Promise<boolean> {
    // The line, if there is one, begins at `low` or after it, and before `high`.
    let low = 0;
    let high = this.#size;
    while (high - low > STRETCH_BYTES) {
      const middle = Math.floor((low + high) / 2);
      const line = await this.#lineAfter(middle);
      if (line === undefined || line.hash > hash) high = middle + 1;
      else if (line.hash === hash) return true;
      else low = line.at;
    }
    const stretch = withoutMark(decodeAscii(await this.#read(low, high - low + HASH_LINE_BYTES)));
    return holdsLine(`\n${stretch.toUpperCase().replaceAll("\r", "")}\n`, hash, "\n:");
  }

  /** The first line that begins after a place; undefined when there is none. */
  async #lineAfter(place: number): Promise<Line | undefined> {
    const text = decodeAscii(await this.#read(place, 2 * HASH_LINE_BYTES));
    const begin = text.indexOf("\n") + 1;
    if (begin === 0) return undefined;
    const [line = ""] = text.slice(begin).split("\n", 1);
    if (line.trim() === "") return undefined;
    const hash = HASH_LINE.exec(line)?.[1];
    if (hash === undefined) {
      throw unusable(
        this.#path,
        "some of its lines are hashes and some are not",
        "Give every line the form HASH or HASH:count",
      );
    }
    return { at: place + begin, hash: hash.toUpperCase() };
  }

  async #formOf({ scanBytes, unorderedBytesMax }: BreachListLimits): Promise<Form> {
    const head = withoutMark(decodeAscii(await this.#read(0, STRETCH_BYTES)));
    const first = head.split("\n").find((line) => line.trim() !== "") ?? "";
    const isHashes = HASH_LINE.test(first);
    if (this.#size <= scanBytes) return isHashes ? "hashes" : "passwords";
    if (isHashes && await this.#isOrdered()) return "ordered_hashes";
    if (this.#size <= unorderedBytesMax) return isHashes ? "hashes" : "passwords";
    const what = isHashes ? "hashes that are not in order" : "passwords";
    throw unusable(
      this.#path,
      `it is larger than ${unorderedBytesMax >> 20} MiB and holds ${what}`,
      isHashes ? "Sort it: LC_ALL=C sort -o FILE FILE" : "Use SHA-1 hashes in order",
    );
  }

  async #isOrdered(): Promise<boolean> {
    let before = "";
    for (let sample = 0; sample < SAMPLES; sample++) {
      const line = await this.#lineAfter(Math.floor(this.#size / SAMPLES * sample));
      if (line === undefined) continue;
      if (line.hash < before) return false;
      before = line.hash;
    }
    return true;
  }

  async #read(at: number, length: number): Promise<Uint8Array> {
    try {
      await this.#file.seek(at, Deno.SeekMode.Start);
      const bytes = new Uint8Array(Math.min(length, Math.max(0, this.#size - at)));
      let filled = 0;
      while (filled < bytes.length) {
        const count = await this.#file.read(bytes.subarray(filled));
        if (count === null) break;
        filled += count;
      }
      return bytes.subarray(0, filled);
    } catch (cause) {
      throw unusable(this.#path, "it cannot be read", "Look at the disk it lies on", cause);
    }
  }

  [Symbol.dispose](): void {
    this.#file.close();
  }
}

/** Whether a line of `text` is `needle` up to one of the signs of `ends`. */
function holdsLine(text: string, needle: string, ends: string): boolean {
  const begin = `\n${needle}`;
  for (let at = text.indexOf(begin); at >= 0; at = text.indexOf(begin, at + 1)) {
    const next = text[at + begin.length];
    if (next !== undefined && ends.includes(next)) return true;
  }
  return false;
}

/** One character a byte, so that places in the text are places in the file. */
function decodeAscii(bytes: Uint8Array): string {
  return new TextDecoder("latin1").decode(bytes);
}

/** Some editors begin a file with the mark of UTF-8. */
function withoutMark(text: string): string {
  return text.replace(/^\xef\xbb\xbf/, "");
}

function unusable(path: string, why: string, hint: string, cause?: unknown): AuthError {
  return new AuthError("auth.breach_list", `Cannot use "${path}" as a breach list: ${why}`, {
    cause,
    hint: `${hint}, or take [auth] breach_corpus_file out`,
  });
}
