/** What a start that failed ends with, the same for launcher and engine. Source: spec api §5.1. */
import { BundleError } from "../../graph/mod.ts";
import { SettingsError } from "../../settings/mod.ts";
import type { Anchor } from "../anchor.ts";
import { CommandFailure, exitCodes } from "../failure.ts";
import { valueFileOf } from "../value_file.ts";

/** A broken value file refuses (gates 16, 17); any other fault of graph or store is a failed start. */
export function exitCodeOf(thrown: unknown, anchor: Anchor): number {
  if (thrown instanceof SettingsError) return exitCodes.refused;
  if (thrown instanceof CommandFailure) return thrown.exitCode;
  const valueFile = valueFileOf(anchor);
  const isValueFile = thrown instanceof BundleError &&
    thrown.problems.some(({ severity, file }) => severity === "error" && file === valueFile);
  return isValueFile ? exitCodes.refused : exitCodes.startup;
}
