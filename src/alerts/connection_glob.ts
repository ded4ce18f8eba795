/**
 * Matches names of connections: `*` any run of characters, `?` one, `[A-C]` one of a set, `[!A-C]`
 * one outside it. Upper and lower case differ; a bracket that is never closed is itself.
 *
 * It never goes back further than to the last `*`, so no pattern makes it slow.
 */
export function matchesGlob(pattern: string, name: string): boolean {
  let at = 0;
  let position = 0;
  /** Where to go on when what follows the last `*` fits no longer: that star takes one more. */
  let retry: { readonly at: number; position: number } | undefined;
  while (position < name.length) {
    const next = pattern[at] === "*" ? undefined : step(pattern, { at, char: name[position]! });
    if (pattern[at] === "*") {
      retry = { at: at + 1, position };
      at += 1;
    } else if (next !== undefined) {
      at = next;
      position += 1;
    } else if (retry !== undefined) {
      retry.position += 1;
      ({ at, position } = retry);
    } else return false;
  }
  return /^\**$/.test(pattern.slice(at));
}

/** Returns where the pattern goes on after taking `char`, or undefined when it does not. */
function step(
  pattern: string,
  { at, char }: { at: number; char: string },
): number | undefined {
  const sign = pattern[at];
  if (sign === "?") return at + 1;
  if (sign === "[") {
    const set = /^\[(!?)(\]?[^\]]*)\]/.exec(pattern.slice(at));
    if (set !== null) {
      const [whole, not, members] = set;
      return isMember(members!, char) === (not === "") ? at + whole.length : undefined;
    }
  }
  return sign === char ? at + 1 : undefined;
}

function isMember(members: string, char: string): boolean {
  for (let index = 0; index < members.length; index += 1) {
    const from = members[index]!;
    const isRange = members[index + 1] === "-" && index + 2 < members.length;
    const to = isRange ? members[index + 2]! : from;
    if (from <= char && char <= to) return true;
    if (isRange) index += 2;
  }
  return false;
}
