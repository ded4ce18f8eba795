/**
 * Where a command looks: the bundle, the service settings, the values of the environment.
 *
 * `--project-root` anchors relative `--config` and `--service-config` and the folder of value
 * files; without it they count from the working directory. Source: A `[environments]`; spec api §5.
 */
import { resolve } from "node:path";
import type { LoadedSettings, SettingsInput } from "../settings/mod.ts";

/** Options that every command with an anchor takes. */
export interface AnchorOptions {
  readonly config: string;
  readonly projectRoot?: string;
  readonly env?: string;
  readonly serviceConfig?: string;
}

export interface Anchor {
  /** Absolute; undefined when none was named. */
  readonly projectRoot: string | undefined;
  /** Absolute. */
  readonly bundleDir: string;
  /** Absolute path of the settings file that was read; undefined when there is none. */
  readonly serviceFile: string | undefined;
  readonly loaded: LoadedSettings;
}

export interface AnchorInput {
  readonly options: AnchorOptions;
  readonly env: Readonly<Record<string, string | undefined>>;
  /** Further settings by `"section.key"`. */
  readonly flags?: Readonly<Record<string, unknown>>;
}

const SERVICE_FILE = "messagefoundry.toml";

/**
 * Finds and loads the service settings.
 *
 * @throws {SettingsError} they cannot be used, or the file cannot be read.
 */
export async function findAnchor({ options, env, flags = {} }: AnchorInput): Promise<Anchor> {
  const { loadSettings } = await import("../settings/mod.ts");
  const projectRoot = options.projectRoot === undefined ? undefined : resolve(options.projectRoot);
  const base = projectRoot ?? ".";
  const file = await readServiceFile(base, options.serviceConfig);
  const loaded = loadSettings({
    env,
    file,
    flags: { ...flags, "ai.environment": options.env, "environments.base_dir": projectRoot },
  });
  return {
    projectRoot,
    bundleDir: resolve(base, options.config),
    serviceFile: file && resolve(base, options.serviceConfig ?? SERVICE_FILE),
    loaded: anchorStore(loaded),
  };
}

/** Returns undefined when no file was named and none is there. */
async function readServiceFile(
  base: string,
  named: string | undefined,
): Promise<SettingsInput["file"]> {
  const file = { path: named ?? SERVICE_FILE };
  const path = resolve(base, file.path);
  try {
    return { ...file, text: await Deno.readTextFile(path) };
  } catch (cause) {
    const isMissing = cause instanceof Deno.errors.NotFound;
    if (isMissing && named === undefined) return undefined;
    const fault = isMissing ? `no file "${path}"` : readFault(cause);
    return { ...file, fault: `Cannot read the settings file: ${fault}` };
  }
}

function readFault(cause: unknown): string {
  if (cause instanceof Deno.errors.PermissionDenied) return "the operating system refuses it";
  if (cause instanceof Deno.errors.NotCapable) return "this process may not read it";
  if (cause instanceof Deno.errors.IsADirectory) return "it is a directory";
  return "it cannot be read";
}

/** The store's path counts from `[engine] data_dir`; a flag counts from where the operator stands. */
function anchorStore(loaded: LoadedSettings): LoadedSettings {
  const { settings, sources } = loaded;
  const base = sources["store.path"] === "flag" ? "." : settings.engine.dataDir;
  const path = resolve(base, settings.store.path);
  return { ...loaded, settings: { ...settings, store: { ...settings.store, path } } };
}
