/**
 * The runtime's own log of every permission a process asked for, and what of it stands outside a
 * derived set.
 *
 * The runtime writes it where `DENO_AUDIT_PERMISSIONS` says, one JSON object a line, refused
 * requests too. A child that inherits the variable begins the file anew: of a launcher and its
 * engine, the engine's log is what is there. Source: deno facts §2.4.
 */
import { isAbsolute, relative } from "node:path";
import { hostAndPort } from "../../settings/mod.ts";
import { CommandFailure } from "../failure.ts";
import type { Grant } from "./permission_set.ts";

/** One request, granted or refused. */
export interface PermissionRequest {
  readonly permission: string;
  /** null: the whole kind, such as the list of all variables. */
  readonly value: string | null;
}

/** The only form of the log this version of the runtime writes. */
const FORM = 1;

/**
 * Reads a log.
 *
 * @throws {CommandFailure} for a line that is none of it: what cannot be read cannot be vouched for.
 */
export function parsePermissionLog(text: string): readonly PermissionRequest[] {
  return text.split("\n").filter((line) => line !== "").map((line, index) => {
    const { v, permission, value } = parsed(line) ?? {};
    if (
      v === FORM && typeof permission === "string" && (typeof value === "string" || value === null)
    ) {
      return { permission, value: permission === "net" ? addressOf(value) : value };
    }
    throw new CommandFailure(`Line ${index + 1} is not of the runtime's log of permissions`, {
      hint: "Name the file that DENO_AUDIT_PERMISSIONS named when the engine was started",
    });
  });
}

/**
 * What is asked over HTTP is logged by its whole address, which may hold a token: only host and port
 * are looked at and shown.
 */
function addressOf(value: string | null): string | null {
  const url = /^https?:\/\//i.test(value ?? "") ? URL.parse(value ?? "") : null;
  if (url === null) return value;
  const usual = url.protocol === "https:" ? 443 : 80;
  return hostAndPort({ host: url.hostname, port: url.port === "" ? usual : Number(url.port) });
}

function parsed(line: string): Readonly<Record<string, unknown>> | undefined {
  try {
    return JSON.parse(line) ?? undefined;
  } catch {
    return undefined;
  }
}

/** Returns, each once, what was asked for and is not granted: `read /etc/hosts`. */
export function outsideOf(
  grants: readonly Grant[],
  { log, realPathOf }: {
    readonly log: readonly PermissionRequest[];
    readonly realPathOf: (path: string) => string;
  },
): readonly string[] {
  const isGranted = ({ permission, value }: PermissionRequest) => {
    // Listing the variables names none, and the flags hide all but ours.
    if (value === null) return permission === "env";
    const of = (action: Grant["action"]) =>
      grants.filter((grant) => grant.kind === permission && grant.action === action)
        .map((grant) => grant.value);
    if (permission === "env") return value.startsWith("MEFOR_") && of("allow").includes("MEFOR_*");
    if (permission === "net") return of("allow").includes(value) && !of("deny").includes(value);
    // The runtime follows a link without asking again, so what stands behind it must be granted too.
    return [value, realPathOf(value)].every((path) =>
      of("allow").some((root) => isWithin(root, path))
    );
  };
  const outside = log.filter((request) => !isGranted(request));
  return [...new Set(outside.map(({ permission, value }) => `${permission} ${value ?? "(all)"}`))];
}

function isWithin(root: string, path: string): boolean {
  const steps = relative(root, path);
  return isAbsolute(path) && !/^\.\.([/\\]|$)/.test(steps) && !isAbsolute(steps);
}
