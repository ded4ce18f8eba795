/**
 * Edits `[[alerts.rules]]` in the text of a settings file. Pure.
 *
 * Everything else stays as it is written, comments too. A comment right above a rule is the rule's
 * own. Whoever edits reads the new text again and compares, so a file that is written in some other
 * way is refused and not guessed at.
 */
import { stringify } from "@std/toml";

/** A value of a rule as TOML takes it. */
export type RuleValue = string | number | boolean | readonly string[];

const HEADER = /^\s*\[\[\s*alerts\s*\.\s*rules\s*\]\]\s*(#.*)?\s*$/;
const ANY_HEADER = /^\s*\[/;

/** How many rules are written as tables of their own. */
export function countRuleTables(text: string): number {
  return linesOf(text).filter((line) => HEADER.test(line)).length;
}

/** Returns the text with a rule behind all others. */
export function withRule(text: string, rule: Readonly<Record<string, RuleValue>>): string {
  const end = text.includes("\r\n") ? "\r\n" : "\n";
  const block = stringify({ alerts: { rules: [rule] } })
    // The library writes the empty table around it too.
    .replace(/^\[alerts\]\n+/, "").trimEnd().replaceAll("\n", end);
  const before = text.trimEnd();
  return `${before}${before === "" ? "" : end + end}${block}${end}`;
}

/** Returns the text without rule `index`, counted from 0, and without the comment above it. */
export function withoutRule(text: string, index: number): string {
  const lines = linesOf(text);
  const headers = lines.flatMap((line, at) => HEADER.test(line) ? [at] : []);
  const header = headers[index];
  if (header === undefined) return text;
  const next = lines.findIndex((line, at) => at > header && ANY_HEADER.test(line));
  const start = commentAbove(lines, header);
  const end = next < 0 ? lines.length : commentAbove(lines, next);
  const kept = [...lines.slice(0, start), ...lines.slice(end)].join("");
  return end === lines.length ? kept.trimEnd() + (kept.trim() === "" ? "" : "\n") : kept;
}

/** The first line of the comment right above a line, or that line. */
function commentAbove(lines: readonly string[], at: number): number {
  let start = at;
  while (start > 0 && /^\s*#/.test(lines[start - 1]!)) start -= 1;
  return start;
}

/** Lines with their ends. */
function linesOf(text: string): readonly string[] {
  return text.match(/[^\n]*\n|[^\n]+$/g) ?? [];
}
