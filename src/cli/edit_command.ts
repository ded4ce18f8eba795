/** What the commands that edit a bundle share: acts by name, an anchor, JSON on standard output. */
import type { AnchorOptions } from "./anchor.ts";
import type { EditPlace } from "./bundle_edit.ts";
import type { CliContext } from "./context.ts";
import { CommandFailure, exitCodes } from "./failure.ts";
import { offline, printJson } from "./offline.ts";

export interface EditOptions extends AnchorOptions {
  readonly name?: string;
  readonly to?: string;
  readonly data?: string;
  readonly json?: boolean;
}

export interface Edit extends EditPlace {
  readonly options: EditOptions;
}

export type EditActs = Readonly<Record<string, (edit: Edit) => Promise<unknown>>>;

/** Acts that change nothing, and wait for nobody. */
const LOOKS: ReadonlySet<string> = new Set(["list", "show"]);

/** Runs one act and prints what it returns; what it throws becomes the output. */
export function runEdit(
  context: CliContext,
  { options, act, acts, what }: {
    readonly options: EditOptions;
    readonly act: string;
    readonly acts: () => Promise<EditActs>;
    /** What is acted on, for the operator: `connections`. */
    readonly what: string;
  },
): Promise<number> {
  return offline(context, options.json, async () => {
    const known = await acts();
    const run = chosenAct(known, act, what);
    const env = context.env ?? {};
    const { findAnchor } = await import("./anchor.ts");
    const anchor = await findAnchor({ options, env });
    const { lockFolder } = await import("./edit_lock.ts");
    using _lock = LOOKS.has(act) ? undefined : await lockFolder(anchor.bundleDir);
    printJson(context, await run({ anchor, env, options }), options.json);
    return exitCodes.ok;
  });
}

/** @throws {CommandFailure} there is no such act. */
export function chosenAct<Run>(
  acts: Readonly<Record<string, Run>>,
  act: string,
  what: string,
): Run {
  const run = Object.hasOwn(acts, act) ? acts[act] : undefined;
  if (run !== undefined) return run;
  // An editor that knows more acts than we do looks for "invalid choice". Source: spec api §9.2.
  throw new CommandFailure(`No act "${act}" on ${what}: invalid choice`, {
    exitCode: exitCodes.refused,
    hint: `There are: ${Object.keys(acts).join(", ")}`,
  });
}

/** For acts that need a bundle. */
export function noBundle({ anchor: { bundleDir } }: Edit): CommandFailure {
  return new CommandFailure(`There is no bundle "${bundleDir}"`, {
    hint: "Name its directory with --config",
  });
}

/** The name an act is about. @throws {CommandFailure} none was given. */
export function requireName({ options: { name } }: Edit, what: string): string {
  if (name !== undefined && name !== "") return name;
  throw new CommandFailure(`Which ${what}? Name it with --name`, {});
}
