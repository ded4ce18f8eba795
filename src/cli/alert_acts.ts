/**
 * What `messagefoundry alert` does: list, add and remove `[[alerts.rules]]`.
 *
 * The engine takes them at its next start. The new file is read as the engine would read it before
 * the old one is replaced. Source: spec api §5.
 */
import { isDeepStrictEqual } from "node:util";
import { resolve } from "node:path";
import { type AlertsSettings, loadSettings } from "../settings/mod.ts";
import type { AlertOptions } from "./alert.ts";
import { countRuleTables, type RuleValue, withoutRule, withRule } from "./alert_rules.ts";
import type { Anchor } from "./anchor.ts";
import { CommandFailure } from "./failure.ts";
import { readData } from "./edit_data.ts";
import { realPathOf } from "./paths.ts";
import { replaceFile } from "./replace_file.ts";

type Rules = AlertsSettings["rules"];

const SERVICE_FILE = "messagefoundry.toml";

/** One act: where the rules stand, and what was asked. */
export interface Edit {
  readonly anchor: Anchor;
  readonly options: AlertOptions;
  readonly env: Readonly<Record<string, string>>;
}

export const acts: Readonly<Record<string, (edit: Edit) => Promise<unknown>>> = {
  list: ({ anchor }) => Promise.resolve(rulesOf(anchor).map(shownRule)),

  async add(edit) {
    const rule = ruleOf(await readData(edit.options.data, "rule"));
    const before = rulesOf(edit.anchor);
    await rewrite(
      edit,
      (text) => withRule(text, rule),
      (after) =>
        after.length === before.length + 1 && isDeepStrictEqual(after.slice(0, -1), before),
    );
    return { op: "add", index: before.length };
  },

  async remove(edit) {
    const before = rulesOf(edit.anchor);
    const { index: given = "" } = edit.options;
    const index = /^\d{1,6}$/.test(given) ? Number(given) : NaN;
    if (before[index] === undefined) {
      throw new CommandFailure(
        given === "" ? "Which rule? Name it with --index" : `There is no rule "${given}"`,
        { hint: `"messagefoundry alert list" shows ${before.length} of them, counted from 0` },
      );
    }
    await rewrite(
      edit,
      (text) => withoutRule(text, index),
      (after) => isDeepStrictEqual(after, before.toSpliced(index, 1)),
    );
    return { op: "remove", index };
  },
};

function rulesOf({ loaded }: Anchor): Rules {
  return loaded.settings.alerts.rules;
}

/** Every field as the file writes it; null where it is not set. */
function shownRule(rule: Rules[number], index: number) {
  const seconds = (ms: number | undefined) => ms === undefined ? null : ms / 1000;
  return {
    index,
    event_type: rule.eventType,
    connection: rule.connection,
    min_depth: rule.minDepth ?? null,
    min_oldest_seconds: seconds(rule.minOldestMs),
    severity: rule.severity,
    transports: rule.transports ?? null,
    cooldown_seconds: seconds(rule.cooldownMs),
  };
}

/** A rule is a flat object, null meaning not set. What its fields may be the settings say. */
function ruleOf(
  value: Readonly<Record<string, unknown>>,
): Readonly<Record<string, RuleValue>> {
  const rule: Record<string, RuleValue> = {};
  for (const [key, field] of Object.entries(value)) {
    if (key === "index") {
      throw new CommandFailure('A rule to add takes no "index": it comes behind all others', {});
    }
    if (field === null) continue;
    if (!isRuleValue(field)) throw new CommandFailure(`Cannot read "${key}" of the rule`, {});
    rule[key] = field;
  }
  return rule;
}

function isRuleValue(value: unknown): value is RuleValue {
  if (Array.isArray(value)) return value.every((entry) => typeof entry === "string");
  return typeof value === "string" || typeof value === "boolean" || Number.isFinite(value);
}

/**
 * Replaces the settings file by its edited text, once that reads as it should.
 *
 * @throws {CommandFailure} it does not; nothing is changed.
 * @throws {SettingsError} the engine would refuse the new text; nothing is changed.
 */
async function rewrite(
  { anchor, options, env }: Edit,
  edit: (text: string) => string,
  isRight: (after: Rules) => boolean,
): Promise<void> {
  const path = realPathOf(anchor.serviceFile ?? resolve(anchor.projectRoot ?? ".", SERVICE_FILE));
  const text = anchor.serviceFile === undefined ? "" : await Deno.readTextFile(path);
  if (countRuleTables(text) !== rulesOf(anchor).length) throw notOurs(path);
  const edited = edit(text);
  const { settings } = loadSettings({
    env,
    file: { path: options.serviceConfig ?? SERVICE_FILE, text: edited },
    flags: { "ai.environment": options.env },
  });
  if (!isRight(settings.alerts.rules)) throw notOurs(path);
  await replaceFile(path, edited);
}

function notOurs(path: string): CommandFailure {
  return new CommandFailure(`Cannot edit the rules in "${path}": they are not written as tables`, {
    hint: "Write each as [[alerts.rules]], or edit the file by hand",
  });
}
