/** Edits `[[alerts.rules]]` in the text of a settings file. Pure; see `toml_blocks.ts`. */
import { stringify } from "@std/toml";
import { TomlBlocks } from "./toml_blocks.ts";

/** A value of a rule as TOML takes it. */
export type RuleValue = string | number | boolean | readonly string[];

/** How many rules are written as tables of their own. */
export function countRuleTables(text: string): number {
  return blocksOf(text).count;
}

/** Returns the text with a rule behind all others. */
export function withRule(text: string, rule: Readonly<Record<string, RuleValue>>): string {
  // The library writes the empty table around it too.
  const block = stringify({ alerts: { rules: [rule] } }).replace(/^\[alerts\]\n+/, "");
  return blocksOf(text).with(block);
}

/** Returns the text without rule `index`, counted from 0, and without the comment above it. */
export function withoutRule(text: string, index: number): string {
  const blocks = blocksOf(text);
  return index < blocks.count ? blocks.without(index) : text;
}

function blocksOf(text: string): TomlBlocks {
  return new TomlBlocks(text, "alerts.rules");
}
