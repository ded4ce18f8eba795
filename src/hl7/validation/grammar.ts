/**
 * The order of segments in one message structure, as an automaton.
 *
 * A structure's notation becomes a position automaton (Glushkov), which follows every reading of an
 * ambiguous structure at once: in OML^O21 an ORC may open the next order or a prior result. Its
 * deterministic states are made when first needed and kept, so a step costs one map look-up.
 */

/** A point between two segments: what may have been read so far. */
export interface GrammarState {
  /** True when the message may end here. */
  readonly accepting: boolean;
  /** Positions of the last segment read, ascending; 0 stands for the start. */
  readonly positions: readonly number[];
  readonly next: Map<string, GrammarState | undefined>;
}

/** Matches any segment: what a notation writes as `*`. */
const anySegment = "*";

/** How far `missingBefore()` looks for the segment that would make sense of the next one. */
const missingMax = 3;

interface Fragment {
  readonly isNullable: boolean;
  readonly first: readonly number[];
  readonly last: readonly number[];
}

const nothing: Fragment = { isNullable: true, first: [], last: [] };

/** The grammar of one structure, read from `[optional] {repeating} (group) <one|of|these>`. */
export class Grammar {
  /** Segment of each position; position 0 is the start. */
  readonly #segments: string[] = [""];
  readonly #follow: Set<number>[] = [new Set()];
  readonly #last: ReadonlySet<number>;
  readonly #alphabet: ReadonlySet<string>;
  readonly #states = new Map<string, GrammarState>();
  readonly start: GrammarState;

  /** @throws {SyntaxError} when the notation is malformed, which is a defect of the data. */
  constructor(notation: string) {
    const tokens = notation.match(/[A-Z][A-Z0-9]{2}|[[\]{}()<>|*]/g) ?? [];
    const reader = { tokens, at: 0 };
    const whole = this.#sequence(reader);
    if (reader.at < tokens.length) throw new SyntaxError(`Unbalanced structure "${notation}"`);
    this.#link([0], whole.first);
    this.#last = new Set(whole.isNullable ? [0, ...whole.last] : whole.last);
    this.#alphabet = new Set(this.#segments.slice(1));
    this.start = this.#state([0]);
  }

  /** Returns the state after reading segment `id`, or undefined when it cannot stand here. */
  step(state: GrammarState, id: string): GrammarState | undefined {
    if (!this.#alphabet.has(id) && !this.#alphabet.has(anySegment)) return undefined;
    const known = state.next.get(id);
    if (known !== undefined || state.next.has(id)) return known;
    const positions = new Set<number>();
    for (const position of state.positions) {
      for (const next of this.#follow[position] as Set<number>) {
        const segment = this.#segments[next];
        if (segment === id || segment === anySegment) positions.add(next);
      }
    }
    const reached = positions.size === 0
      ? undefined
      : this.#state([...positions].sort((one, other) => one - other));
    state.next.set(id, reached);
    return reached;
  }

  /** Tells whether the structure knows segment `id` at all. */
  mentions(id: string): boolean {
    return this.#alphabet.has(id) || this.#alphabet.has(anySegment);
  }

  /**
   * Returns the first segment on the shortest way from `state` to one where `id` may follow, or
   * where the message may end without it; undefined when there is no short way.
   */
  missingBefore(state: GrammarState, id: string | undefined): string | undefined {
    let reached: { state: GrammarState; through: string }[] = [{ state, through: "" }];
    const seen = new Set<GrammarState>([state]);
    for (let steps = 0; steps < missingMax; steps++) {
      const further: typeof reached = [];
      for (const { state: from, through } of reached) {
        for (const segment of this.#alphabet) {
          const to = segment === anySegment ? undefined : this.step(from, segment);
          if (to === undefined || seen.has(to)) continue;
          seen.add(to);
          const first = through === "" ? segment : through;
          if (id === undefined ? to.accepting : this.step(to, id) !== undefined) return first;
          further.push({ state: to, through: first });
        }
      }
      reached = further;
    }
    return undefined;
  }

  #state(positions: readonly number[]): GrammarState {
    const key = positions.join();
    let state = this.#states.get(key);
    if (state === undefined) {
      const accepting = positions.some((position) => this.#last.has(position));
      state = { accepting, positions, next: new Map() };
      this.#states.set(key, state);
    }
    return state;
  }

  #sequence(reader: Reader): Fragment {
    let whole = nothing;
    while (
      reader.at < reader.tokens.length && !")]}".includes(reader.tokens[reader.at] as string)
    ) {
      const part = this.#part(reader);
      this.#link(whole.last, part.first);
      whole = {
        isNullable: whole.isNullable && part.isNullable,
        first: whole.isNullable ? [...whole.first, ...part.first] : whole.first,
        last: part.isNullable ? [...whole.last, ...part.last] : part.last,
      };
    }
    return whole;
  }

  #part(reader: Reader): Fragment {
    const token = reader.tokens[reader.at++] as string;
    switch (token) {
      case "[":
        return { ...this.#enclosed(reader, "]"), isNullable: true };
      case "{": {
        const repeated = this.#enclosed(reader, "}");
        this.#link(repeated.last, repeated.first);
        return repeated;
      }
      case "(":
        return this.#enclosed(reader, ")");
      case "<":
        return this.#choice(reader);
      default:
        return this.#leaf(token);
    }
  }

  #enclosed(reader: Reader, close: string): Fragment {
    const inner = this.#sequence(reader);
    if (reader.tokens[reader.at++] !== close) throw new SyntaxError(`"${close}" expected`);
    return inner;
  }

  #choice(reader: Reader): Fragment {
    const positions: number[] = [];
    do {
      positions.push(...this.#leaf(reader.tokens[reader.at++] as string).first);
    } while (reader.tokens[reader.at++] === "|");
    if (reader.tokens[reader.at - 1] !== ">") throw new SyntaxError('">" expected');
    return { isNullable: false, first: positions, last: positions };
  }

  #leaf(segment: string): Fragment {
    if (segment !== anySegment && segment?.length !== 3) throw new SyntaxError("Segment expected");
    const position = this.#segments.push(segment) - 1;
    this.#follow.push(new Set());
    return { isNullable: false, first: [position], last: [position] };
  }

  #link(from: readonly number[], to: readonly number[]): void {
    for (const position of from) {
      for (const next of to) (this.#follow[position] as Set<number>).add(next);
    }
  }
}

interface Reader {
  readonly tokens: readonly string[];
  at: number;
}
