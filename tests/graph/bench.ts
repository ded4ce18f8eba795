/** What the tests of this room share: bundles on disk, and a stand-in for the sandbox. */
import { dirname } from "node:path";
import type { Evaluate, EvaluateInput, LoadOptions } from "../../src/graph/mod.ts";
import type { DeclaredConnection, LoadProblem, Registry } from "../../src/sandbox/protocol.ts";
import { loadSettings } from "../../src/settings/mod.ts";

/** A directory of files that is gone afterwards. */
export interface BundleDir extends AsyncDisposable {
  readonly dir: string;
  write(path: string, text: string | Uint8Array): Promise<void>;
}

export async function openBundle(files: Readonly<Record<string, string>>): Promise<BundleDir> {
  const dir = await Deno.realPath(await Deno.makeTempDir({ prefix: "mefor_bundle_" }));
  await Deno.chmod(dir, 0o755);
  const bundle: BundleDir = {
    dir,
    async write(path, text) {
      const target = `${dir}/${path}`;
      await Deno.mkdir(dirname(target), { recursive: true, mode: 0o755 });
      await Deno.writeFile(
        target,
        typeof text === "string" ? new TextEncoder().encode(text) : text,
      );
      await Deno.chmod(target, 0o644);
    },
    async [Symbol.asyncDispose]() {
      await Deno.remove(dir, { recursive: true });
    },
  };
  for (const [path, text] of Object.entries(files)) await bundle.write(path, text);
  return bundle;
}

export function connection(
  name: string,
  type: string,
  rest: Partial<DeclaredConnection> = {},
): DeclaredConnection {
  const position = { file: "graph/adt.ts", line: 1 };
  return { name, type, settings: {}, options: {}, position, ...rest };
}

const noTables = { codeSets: [], references: [], referencesRead: [], readsResponses: false };

export function registryOf(parts: Partial<Registry>): Registry {
  return { inbounds: [], outbounds: [], routers: [], handlers: [], ...noTables, ...parts };
}

/** An inbound, an outbound, a router and a handler that fit together. */
export const sound: Registry = registryOf({
  inbounds: [
    connection("IB_A", "mllp", { settings: { port: 2575 }, options: { router: "route" } }),
  ],
  outbounds: [
    connection("OB_B", "mllp", { settings: { host: "lab.example.org", port: 6661 } }),
  ],
  routers: [{ name: "route", position: { file: "graph/adt.ts", line: 5 }, mentions: ["handle"] }],
  handlers: [
    { name: "handle", position: { file: "graph/adt.ts", line: 9 }, mentions: ["OB_B", "nobody"] },
  ],
});

/** Stands in for the sandbox; counts what is open and remembers what it was asked to run. */
export class FakeSandbox {
  open = 0;
  readonly inputs: EvaluateInput[] = [];
  readonly #registry: Registry;
  readonly #problems: readonly LoadProblem[];

  constructor(registry: Registry = sound, problems: readonly LoadProblem[] = []) {
    this.#registry = registry;
    this.#problems = problems;
  }

  readonly evaluate: Evaluate<Disposable> = (input) => {
    this.inputs.push(input);
    this.open++;
    const sandbox = {
      [Symbol.dispose]: () => {
        this.open--;
      },
    };
    return Promise.resolve({ sandbox, registry: this.#registry, problems: this.#problems });
  };
}

/** Options of a load that reaches nothing; `text` is the settings file. */
export function loadOptions(
  bundleDir: string,
  fake: FakeSandbox,
  { text = "[environments]\ndir = 'none'\n", ...rest }: Partial<LoadOptions<Disposable>> & {
    text?: string;
  } = {},
): LoadOptions<Disposable> {
  const { settings } = loadSettings({ file: { path: "messagefoundry.toml", text } });
  return {
    bundleDir,
    settings,
    environment: "dev",
    env: {},
    evaluate: fake.evaluate,
    reachOf: () => [],
    ...rest,
  };
}
