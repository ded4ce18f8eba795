/**
 * The active environment and what it means: whose data is here, and is it production.
 *
 * Source: A `[ai]`: dev is synthetic and not production, staging is PHI and not production, prod
 * is PHI and production; any other name must say both.
 */
import type { AiSettings } from "./catalogue.ts";
import type { SettingsProblem } from "./settings_error.ts";

export interface Posture {
  readonly environment: string;
  readonly dataClass: "synthetic" | "phi";
  readonly production: boolean;
}

const BUILT_IN: Readonly<Record<string, Omit<Posture, "environment">>> = {
  dev: { dataClass: "synthetic", production: false },
  staging: { dataClass: "phi", production: false },
  prod: { dataClass: "phi", production: true },
};

/** Fills in what a built-in environment name implies; what was set stands. */
export function withDerivedPosture(ai: AiSettings): AiSettings {
  const name = ai.environment;
  const implied = name !== undefined && Object.hasOwn(BUILT_IN, name) ? BUILT_IN[name] : undefined;
  if (implied === undefined) return ai;
  return Object.freeze({
    ...ai,
    dataClass: ai.dataClass ?? implied.dataClass,
    production: ai.production ?? implied.production,
  });
}

/** Returns the posture, or what is missing for one. `serve` refuses on a problem. */
export function postureOf(
  ai: AiSettings,
): { readonly posture: Posture } | { readonly problem: SettingsProblem } {
  const { environment, dataClass, production } = ai;
  if (environment === undefined) {
    return {
      problem: {
        section: "ai",
        key: "environment",
        message: 'Name the active environment: pass "--env" or set [ai] environment',
      },
    };
  }
  if (dataClass === undefined || production === undefined) {
    const missing = [
      dataClass === undefined ? "data_class" : "",
      production === undefined ? "production" : "",
    ].filter((key) => key !== "");
    return {
      problem: {
        section: "ai",
        key: missing[0] ?? "data_class",
        message: `Environment "${environment}" is not a built-in name, so [ai] must set ` +
          missing.join(" and "),
      },
    };
  }
  return { posture: { environment, dataClass, production } };
}
