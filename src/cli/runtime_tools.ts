/**
 * The runtime's own type checker and linter, run over the modules of a bundle.
 *
 * They are programs of their own, so they need the permission to run the runtime; without it they
 * are skipped. The program's `deno.json` tells them what "messagefoundry" is.
 */
import { dirname, relative, resolve } from "node:path";
import { fileURLToPath, pathToFileURL } from "node:url";
import { isMissing } from "./paths.ts";

/** A place in the author's text that a tool has something to say about. */
export interface Diagnostic {
  readonly message: string;
  /** Relative to the bundle, with `/`. */
  readonly file: string | null;
  /** Count from 1. */
  readonly line: number | null;
  readonly column: number | null;
}

export type ToolResult =
  | { readonly ran: true; readonly diagnostics: readonly Diagnostic[] }
  | { readonly ran: false; readonly reason: string };

/** How long a tool may take, in milliseconds. Source: spec connectors-and-graph §6.3. */
const TOOL_LIMIT_MS = 120_000;

/** Checks the types of every module of `<bundle>/graph`. */
export async function checkTypes(bundleDir: string): Promise<ToolResult> {
  const run = await runTool(["check", "--quiet"], bundleDir);
  if (!("output" in run)) return run;
  if (run.output.success) return { ran: true, diagnostics: [] };
  const text = new TextDecoder().decode(run.output.stderr);
  const diagnostics = typeDiagnostics(text, bundleDir);
  if (diagnostics.length > 0) return { ran: true, diagnostics };
  const reason = /^error: (.+)$/m.exec(text)?.[1] ?? "the type checker failed";
  return { ran: true, diagnostics: [{ message: reason, file: null, line: null, column: null }] };
}

/** Reads what `deno check` wrote: `TS2322 [ERROR]: …`, source lines, `at file:///…:2:7`. */
export function typeDiagnostics(text: string, bundleDir: string): readonly Diagnostic[] {
  const found: Diagnostic[] = [];
  const pattern = /^(TS\d+) \[ERROR\]: (.+)\n(?:(?!TS\d+ \[ERROR\]).*\n)*? +at (\S+):(\d+):(\d+)/gm;
  for (const [, code, message, url, line, column] of text.matchAll(pattern)) {
    found.push({
      message: `${message} (${code})`,
      file: shownPath(url ?? "", bundleDir),
      line: Number(line),
      column: Number(column),
    });
  }
  return found;
}

/** Lints every module of `<bundle>/graph`. */
export async function lint(bundleDir: string): Promise<ToolResult> {
  const run = await runTool(["lint", "--json"], bundleDir);
  if (!("output" in run)) return run;
  const { diagnostics, errors } = JSON.parse(new TextDecoder().decode(run.output.stdout)) as {
    diagnostics: readonly LintDiagnostic[];
    errors: readonly { file_path: string; message: string }[];
  };
  return {
    ran: true,
    diagnostics: [
      ...diagnostics.map(({ filename, range, message, code }) => ({
        message: `${message} (${code})`,
        file: shownPath(filename, bundleDir),
        line: range.start.line,
        // The linter counts columns from 0.
        column: range.start.col + 1,
      })),
      ...errors.map(({ file_path, message }) => ({
        message: message.split("\n")[0] ?? message,
        file: shownPath(pathToFileURL(file_path).href, bundleDir),
        line: null,
        column: null,
      })),
    ],
  };
}

interface LintDiagnostic {
  readonly filename: string;
  readonly range: { readonly start: { readonly line: number; readonly col: number } };
  readonly message: string;
  readonly code: string;
}

/** Writes a diagnostic as editors and people know it: `graph/adt.ts:3:7: …`. */
export function diagnosticText({ message, file, line, column }: Diagnostic): string {
  if (file === null) return message;
  const place = [file, line, column].filter((part) => part !== null).join(":");
  return `${place}: ${message}`;
}

async function runTool(
  args: readonly string[],
  bundleDir: string,
): Promise<{ readonly output: Deno.CommandOutput } | Extract<ToolResult, { ran: false }>> {
  const descriptor = { name: "run", command: Deno.execPath() } as const;
  if (Deno.permissions.querySync(descriptor).state !== "granted") {
    return { ran: false, reason: "this process may not run the runtime" };
  }
  const files = await modulesOf(bundleDir);
  if (files.length === 0) return { ran: false, reason: "no modules" };
  const config = resolve(dirname(fileURLToPath(Deno.mainModule)), "deno.json");
  const known = isMissing(config) ? [] : ["--config", config];
  const signal = AbortSignal.timeout(TOOL_LIMIT_MS);
  const command = new Deno.Command(Deno.execPath(), {
    args: [...args, ...known, ...files],
    env: { NO_COLOR: "1", DENO_NO_UPDATE_CHECK: "1" },
    stdin: "null",
    signal,
  });
  const output = await command.output();
  if (signal.aborted) return { ran: false, reason: `took longer than ${TOOL_LIMIT_MS / 1000} s` };
  return { output };
}

async function modulesOf(bundleDir: string): Promise<readonly string[]> {
  const graphDir = resolve(bundleDir, "graph");
  if (isMissing(graphDir)) return [];
  const files: string[] = [];
  try {
    for await (const { name, isFile } of Deno.readDir(graphDir)) {
      if (isFile && /\.(ts|mts|js)$/.test(name)) files.push(resolve(graphDir, name));
    }
  } catch {
    // Why it cannot be read, the reader of the bundle has said.
    return [];
  }
  return files.sort();
}

function shownPath(url: string, bundleDir: string): string {
  if (!url.startsWith("file:")) return url;
  const path = relative(resolve(bundleDir), fileURLToPath(url)).replaceAll("\\", "/");
  return path.startsWith("..") ? fileURLToPath(url) : path;
}
