import assert from "node:assert/strict";

/** style.md §1 as data: what each room may import beside the ground and itself. */
const arrows: Readonly<Record<string, readonly string[]>> = {
  hl7: [],
  crypto: [],
  settings: [],
  logging: ["settings"],
  authoring: ["hl7"],
  synthetic: ["hl7"],
  sandbox: ["authoring", "hl7"],
  graph: ["authoring", "hl7", "sandbox", "settings", "logging"],
  connectors: ["authoring", "hl7", "settings", "logging"],
  store: ["crypto", "settings", "logging"],
  // Its tables stand beside the store's, and it reaches the server in the store's way; it opens no store.
  cluster: ["store", "settings", "logging"],
  alerts: ["settings", "logging"],
  pipeline: [
    "store",
    "connectors",
    "graph",
    "sandbox",
    "authoring",
    "hl7",
    "alerts",
    "settings",
    "logging",
  ],
  "engine.ts": [
    "store",
    "connectors",
    "graph",
    "sandbox",
    "authoring",
    "hl7",
    "alerts",
    "settings",
    "logging",
    "pipeline",
    "maintenance",
    "cluster",
    "engine",
    "crypto",
    "auth",
    "audit",
  ],
  // What engine.ts does at each change of leadership; the same floor.
  engine: [
    "cluster",
    "sandbox",
    "pipeline",
    "maintenance",
    "store",
    "settings",
    "logging",
    "crypto",
  ],
  maintenance: ["store", "graph", "audit", "alerts", "crypto", "settings", "logging"],
  audit: ["store", "crypto"],
  auth: ["store", "crypto", "audit", "alerts", "settings", "logging"],
  operations: ["engine.ts", "auth", "audit", "hl7"],
  api: ["operations", "engine.ts", "auth", "settings", "logging"],
  cli: [
    "audit",
    "operations",
    "engine.ts",
    "api",
    "graph",
    "settings",
    "crypto",
    "sandbox",
    "synthetic",
    "hl7",
    "logging",
    "connectors",
    "store",
  ],
};

/** Rooms whose types (and nothing that runs) may be used from anywhere above them. */
const typesOfAny: ReadonlySet<string> = new Set(["operations", "api"]);
const ground: ReadonlySet<string> = new Set([
  "errors.ts",
  "clock.ts",
  "backoff.ts",
  "version.ts",
  "failpoints.ts",
]);

interface Import {
  readonly target: string;
  readonly isTypeOnly: boolean;
}

Deno.test("every import follows the arrows between the rooms", async () => {
  const wrong: string[] = [];
  const seen = new Set<string>();
  for await (const path of sources("src")) {
    const room = roomOf(path);
    if (ground.has(room)) continue;
    seen.add(room);
    const allowed = arrows[room];
    assert.ok(allowed, `${path}: room "${room}" is not in the table`);
    for (const { target, isTypeOnly } of importsOf(path, await Deno.readTextFile(path))) {
      const to = roomOf(target);
      if (to === room || ground.has(to) || allowed.includes(to)) continue;
      if (isTypeOnly && typesOfAny.has(room)) continue;
      wrong.push(`${path} imports ${target}`);
    }
  }
  assert.deepEqual(wrong, []);
  assert.ok(seen.size >= 12, `only ${seen.size} rooms were found`);
});

Deno.test("rooms stand where the layout says: no utils, common, helpers, types, index.ts", async () => {
  const wrong: string[] = [];
  for await (const path of sources("src")) {
    if (/(^|\/)(utils|common|helpers|types)(\/|\.ts$)|(^|\/)index\.ts$/.test(path)) {
      wrong.push(path);
    }
  }
  assert.deepEqual(wrong, []);
});

Deno.test("nothing is imported from a registry or the network outside the import map", async () => {
  const wrong: string[] = [];
  for await (const path of sources("src")) {
    const text = await Deno.readTextFile(path);
    for (const [, specifier] of text.matchAll(/(?:from|import)\s*\(?\s*"([^"]+)"/g)) {
      if (/^(jsr:|npm:|https?:)/.test(specifier!)) wrong.push(`${path}: ${specifier}`);
    }
  }
  assert.deepEqual(wrong, []);
  const text = await Deno.readTextFile("deno.json");
  assert.doesNotMatch(text, /jsr:|--allow-ffi/);
  const { tasks } = JSON.parse(text) as { tasks: Record<string, string> };
  for (const [name, command] of Object.entries(tasks)) {
    // The benchmark reads /proc of its children, which this runtime gives only to all permissions.
    if (name !== "bench") assert.doesNotMatch(command, /--allow-all|deno (run|test) -A/, name);
  }
});

Deno.test("every mod.ts begins with what its room is for", async () => {
  for await (const path of sources("src")) {
    if (!path.endsWith("/mod.ts")) continue;
    const text = await Deno.readTextFile(path);
    assert.match(text, /^(#!.*\n)?\/\*\*/, `${path} has no header`);
  }
});

async function* sources(directory: string): AsyncGenerator<string> {
  for await (const entry of Deno.readDir(directory)) {
    const path = `${directory}/${entry.name}`;
    if (entry.isDirectory) yield* sources(path);
    else if (path.endsWith(".ts")) yield path;
  }
}

/** `src/store/sqlite/x.ts` stands in `store`, `src/engine.ts` is a room of its own. */
function roomOf(path: string): string {
  return path.split("/")[1]!;
}

/** Relative imports and exports of a file, as paths from the repository's root. */
function* importsOf(path: string, text: string): Generator<Import> {
  const pattern =
    /^\s*(import|export)\s+(type\s+)?[^"';]*?from\s+"(\.[^"]+)"|import\("(\.[^"]+)"\)|new URL\("(\.[^"]+\.ts)"/gm;
  for (const match of text.matchAll(pattern)) {
    const specifier = match[3] ?? match[4] ?? match[5];
    if (!specifier) continue;
    const target = new URL(specifier, `file:///${path}`).pathname.slice(1);
    yield { target, isTypeOnly: match[2] !== undefined };
  }
}
