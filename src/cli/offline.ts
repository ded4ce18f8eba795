/**
 * What the offline commands share: they look at a bundle and print, and open no socket and no store.
 *
 * An error goes to standard output, as `{"error":…}` with `--json`: editors parse standard output
 * whatever the exit code is. Source: spec api §5.
 */
import { errorText } from "../errors.ts";
import type { DeclaredBundle, GraphSandbox } from "../graph/mod.ts";
import { type Anchor, type AnchorOptions, findAnchor } from "./anchor.ts";
import type { CliContext } from "./context.ts";
import { CommandFailure, exitCodes, hintOf, tellError } from "./failure.ts";

export interface OfflineOptions extends AnchorOptions {
  readonly json?: boolean;
}

/** Runs an offline command; whatever it throws becomes its output. */
export async function offline(
  { terminal, isDebug }: CliContext,
  json: boolean | undefined,
  run: () => Promise<number>,
): Promise<number> {
  try {
    return await run();
  } catch (thrown) {
    const exitCode = thrown instanceof CommandFailure ? thrown.exitCode : exitCodes.failed;
    if (exitCode === exitCodes.refused) tellError(terminal, thrown, isDebug);
    else if (json === true) terminal.out(JSON.stringify({ error: errorText(thrown) }));
    else {
      terminal.out(`${terminal.style("bad", "error:")} ${errorText(thrown)}`);
      const hint = hintOf(thrown);
      if (hint !== undefined) terminal.out(`${terminal.style("quiet", "hint:")} ${hint}`);
      if (isDebug && thrown instanceof Error) terminal.err(thrown.stack ?? "");
    }
    return exitCode;
  }
}

/** Prints one value: a compact line with `--json`, indented by two otherwise. */
export function printJson(
  { terminal }: CliContext,
  value: unknown,
  json: boolean | undefined,
): void {
  terminal.out(JSON.stringify(value, null, json === true ? undefined : 2));
}

export interface OpenedBundle extends Disposable {
  readonly anchor: Anchor;
  readonly declared: DeclaredBundle<GraphSandbox>;
}

/**
 * Reads a bundle and runs its modules, without resolving values.
 *
 * @throws {CommandFailure} exit code 2 when root and environment are named, the graph uses `env()`,
 * and the file of its values is not there.
 */
export async function openBundle(
  { options, env = {} }: { readonly options: OfflineOptions; readonly env: CliContext["env"] },
): Promise<OpenedBundle> {
  const { declareBundle, evaluateInSandbox } = await import("../graph/mod.ts");
  const anchor = await findAnchor({ options, env });
  const declared = await declareBundle({
    bundleDir: anchor.bundleDir,
    environment: options.env,
    env,
    evaluate: evaluateInSandbox({ fillReferences: true }),
  });
  const close = () => declared.sandbox?.[Symbol.dispose]();
  try {
    await requireValues(anchor, { options, declared });
  } catch (thrown) {
    close();
    throw thrown;
  }
  return { anchor, declared, [Symbol.dispose]: close };
}

/** @throws {BundleError} when the bundle has errors. */
export async function requireSound({ anchor, declared }: OpenedBundle): Promise<void> {
  const { BundleError } = await import("../graph/mod.ts");
  if (!declared.problems.some(({ severity }) => severity === "error")) return;
  throw new BundleError(anchor.bundleDir, declared.problems);
}

async function requireValues(
  anchor: Anchor,
  { options, declared }: { options: OfflineOptions; declared: DeclaredBundle<GraphSandbox> },
): Promise<void> {
  if (options.projectRoot === undefined || options.env === undefined) return;
  const { valueFileOf } = await import("./value_file.ts");
  const { isMissing } = await import("./paths.ts");
  const { isReference } = await import("../graph/resolve.ts");
  const file = valueFileOf(anchor);
  const { inbounds = [], outbounds = [] } = declared.declared ?? {};
  const usesValues = [...inbounds, ...outbounds].some(({ settings }) =>
    Object.values(settings).some(isReference)
  );
  if (!usesValues || file === undefined || !isMissing(file)) return;
  throw new CommandFailure(`Cannot find the values of environment "${options.env}": no "${file}"`, {
    exitCode: exitCodes.refused,
    hint: "Create the file, or name the folder above environments/ with --project-root",
  });
}
