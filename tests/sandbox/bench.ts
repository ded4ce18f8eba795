/** Opens a sandbox over a few lines of author code; not a test itself. */
import assert from "node:assert/strict";
import {
  type LoadedSandbox,
  type Registry,
  type RunRequest,
  Sandbox,
  type SandboxOptions,
} from "../../src/sandbox/mod.ts";

/** Short enough for a suite, long enough for a busy machine. */
export const limits = {
  loadTimeoutMs: 5_000,
  batchTimeoutMs: 600,
  messageTimeoutMs: 400,
  graceMs: 2_500,
} as const;

/** Loads `files` (name to source) and returns whatever came of it. */
export async function loadFiles(
  files: Readonly<Record<string, string>>,
  options: Partial<SandboxOptions> = {},
): Promise<LoadedSandbox> {
  return await Sandbox.load({
    graphDir: "graph",
    modules: Object.entries(files).map(([path, source]) => ({ path, source })),
    codeSets: [],
    environment: "test",
    state: [],
    redact: (text) => text,
    ...limits,
    ...options,
  });
}

/** Loads `files`, which must have no problem. */
export async function openSandbox(
  files: Readonly<Record<string, string>>,
  options: Partial<SandboxOptions> = {},
): Promise<Sandbox & { readonly registry: Registry }> {
  const { sandbox, problems } = await loadFiles(files, options);
  assert.deepEqual(problems, []);
  assert.ok(sandbox);
  return sandbox;
}

/**
 * A module with outbound `OB`, router `all` and one handler `h` whose body is `body`; `msg` is the
 * message. `top` stands at the top level.
 */
export function graphOf(body: string, top = ""): Readonly<Record<string, string>> {
  return {
    "main.ts": `
      import * as mf from "messagefoundry";
      import { handler, inbound, mllp, outbound, router, send, setState, state } from "messagefoundry";
      const out = outbound("OB", mllp({ host: "127.0.0.1", port: 1 }));
      ${top}
      const h = handler("h", (msg: any): any => { ${body} });
      const route = router("all", () => h);
      inbound("IB", mllp({ port: 2575 }), { router: route });
    `,
  };
}

export const adt = [
  "MSH|^~\\&|EHR|ACME|LAB|LABCO|20240102030405||ADT^A01^ADT_A01|42|P|2.5.1",
  "EVN|A01|20240102030405",
  "PID|1||123^^^ACME^MR||DOE^JANE||19800101|F",
  "PV1|1|I|2W^201^A",
  "",
].join("\r");

/** A request for router `all` of inbound `IB`. */
export function request(overrides: Partial<RunRequest> = {}): RunRequest {
  return {
    inbound: "IB",
    router: "all",
    text: adt,
    contentType: "hl7v2",
    ingestTime: 1_700_000_000,
    ...overrides,
  };
}

/** The same message with another control ID, for batches. */
export function numbered(controlId: string): string {
  return adt.replace("|42|", `|${controlId}|`);
}
