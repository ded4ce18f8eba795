/**
 * Whether the files of a bundle may be believed: nobody else can write them, none leads outside.
 *
 * Author code decides where patient data goes, so whoever can write a module can send it anywhere.
 * Source: spec connectors-and-graph §4.1 (2); grants follow symbolic links, deno facts §2.2.
 */
import { isAbsolute, relative } from "node:path";

export interface TrustOptions {
  /** Whom files may belong to, beside root. Undefined: the owner of the bundle directory. */
  readonly uid: number | undefined;
}

/** Returns why a file or directory is not trusted, or undefined. */
export function distrust(info: Deno.FileInfo, { uid }: TrustOptions): string | undefined {
  // Windows reports neither; access there is a matter of inherited lists we cannot read.
  const mode = info.mode ?? 0;
  const kind = info.isDirectory ? "directory" : "file";
  if ((mode & 0o002) !== 0) return `the ${kind} is writable by everyone`;
  if ((mode & 0o020) !== 0) return `the ${kind} is writable by its group`;
  const owner = info.uid;
  if (owner !== null && owner !== 0 && uid !== undefined && owner !== uid) {
    return `the ${kind} belongs to another user`;
  }
  return undefined;
}

/** Returns the user this process runs as, or undefined where it may not ask. */
export function ownUid(): number | undefined {
  const { state } = Deno.permissions.querySync({ name: "sys", kind: "uid" });
  return state === "granted" ? Deno.uid() ?? undefined : undefined;
}

/** True when `path` is `root` or lies below it; both are real, absolute paths. */
export function isWithin(root: string, path: string): boolean {
  const steps = relative(root, path);
  return steps === "" || (!/^\.\.([/\\]|$)/.test(steps) && !isAbsolute(steps));
}
