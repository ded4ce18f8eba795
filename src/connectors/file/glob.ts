/**
 * File name patterns: `*`, `?`, `[a-z]`, `[!a-z]`.
 *
 * No regular expression, so no pattern can make a match take more than name times pattern steps.
 */

/** One place of a pattern: any run, or one character that `matches`. */
type Piece = "run" | ((character: string) => boolean);

/** A parsed pattern; matching is case-sensitive and covers the whole name. */
export class Glob {
  readonly #pieces: readonly Piece[];
  readonly #takesHidden: boolean;

  constructor(pattern: string) {
    this.#pieces = parse([...pattern]);
    this.#takesHidden = pattern.startsWith(".");
  }

  /**
   * Tells whether `name` fits. A name that begins with a dot fits only a pattern that does: many
   * writers hide a file that way until it is whole.
   */
  matches(name: string): boolean {
    if (name.startsWith(".") && !this.#takesHidden) return false;
    const characters = [...name];
    let at = 0;
    let piece = 0;
    // Where to go on when what follows the last run does not fit: the run takes one more.
    let afterRun = -1;
    let runUntil = 0;
    while (at < characters.length) {
      const wanted = this.#pieces[piece];
      if (wanted === "run") {
        afterRun = ++piece;
        runUntil = at;
      } else if (wanted?.(characters[at] as string)) {
        piece++;
        at++;
      } else if (afterRun !== -1) {
        piece = afterRun;
        at = ++runUntil;
      } else {
        return false;
      }
    }
    return this.#pieces.slice(piece).every((rest) => rest === "run");
  }
}

function parse(pattern: readonly string[]): Piece[] {
  const pieces: Piece[] = [];
  for (let at = 0; at < pattern.length; at++) {
    const character = pattern[at] as string;
    if (character === "*") {
      if (pieces.at(-1) !== "run") pieces.push("run");
    } else if (character === "?") {
      pieces.push(() => true);
    } else if (character === "[") {
      // A bracket right after the opening one, or after `!`, is a member of the set.
      const first = pattern[at + 1] === "!" ? at + 2 : at + 1;
      const end = pattern.indexOf("]", first + 1);
      if (end === -1) {
        pieces.push(isCharacter(character));
        continue;
      }
      pieces.push(parseSet(pattern.slice(first, end), first === at + 2));
      at = end;
    } else {
      pieces.push(isCharacter(character));
    }
  }
  return pieces;
}

function isCharacter(wanted: string): Piece {
  return (character) => character === wanted;
}

function parseSet(members: readonly string[], isNegated: boolean): Piece {
  const ranges: [string, string][] = [];
  for (let at = 0; at < members.length; at++) {
    const from = members[at] as string;
    const to = members[at + 2];
    if (members[at + 1] === "-" && to !== undefined) {
      ranges.push([from, to]);
      at += 2;
    } else {
      ranges.push([from, from]);
    }
  }
  return (character) =>
    ranges.some(([from, to]) => from <= character && character <= to) !== isNegated;
}
