/**
 * Finds the line of each key in a TOML text, so that an error can name it.
 *
 * The parser that yields values keeps no positions. This scanner keeps only positions: it knows
 * headers, dotted and quoted keys, inline tables, arrays of tables and how values end. It expects
 * a text the parser accepted; on any other it simply finds less. Source: TOML 1.0.
 */

export type TomlPath = readonly (string | number)[];

export interface TomlLines {
  /** Line of the key, counted from 1; else that of its nearest table; else undefined. */
  lineOf(path: TomlPath): number | undefined;
}

/** Scans `text` once and remembers where each key stands. */
export function tomlLines(text: string): TomlLines {
  const found = new Scanner(text).run();
  return {
    lineOf(path) {
      for (let length = path.length; length > 0; length--) {
        const line = found.get(keyOf(path.slice(0, length)));
        if (line !== undefined) return line;
      }
      return undefined;
    },
  };
}

function keyOf(path: TomlPath): string {
  return JSON.stringify(path);
}

class Scanner {
  readonly #text: string;
  readonly #lines = new Map<string, number>();
  /** Entries seen so far of each array of tables. */
  readonly #counts = new Map<string, number>();
  #position = 0;
  #line = 1;

  constructor(text: string) {
    this.#text = text;
  }

  run(): ReadonlyMap<string, number> {
    let table: TomlPath = [];
    while (!this.#atEnd()) {
      this.#skipBlank(true);
      if (this.#atEnd()) break;
      const before = this.#position;
      if (this.#peek() === "[") table = this.#header();
      else this.#pair(table);
      this.#skipLine();
      if (this.#position === before) this.#take();
    }
    return this.#lines;
  }

  #header(): TomlPath {
    const line = this.#line;
    this.#take();
    const isArray = this.#peek() === "[";
    if (isArray) this.#take();
    const names = this.#keys();
    let path: TomlPath = [];
    names.forEach((name, index) => {
      path = [...path, name];
      const key = keyOf(path);
      if (isArray && index === names.length - 1) {
        const count = this.#counts.get(key) ?? 0;
        this.#counts.set(key, count + 1);
        this.#note(path, line);
        path = [...path, count];
      } else {
        const count = this.#counts.get(key);
        if (count !== undefined) path = [...path, count - 1];
      }
      this.#note(path, line);
    });
    return path;
  }

  /** Reads `key = value` and notes every key on the way down. */
  #pair(table: TomlPath): void {
    const line = this.#line;
    let path = table;
    for (const name of this.#keys()) {
      path = [...path, name];
      this.#note(path, line);
    }
    this.#skipBlank(false);
    if (this.#peek() !== "=") return;
    this.#take();
    this.#value(path);
  }

  #value(path: TomlPath): void {
    this.#skipBlank(false);
    const next = this.#peek();
    if (next === "{") this.#inlineTable(path);
    else if (next === "[") this.#array(path);
    else if (next === '"' || next === "'") this.#string();
    else while (!this.#atEnd() && !/[,\]}\n#]/.test(this.#peek())) this.#take();
  }

  #inlineTable(path: TomlPath): void {
    this.#take();
    for (;;) {
      this.#skipBlank(true);
      if (this.#atEnd() || this.#peek() === "}") break;
      const before = this.#position;
      if (this.#peek() === ",") this.#take();
      else this.#pair(path);
      if (this.#position === before) break;
    }
    this.#take();
  }

  #array(path: TomlPath): void {
    this.#take();
    let index = 0;
    for (;;) {
      this.#skipBlank(true);
      if (this.#atEnd() || this.#peek() === "]") break;
      const before = this.#position;
      if (this.#peek() === ",") this.#take();
      else {
        const entry = [...path, index++];
        this.#note(entry, this.#line);
        this.#value(entry);
      }
      if (this.#position === before) break;
    }
    this.#take();
  }

  /** Reads one dotted key: `a."b c".d`. */
  #keys(): string[] {
    const names: string[] = [];
    for (;;) {
      this.#skipBlank(false);
      const quote = this.#peek();
      if (quote === '"' || quote === "'") names.push(this.#string());
      else {
        let name = "";
        while (/[A-Za-z0-9_-]/.test(this.#peek())) name += this.#take();
        if (name === "") return names;
        names.push(name);
      }
      this.#skipBlank(false);
      if (this.#peek() !== ".") return names;
      this.#take();
    }
  }

  /** Reads a string of any of the four kinds; escapes are kept as written. */
  #string(): string {
    const quote = this.#take();
    const isLong = this.#text.startsWith(quote + quote, this.#position);
    if (isLong) {
      this.#take();
      this.#take();
    }
    const end = isLong ? quote.repeat(3) : quote;
    const start = this.#position;
    while (!this.#atEnd() && !this.#text.startsWith(end, this.#position)) {
      if (!isLong && this.#peek() === "\n") break;
      if (quote === '"' && this.#peek() === "\\") this.#take();
      this.#take();
    }
    const value = this.#text.slice(start, this.#position);
    for (let i = 0; i < end.length; i++) this.#take();
    while (isLong && this.#peek() === quote) this.#take();
    return value;
  }

  #skipBlank(overLines: boolean): void {
    for (;;) {
      const next = this.#peek();
      if (next === " " || next === "\t" || next === "\r") this.#take();
      else if (overLines && next === "\n") this.#take();
      else if (overLines && next === "#") this.#skipLine();
      else return;
    }
  }

  #skipLine(): void {
    while (!this.#atEnd() && this.#peek() !== "\n") this.#take();
  }

  #note(path: TomlPath, line: number): void {
    const key = keyOf(path);
    if (!this.#lines.has(key)) this.#lines.set(key, line);
  }

  #atEnd(): boolean {
    return this.#position >= this.#text.length;
  }

  #peek(): string {
    return this.#text[this.#position] ?? "";
  }

  #take(): string {
    const taken = this.#text[this.#position] ?? "";
    this.#position++;
    if (taken === "\n") this.#line++;
    return taken;
  }
}
