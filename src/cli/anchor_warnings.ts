/** Where the values come from, and what looks wrong about it. Source: spec api §5.1 (18). */
import { resolve } from "node:path";
import { environmentsDir } from "../graph/mod.ts";
import type { Anchor } from "./anchor.ts";

/** Returns the value file of the active environment, whether it exists or not. */
export function valueFileOf({ loaded: { settings } }: Anchor): string | undefined {
  const { environment } = settings.ai;
  if (environment === undefined) return undefined;
  return resolve(environmentsDir(settings.environments), `${environment}.toml`);
}

/** Returns sentences for the operator; nothing when all is as it looks. */
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
  } else if (!exists(valueFile) && !exists(resolve(dir)) && !exists(resolve("graph"))) {
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

function exists(path: string | undefined): boolean {
  if (path === undefined) return false;
  try {
    Deno.statSync(path);
    return true;
  } catch {
    // Not there, or out of bounds for this process.
    return false;
  }
}
