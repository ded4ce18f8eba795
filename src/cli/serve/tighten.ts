/**
 * What of an instance's permissions could be narrower than it is, and how. Pure.
 *
 * Upstream: settings, the resolved graph, the grants derived from both. Downstream:
 * `messagefoundry permissions --tighten`. What the graph reaches today is taken as right: whoever
 * pastes the lists pins it.
 */
import { isIP } from "node:net";
import { dirname, parse, relative } from "node:path";
import { hostAndPort, parseHostEntry, plainHost, type Settings } from "../../settings/mod.ts";
import type { Grant, InstancePaths } from "./permission_set.ts";

/** What one connection reaches; the shape of `connectors`' own `Reach`. */
export type ListedReach =
  | { readonly kind: "net"; readonly list: string; readonly host: string; readonly port: number }
  | { readonly kind: "path"; readonly list: string; readonly path: string };

export interface TightenInput {
  readonly settings: Settings;
  readonly grants: readonly Grant[];
  readonly paths: InstancePaths;
  /** Everything the graph reaches. */
  readonly reaches: readonly ListedReach[];
  /** Returns the real path of what exists of an absolute path. */
  readonly realPathOf: (path: string) => string;
}

export interface Tightening {
  /** A setting, or a permission. */
  readonly subject: string;
  readonly problem: string;
  readonly advice: string;
}

export interface Tightened {
  readonly findings: readonly Tightening[];
  /** An `[egress]` table that allows what the graph reaches and nothing else; undefined: it is there. */
  readonly egress: string | undefined;
}

/** Each list of `[egress]`, in the order of the settings' reference. */
const LISTS = [
  ["allowed_mllp", "allowedMllp"],
  ["allowed_tcp", "allowedTcp"],
  ["allowed_file_dirs", "allowedFileDirs"],
  ["allowed_http", "allowedHttp"],
  ["allowed_db", "allowedDb"],
  ["allowed_remote", "allowedRemote"],
  ["allowed_smtp", "allowedSmtp"],
] as const satisfies readonly (readonly [string, keyof Settings["egress"]])[];

/** Finds everything that could be narrower. */
export function tighten(input: TightenInput): Tightened {
  const inEgress = egressFindings(input);
  return {
    findings: [...inEgress, ...nameFindings(input), ...pathFindings(input)],
    egress: inEgress.length === 0 ? undefined : egressTable(input),
  };
}

function egressFindings(input: TightenInput): readonly Tightening[] {
  const { egress } = input.settings;
  const found: Tightening[] = [];
  if (!egress.denyByDefault) {
    found.push({
      subject: "[egress] deny_by_default",
      problem: "is off: where a list is empty, a connection of its kind may go anywhere",
      advice: "Set it to true",
    });
  }
  for (const [list, property] of LISTS) {
    const needed = neededOf(input, list);
    const entries = egress[property];
    if (entries.length === 0 && needed.size > 0) {
      found.push({
        subject: `[egress] ${list}`,
        problem: "is empty, and so allows whatever the graph names next",
        advice: "Name what the graph reaches, as the [egress] given here does",
      });
    }
    for (const [index, entry] of entries.entries()) {
      const problem = list === "allowed_file_dirs"
        ? directoryProblem(entry, {
          needed,
          absolute: input.paths.egressDirs[index] ?? entry,
          realPathOf: input.realPathOf,
        })
        : hostProblem(entry, needed);
      if (problem === undefined) continue;
      const advice = needed.size === 0
        ? "Take it out"
        : "Name what the graph reaches, as the [egress] given here does";
      found.push({ subject: `[egress] ${list}`, problem, advice });
    }
  }
  return found;
}

/** The narrowest entries of one list that let the graph as it is through. */
function neededOf({ reaches, realPathOf }: TightenInput, list: string): ReadonlySet<string> {
  const needed = reaches.filter((reach) => reach.list === list).map((reach) => {
    if (reach.kind === "path") return realPathOf(reach.path);
    const { host } = parseHostEntry(reach.host) ?? reach;
    return hostAndPort({ host, port: reach.port });
  });
  return new Set(needed.sort());
}

function hostProblem(entry: string, needed: ReadonlySet<string>): string | undefined {
  const { host, port } = parseHostEntry(entry) ?? { host: entry, port: undefined };
  if (port !== undefined) {
    return needed.has(hostAndPort({ host, port }))
      ? undefined
      : `allows "${entry}", where no connection of this environment goes`;
  }
  const isReached = [...needed].some((target) => parseHostEntry(target)?.host === host);
  return isReached
    ? `allows every port of "${entry}"`
    : `allows "${entry}", where no connection of this environment goes`;
}

