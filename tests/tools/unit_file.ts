/** Reads a unit file as systemd does, and what strace saw. */
import assert from "node:assert/strict";
import { runTool } from "../connectors/foreign_tool.ts";

/** The words of `ExecStart=`; lines that end in `\` go on. Nothing here is quoted or expanded. */
export function execStart(unit: string): readonly string[] {
  const line = /^ExecStart=(.*)$/m.exec(unit.replaceAll("\\\n", " "))?.[1] ?? "";
  assert.doesNotMatch(line, /["$]|%%/);
  return line.split(/\s+/);
}

/** Calls of the kernel that `SystemCallFilter=` lets through, as this machine's systemd has it. */
export async function allowedCalls(unit: string): Promise<ReadonlySet<string>> {
  const allowed = new Set<string>();
  for (const [, filter = ""] of unit.matchAll(/^SystemCallFilter=(.*)$/gm)) {
    const isDenial = filter.startsWith("~");
    for (const name of filter.replace("~", "").split(" ")) {
      for (const call of await callsOf(name)) {
        if (isDenial) allowed.delete(call);
        else allowed.add(call);
      }
    }
  }
  assert.ok(allowed.size > 100, "the filter lets next to nothing through");
  return allowed;
}

async function callsOf(name: string): Promise<readonly string[]> {
  if (!name.startsWith("@")) return [name];
  const text = await runTool("systemd-analyze", ["syscall-filter", "--no-pager", name]);
  const inner = text.split("\n").slice(1).map((line) => line.trim())
    .filter((line) => line !== "" && !line.startsWith("#"));
  return (await Promise.all(inner.map(callsOf))).flat();
}

/** Calls in an output file of `strace -f`: `123 openat(AT_FDCWD, …`. */
export async function tracedCalls(path: string): Promise<ReadonlySet<string>> {
  const text = await Deno.readTextFile(path);
  const calls = new Set([...text.matchAll(/^\d+ +(\w+)\(/gm)].map(([, call = ""]) => call));
  assert.ok(calls.has("mprotect") && calls.has("accept4") || calls.has("listen"), "nothing traced");
  return calls;
}
