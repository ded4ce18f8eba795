/**
 * What a handler changed, field by field: the message that came in beside one that would go out.
 *
 * Each side is read by its own delimiters, so a message that only changed them differs in MSH-1 and
 * MSH-2 alone. Segments of one id are paired in order around those that are equal.
 */
import {
  type Delimiters,
  splitComponents,
  splitRepetitions,
  splitSubcomponents,
  unescape,
  type WalkedSegment,
  walkMessage,
} from "../hl7/mod.ts";

/** One place that differs. A whole segment that came or went has null on its other side. */
export interface FieldDifference {
  /** `PID-3.1`, `OBX[2]-5`, `NK1[3]`. Positions count from 1. */
  readonly path: string;
  readonly before: string | null;
  readonly after: string | null;
}

/** More segments of one id than this are paired by their number alone. */
const ALIGNED_MAX = 400;

/** Returns every difference; undefined when a side is not HL7. */
export function diffPayloads(
  before: string,
  after: string,
): readonly FieldDifference[] | undefined {
  const left = walkOrUndefined(before);
  const right = walkOrUndefined(after);
  if (left === undefined || right === undefined) return undefined;
  const differences: FieldDifference[] = [];
  const ids = new Set([...left.segments, ...right.segments].map(({ id }) => id));
  for (const id of ids) {
    const pairs = align(
      left.segments.filter((segment) => segment.id === id),
      right.segments.filter((segment) => segment.id === id),
    );
    for (const [mine, theirs] of pairs) {
      differences.push(...diffSegments(mine && { ...mine, delimiters: left.delimiters }, {
        ...theirs,
        delimiters: right.delimiters,
      }));
    }
  }
  return differences;
}

function walkOrUndefined(text: string) {
  try {
    return walkMessage(text);
  } catch {
    // A payload of another kind: JSON, free text. It has no fields to compare.
    return undefined;
  }
}

type Pair = readonly [WalkedSegment | undefined, WalkedSegment | undefined];

/** Pairs the segments of one id: equal ones first, in order, then what stands between them. */
function align(left: readonly WalkedSegment[], right: readonly WalkedSegment[]): readonly Pair[] {
  const anchors = left.length <= ALIGNED_MAX && right.length <= ALIGNED_MAX
    ? commonInOrder(left.map(contentOf), right.map(contentOf))
    : [];
  const pairs: Pair[] = [];
  let i = 0;
  let j = 0;
  for (const [nextI, nextJ] of [...anchors, [left.length, right.length] as const]) {
    while (i < nextI || j < nextJ) {
      pairs.push([i < nextI ? left[i++] : undefined, j < nextJ ? right[j++] : undefined]);
    }
    if (nextI < left.length && nextJ < right.length) pairs.push([left[i++], right[j++]]);
  }
  return pairs;
}

function contentOf({ fields }: WalkedSegment): string {
  return fields.join("\r");
}

/** Longest common subsequence, as pairs of indexes. */
function commonInOrder(
  left: readonly string[],
  right: readonly string[],
): readonly (readonly [number, number])[] {
  const width = right.length + 1;
  const lengths = new Uint16Array((left.length + 1) * width);
  const at = (i: number, j: number) => lengths[i * width + j] ?? 0;
  for (let i = left.length - 1; i >= 0; i--) {
    for (let j = right.length - 1; j >= 0; j--) {
      lengths[i * width + j] = left[i] === right[j]
        ? at(i + 1, j + 1) + 1
        : Math.max(at(i + 1, j), at(i, j + 1));
    }
  }
  const pairs: [number, number][] = [];
  for (let i = 0, j = 0; i < left.length && j < right.length;) {
    if (left[i] === right[j]) pairs.push([i++, j++]);
    else if (at(i + 1, j) >= at(i, j + 1)) i++;
    else j++;
  }
  return pairs;
}

interface Side extends Partial<WalkedSegment> {
  readonly delimiters: Delimiters;
}

function diffSegments(before: Side | undefined, after: Side): readonly FieldDifference[] {
  if (before?.fields === undefined) {
    return after.fields === undefined
      ? []
      : [{ path: segmentPath(after), before: null, after: segmentText(after) }];
  }
  if (after.fields === undefined) {
    return [{ path: segmentPath(before), before: segmentText(before), after: null }];
  }
  const differences: FieldDifference[] = [];
  const path = segmentPath(before);
  const count = Math.max(before.fields.length, after.fields.length);
  for (let field = 1; field < count; field++) {
    const mine = before.fields[field] ?? "";
    const theirs = after.fields[field] ?? "";
    // MSH-1 and MSH-2 are the delimiters themselves and have no parts.
    if (before.id === "MSH" && field <= 2) {
      if (mine !== theirs) {
        differences.push({ path: `${path}-${field}`, before: mine, after: theirs });
      }
      continue;
    }
    differences.push(...diffFields(`${path}-${field}`, [mine, before.delimiters], [
      theirs,
      after.delimiters,
    ]));
  }
  return differences;
}

function segmentPath({ id = "", occurrence = 1 }: Side): string {
  return occurrence === 1 ? id : `${id}[${occurrence}]`;
}

function segmentText({ id, fields = [], delimiters }: Side): string {
  const from = id === "MSH" ? 2 : 1;
  return `${id}${delimiters.field}${fields.slice(from).join(delimiters.field)}`;
}

/** A raw part and the delimiters to read it by. */
type Raw = readonly [text: string, delimiters: Delimiters];
type Split = (text: string, delimiters: Delimiters) => readonly string[];

function diffFields(path: string, before: Raw, after: Raw): readonly FieldDifference[] {
  return diffParts({ before, after, split: splitRepetitions }, (index, left, right) => {
    const repetition = index === 0 ? path : `${path}[${index + 1}]`;
    const parts = { before: left, after: right, split: splitComponents };
    return diffParts(parts, (component, a, b, isOnly) => {
      const at = isOnly ? repetition : `${repetition}.${component + 1}`;
      const inner = { before: a, after: b, split: splitSubcomponents };
      return diffParts(inner, (subcomponent, c, d, isWhole) => {
        const leaf = isWhole ? at : `${isOnly ? `${at}.1` : at}.${subcomponent + 1}`;
        return diffLeaf(leaf, c, d);
      });
    });
  });
}

function diffParts(
  { before, after, split }: { before: Raw; after: Raw; split: Split },
  each: (index: number, before: Raw, after: Raw, isOnly: boolean) => readonly FieldDifference[],
): readonly FieldDifference[] {
  const left = split(...before);
  const right = split(...after);
  const count = Math.max(left.length, right.length);
  const differences: FieldDifference[] = [];
  for (let index = 0; index < count; index++) {
    const a: Raw = [left[index] ?? "", before[1]];
    const b: Raw = [right[index] ?? "", after[1]];
    differences.push(...each(index, a, b, count === 1));
  }
  return differences;
}

function diffLeaf(path: string, before: Raw, after: Raw): readonly FieldDifference[] {
  const mine = unescape(...before);
  const theirs = unescape(...after);
  return mine === theirs ? [] : [{ path, before: mine, after: theirs }];
}
