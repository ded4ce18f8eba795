/**
 * An edit of a bundle: tried on the whole bundle first, and written only when that is sound with it.
 *
 * With an environment the values, the allow-lists of `[egress]` and the ports count too, as they do
 * when the engine loads the bundle. A running engine takes the edit at its next reload.
 */
import { dirname, join } from "node:path";
import { errorText } from "../errors.ts";
import type { BundleEdit } from "../graph/mod.ts";
import type { Anchor } from "./anchor.ts";
import type { CliContext } from "./context.ts";
import { CommandFailure } from "./failure.ts";
import { realPathOf } from "./paths.ts";
import { replaceFile } from "./replace_file.ts";

export interface EditPlace {
  readonly anchor: Anchor;
  readonly env: NonNullable<CliContext["env"]>;
}

/** Mode of a new file: the engine may run as another user than whoever edits. */
const MODE = 0o644;

/**
 * Makes the edit.
 *
 * @throws {CommandFailure} the bundle would not be sound, and nothing is written; or a file cannot be
 * written.
 */
export async function makeEdit(place: EditPlace, edit: BundleEdit): Promise<void> {
  try {
    await requireSoundWith(place, edit);
  } catch (cause) {
    throw new CommandFailure(errorText(cause), { cause, hint: "Nothing is written" });
  }
  const { bundleDir } = place.anchor;
  for (const [path, text] of edit) {
    const file = realPathOf(join(bundleDir, path));
    if (text === undefined) await removeFile(file);
    else {
      await Deno.mkdir(dirname(file), { recursive: true });
      await replaceFile(file, text, MODE);
    }
  }
}

/** The text of a file of the bundle; undefined when it is not there. */
export async function textIn({ anchor }: EditPlace, path: string): Promise<string | undefined> {
  try {
    return await Deno.readTextFile(join(anchor.bundleDir, path));
  } catch (cause) {
    if (cause instanceof Deno.errors.NotFound) return undefined;
    throw new CommandFailure(`Cannot read "${path}" of the bundle`, { cause });
  }
}

async function requireSoundWith(
  { anchor: { bundleDir, loaded }, env }: EditPlace,
  edit: BundleEdit,
): Promise<void> {
  const { BundleError, declareBundle, evaluateInSandbox, loadGraph } = await import(
    "../graph/mod.ts"
  );
  const { settings } = loaded;
  const { environment } = settings.ai;
  const options = { bundleDir, environment, env, evaluate: evaluateInSandbox(), edit };
  if (environment === undefined) {
    const { sandbox, problems } = await declareBundle(options);
    sandbox?.[Symbol.dispose]();
    if (!problems.some(({ severity }) => severity === "error")) return;
    throw new BundleError(bundleDir, problems);
  }
  const { reachOf } = await import("./reach.ts");
  const { sandbox } = await loadGraph({ ...options, settings, reachOf });
  sandbox[Symbol.dispose]();
}

async function removeFile(file: string): Promise<void> {
  try {
    await Deno.remove(file);
  } catch (cause) {
    throw new CommandFailure(`Cannot remove "${file}"`, { cause });
  }
}
