/**
 * What a unit file and a container file have in common: the engine's command line, and the folders
 * and addresses it lives on. Both are written for the machine and the paths they are written on.
 */
import { dirname, extname, resolve } from "node:path";
import { fileURLToPath } from "node:url";
import type { Settings } from "../../settings/mod.ts";
import type { ServeOptions } from "./options.ts";
import type { Grant } from "./permission_set.ts";

export interface Deployment {
  /** The program that runs the engine, and the module it runs. */
  readonly runtime: string;
  readonly main: string;
  /** Folder of the unpacked archive; undefined for a checkout. */
  readonly programDir: string | undefined;
  /** Relative paths of settings and arguments count from here. */
  readonly workDir: string;
  /** Arguments of `serve`. */
  readonly args: readonly string[];
  readonly flags: readonly string[];
  readonly grants: readonly Grant[];
  /** Folders the engine writes into, each once, none inside another. */
  readonly writableDirs: readonly string[];
  /** Seconds a stop may take. */
  readonly stopSeconds: number;
  readonly environment: string | undefined;
  readonly api: { readonly host: string; readonly port: number };
  /** How a service manager runs it; log files are absolute. */
  readonly service: {
    readonly name: string;
    readonly autoRestart: boolean;
    readonly stdoutLog: string | undefined;
    readonly stderrLog: string | undefined;
  };
}

export interface DeploymentInput {
  readonly settings: Settings;
  readonly options: ServeOptions;
  readonly grants: readonly Grant[];
  readonly flags: readonly string[];
}

/** What follows the engine's own time limit until the manager ends it. */
const STOP_MARGIN_SECONDS = 15;

/** Looks at this process: it is the program that will run, from the place it will run in. */
export function deploymentOf({ settings, options, grants, flags }: DeploymentInput): Deployment {
  const main = fileURLToPath(Deno.mainModule);
  return {
    runtime: Deno.execPath(),
    main,
    programDir: extname(main) === ".js" ? dirname(dirname(main)) : undefined,
    workDir: Deno.cwd(),
    args: argumentsOf(options),
    flags,
    grants,
    writableDirs: writableDirsOf(grants, isFolder),
    stopSeconds: Math.ceil(settings.engine.shutdownTimeoutMs / 1000) + STOP_MARGIN_SECONDS,
    environment: settings.ai.environment,
    api: { host: settings.api.host, port: settings.api.port },
    service: serviceOf(settings.service),
  };
}

function serviceOf(
  { name = "messagefoundry", autoRestart, stdoutLog, stderrLog }: Settings["service"],
): Deployment["service"] {
  const absolute = (file: string | undefined) => file === undefined ? undefined : resolve(file);
  return { name, autoRestart, stdoutLog: absolute(stdoutLog), stderrLog: absolute(stderrLog) };
}

/** The command line, a word an entry: the same for whoever starts the engine. */
export function commandOf({ runtime, flags, main, args }: Deployment): readonly string[] {
  return [runtime, "run", "--quiet", ...flags, main, "serve", "--engine", ...args];
}

/** Returns the options as they were given; what was not given is not repeated. */
function argumentsOf(options: ServeOptions): readonly string[] {
  const { config, projectRoot, env, serviceConfig, db, host, port } = options;
  const named = {
    "--config": config === "." ? undefined : config,
    "--project-root": projectRoot,
    "--env": env,
    "--service-config": serviceConfig,
    "--db": db,
    "--host": host,
    "--port": port,
  };
  const args = Object.entries(named).flatMap(([name, value]) =>
    value === undefined ? [] : [name, value]
  );
  return options.allowInsecureBind ? [...args, "--allow-insecure-bind"] : args;
}

/**
 * Returns the folders behind the write grants. A grant on a file asks for its folder: the files
 * beside the store come and go, and a file that is not there cannot be opened up.
 */
export function writableDirsOf(
  grants: readonly Grant[],
  isFolder: (path: string) => boolean | undefined,
): readonly string[] {
  const dirs = new Set<string>();
  for (const { kind, action, value, reason } of grants) {
    if (kind !== "write" || action !== "allow") continue;
    const isFile = isFolder(value) === false || reason === "[store] path";
    dirs.add(isFile ? dirname(value) : value);
  }
  const all = [...dirs].sort();
  return all.filter((dir) => !all.some((other) => dir.startsWith(`${other}/`)));
}

/** Undefined where nothing is. */
function isFolder(path: string): boolean | undefined {
  try {
    return Deno.statSync(path).isDirectory;
  } catch {
    return undefined;
  }
}

/** True for the grant of a socket that partners come to; their addresses it does not name. */
export function isListener({ reason }: Grant): boolean {
  return reason.split("; ").some((one) => /^(inbound "|\[api\] host)/.test(one));
}

/** `10.4.0.12:2575`, `[::1]:2575` or `host` as address and port. */
export function addressOf({ value }: Grant): { readonly host: string; readonly port?: number } {
  const [, v6, plain, port] = /^(?:\[(.+)\]|([^:]+))(?::(\d+))?$/.exec(value) ?? [];
  const host = v6 ?? plain ?? value;
  return port === undefined ? { host } : { host, port: Number(port) };
}
