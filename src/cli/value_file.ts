/** Where the values behind `env()` come from, and what looks wrong about it. */
import { resolve } from "node:path";
import { environmentsDir } from "../graph/mod.ts";
import type { Anchor } from "./anchor.ts";
import { CommandFailure, exitCodes } from "./failure.ts";
import { isMissing } from "./paths.ts";

/** Returns the value file of the active environment, whether it exists or not. */
export function valueFileOf({ loaded: { settings } }: Anchor): string | undefined {
  const { environment } = settings.ai;
  if (environment === undefined) return undefined;
  return resolve(environmentsDir(settings.environments), `${environment}.toml`);
}

/**
 * A value file that is there and cannot be read is refused; one that is missing is another matter.
 * Source: spec api §5.1 (16).
 *
 * @throws {CommandFailure} exit code 2.
 */
export async function requireReadableValues(anchor: Anchor): Promise<void> {
  const file = valueFileOf(anchor);
  if (file === undefined) return;
  try {
    await Deno.readTextFile(file);
  } catch (cause) {
    // What this process may not look at is told with the permissions.
    if (cause instanceof Deno.errors.NotFound || cause instanceof Deno.errors.NotCapable) return;
    throw new CommandFailure(`Cannot read the values of this environment: "${file}"`, {
      exitCode: exitCodes.refused,
      cause,
      hint: "Let the user that runs the engine read the file",
    });
  }
}

/** Returns sentences for the operator. Source: spec api §5.1 (18). */
export function anchorWarnings(anchor: Anchor): readonly string[] {
  const { baseDir, dir } = anchor.loaded.settings.environments;
  const valueFile = valueFileOf(anchor);
  const warnings: string[] = [];
  if (baseDir !== "") {
    const root = resolve(baseDir);
    if (root !== Deno.cwd()) {
      warnings.push(
        `The project root "${root}" is not the working directory "${Deno.cwd()}"; values are read from "${valueFile}"`,
      );
    }
  } else if ([valueFile ?? dir, resolve(dir), resolve("graph")].every(isMissing)) {
    warnings.push(
      `No values found: "${valueFile}" is missing and no project root is set; pass --project-root`,
    );
  }
  // On Windows such a path still depends on the drive the engine was started from.
  if (Deno.build.os === "windows" && /^[/\\](?![/\\])/.test(baseDir)) {
    warnings.push(`[environments] base_dir "${baseDir}" names no drive`);
  }
  return warnings;
}
