/**
 * What a coding assistant may see on this instance: the asked-for scope, lowered by posture and mode.
 *
 * Editors ask for it and obey; nothing here sends anything. Source: A `[ai]`; spec api §1.2.
 */
import type { AiSettings } from "./catalogue.ts";

/** From least to most sensitive. */
const scopes = ["code_only", "synthetic", "deidentified", "phi"] as const;

type Scope = (typeof scopes)[number];

/** The policy as API and command line show it, without the word on the person who asks. */
export interface AiPolicy {
  readonly mode: AiSettings["mode"];
  /** What holds, not what was asked for. */
  readonly data_scope: Scope;
  readonly environment: string | null;
  readonly data_class: "synthetic" | "phi" | null;
  readonly production: boolean;
  /** What was lowered and why; null when nothing was. */
  readonly reason: string | null;
}

/** Resolves the policy; an instance without a posture is judged as production. */
export function aiPolicy(ai: AiSettings): AiPolicy {
  const { mode, environment = null, dataClass = null, production = true } = ai;
  let scope: Scope = ai.dataScope;
  const notes: string[] = [];
  const lower = (to: Scope, why: string) => {
    if (scopes.indexOf(to) >= scopes.indexOf(scope)) return;
    notes.push(`data_scope "${scope}" is lowered to "${to}": ${why}`);
    scope = to;
  };
  // The ceiling lets "phi" through for the covered mode alone, in production alone.
  if (!production) lower("synthetic", "an instance that is not production allows no more");
  else if (mode !== "managed_claude_baa") {
    lower("code_only", `production allows no more under mode "${mode}"`);
  }
  if (scope === "deidentified") lower("code_only", "nothing removes identities yet");
  // An assistant that is off sees nothing, so there is nothing to explain.
  if (mode === "off") scope = "code_only";
  return {
    mode,
    data_scope: scope,
    environment,
    data_class: dataClass,
    production,
    reason: notes.length === 0 ? null : notes.join("; "),
  };
}
