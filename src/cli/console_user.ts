/**
 * Who stands at the console, as the operating system has it: the audit log is told, and an
 * environment variable could name anybody.
 */

const PASSWD = "/etc/passwd";

/**
 * Returns the name of the user this process runs as, or its number; undefined where neither can be
 * known. `beside`: a path in whose folder this process may make a file.
 */
export function consoleUser(beside: string): string | undefined {
  const uid = ownUid() ?? ownerOfNewFile(`${beside}.console-${Deno.pid}`);
  if (uid === undefined) return undefined;
  return nameOf(uid) ?? `uid ${uid}`;
}

function ownUid(): number | undefined {
  const { state } = Deno.permissions.querySync({ name: "sys", kind: "uid" });
  return state === "granted" ? Deno.uid() ?? undefined : undefined;
}

/** Whoever makes a file owns it: that needs no permission beyond the one to write there. */
function ownerOfNewFile(path: string): number | undefined {
  try {
    using file = Deno.openSync(path, { createNew: true, write: true, mode: 0o600 });
    try {
      return file.statSync().uid ?? undefined;
    } finally {
      Deno.removeSync(path);
    }
  } catch {
    // May not write there, or the file system has no owners: the audit log says "console" alone.
    return undefined;
  }
}

/** Accounts of a directory are not in the file: their number is known all the same. */
function nameOf(uid: number): string | undefined {
  const { state } = Deno.permissions.querySync({ name: "read", path: PASSWD });
  if (state !== "granted") return undefined;
  try {
    const lines = Deno.readTextFileSync(PASSWD).split("\n").map((line) => line.split(":"));
    return lines.find(([, , number]) => number === String(uid))?.[0];
  } catch {
    return undefined;
  }
}
