/**
 * Edits one entry of an array of tables in a TOML text, and leaves all else as it is written. Pure.
 *
 * An entry is its header `[[name]]`, the lines behind it and its sub-tables `[name.settings]`. A
 * comment right above belongs to the entry. Whoever edits reads the new text again and compares, so
 * a file that is written in some other way is refused and not guessed at.
 */

export class TomlBlocks {
  readonly #lines: readonly string[];
  readonly #blocks: readonly { readonly header: number; readonly end: number }[];
  readonly #newline: string;

  /** `name` of the array, dots between its parts: `alerts.rules`. */
  constructor(text: string, name: string) {
    this.#lines = linesOf(text);
    this.#newline = text.includes("\r\n") ? "\r\n" : "\n";
    const path = name.split(".").join("\\s*\\.\\s*");
    const header = new RegExp(`^\\s*\\[\\[\\s*${path}\\s*\\]\\]\\s*(#.*)?\\s*$`);
    const inner = new RegExp(`^\\s*\\[\\[?\\s*${path}\\s*\\.`);
    this.#blocks = this.#lines.flatMap((line, at) => {
      if (!header.test(line)) return [];
      const next = this.#lines.findIndex((other, index) =>
        index > at && /^\s*\[/.test(other) && !inner.test(other)
      );
      return [{ header: at, end: next < 0 ? this.#lines.length : this.#commentAbove(next) }];
    });
  }

  /** How many entries are written as tables of their own. */
  get count(): number {
    return this.#blocks.length;
  }

  /** Returns the text with an entry behind all that is there; `block` has newlines as `\n`. */
  with(block: string): string {
    const before = this.#lines.join("").trimEnd();
    const gap = before === "" ? "" : this.#newline + this.#newline;
    return `${before}${gap}${this.#written(block)}`;
  }

  /** Returns the text with entry `index`, counted from 0, written anew; a comment above it stays. */
  replacing(index: number, block: string): string {
    const { header, end } = this.#blocks[index]!;
    const former = this.#lines.slice(header, end).join("");
    const after = this.#lines.slice(end).join("");
    const gap = former.slice(former.trimEnd().length).replace(/^[^\n]*\n/, "");
    return this.#lines.slice(0, header).join("") + this.#written(block) +
      (after === "" ? "" : gap + after);
  }

  /** Returns the text without entry `index`, counted from 0, and without the comment above it. */
  without(index: number): string {
    const { header, end } = this.#blocks[index]!;
    const kept = [
      ...this.#lines.slice(0, this.#commentAbove(header)),
      ...this.#lines.slice(end),
    ].join("");
    if (end < this.#lines.length) return kept;
    return kept.trim() === "" ? "" : kept.trimEnd() + this.#newline;
  }

  #written(block: string): string {
    return block.trimEnd().replaceAll("\n", this.#newline) + this.#newline;
  }

  /** The first line of the comment right above a line, or that line. */
  #commentAbove(at: number): number {
    let start = at;
    while (start > 0 && /^\s*#/.test(this.#lines[start - 1]!)) start -= 1;
    return start;
  }
}

/** Lines with their ends. */
function linesOf(text: string): readonly string[] {
  return text.match(/[^\n]*\n|[^\n]+$/g) ?? [];
}