function directoryProblem(
  entry: string,
  { needed, absolute, realPathOf }: {
    readonly needed: ReadonlySet<string>;
    readonly absolute: string;
    readonly realPathOf: TightenInput["realPathOf"];
  },
): string | undefined {
  const real = realPathOf(absolute);
  if (needed.has(real)) {
    return real === absolute
      ? undefined
      : `names "${entry}", which is a link: the engine may read it, to see where it leads`;
  }
  return [...needed].some((directory) => isBelow(real, directory))
    ? `allows all of "${entry}", of which the graph uses a part`
    : `allows "${entry}", where no connection of this environment writes`;
}

function egressTable(input: TightenInput): string {
  const lines = ["[egress]", "deny_by_default = true"];
  for (const [list] of LISTS) {
    const needed = [...neededOf(input, list)];
    // JSON's strings are TOML's.
    if (needed.length > 0) {
      lines.push(`${list} = [${needed.map((one) => JSON.stringify(one)).join(", ")}]`);
    }
  }
  return lines.join("\n");
}

/** Whoever answers for a name decides where it leads. */
function nameFindings({ grants }: TightenInput): readonly Tightening[] {
  return grants.filter(({ kind, action }) => kind === "net" && action === "allow").flatMap(
    ({ value, reason }) => {
      const host = plainHost(value.slice(0, value.lastIndexOf(":")));
      if (isIP(host) === 0) {
        return [{
          subject: `--allow-net=${value}`,
          problem: `grants a name (${reason}): whoever answers for it decides where it leads`,
          advice: "Write its address, or see that its DNS can be trusted",
        }];
      }
      if (!isEveryInterface(host) || value.endsWith(":0")) return [];
      return [{
        subject: `--allow-net=${value}`,
        problem: `listens on every interface of this machine (${reason})`,
        advice: "Name the interface that the partners come in by",
      }];
    },
  );
}

function isEveryInterface(host: string): boolean {
  return host === "0.0.0.0" || host === "::";
}

function pathFindings(
  { settings, grants, paths, realPathOf }: TightenInput,
): readonly Tightening[] {
  const found: Tightening[] = [];
  if (paths.missingStoreDir !== undefined) {
    found.push({
      subject: `--allow-write=${paths.missingStoreDir}`,
      problem: "grants the whole folder of the store, for the engine has to make it",
      advice: "Make it, owned by the engine's user and mode 700: then the store's files are enough",
    });
  }
  const bundle = realPathOf(paths.bundleDir);
  const data = [
    ["the store", realPathOf(dirname(settings.store.path))] as const,
    ...grants.filter(({ kind }) => kind === "write")
      .filter(({ reason }) => /^(inbound|outbound) "/.test(reason))
      .map(({ value, reason }) => [reason, realPathOf(value)] as const),
  ];
  for (const [what, path] of uniqueBy(data)) {
    if (path !== bundle && !isBelow(bundle, path)) continue;
    found.push({
      subject: `--allow-read=${paths.bundleDir}`,
      problem: `the bundle may be read as a whole, and data lie in it: ${what} at "${path}"`,
      advice: "Keep data in a folder of their own",
    });
  }
  for (const { kind, action, value, reason } of grants) {
    if (action !== "allow" || (kind !== "read" && kind !== "write") || !isBroad(value)) continue;
    found.push({
      subject: `--allow-${kind}=${value}`,
      problem: `grants a folder of the system as a whole (${reason})`,
      advice: "Name a folder of its own below it",
    });
  }
  return found;
}

/** A root, or a folder right below one. */
function isBroad(path: string): boolean {
  return dirname(path) === parse(path).root;
}

function isBelow(root: string, path: string): boolean {
  const steps = relative(root, path);
  return steps !== "" && !/^\.\.([/\\]|$)/.test(steps) && parse(steps).root === "";
}

/** One line for each path: the second name of a link is the same folder. */
function uniqueBy(data: readonly (readonly [string, string])[]) {
  const byPath = new Map<string, readonly [string, string]>();
  for (const one of data) if (!byPath.has(one[1])) byPath.set(one[1], one);
  return [...byPath.values()];
}
