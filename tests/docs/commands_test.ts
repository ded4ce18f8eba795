// Goal: every command that the documentation tells a reader to type exists: the task, the subcommand,
// each of its flags, the route that curl asks. Commands of the system are named here one by one.
import assert from "node:assert/strict";
import { routeGroups } from "../../src/api/app.ts";
import type { ApiContext } from "../../src/api/env.ts";
import { usage as demoUsage } from "../../src/cli/demo/options.ts";
import { buildProgram } from "../../src/cli/program.ts";
import type { Terminal } from "../../src/cli/terminal.ts";
import { type Block, blocksOf, placeOf, readPages, root } from "./pages.ts";

const system = new Set(
  "alias cat cd chmod chown cp export install kill ls mkdir mv openssl pg_dump pg_restore podman rm sha256sum sqlite3 sudo systemctl systemd-analyze tail tar tee umask useradd"
    .split(" "),
);
/** Subcommands of the runtime itself. */
const runtime = new Set(["check", "test", "fmt", "lint", "audit", "install", "doc"]);

const silent: Terminal = {
  out: () => {},
  err: () => {},
  progress: () => {},
  isInteractive: false,
  style: (_, text) => text,
  styleError: (_, text) => text,
};
const program = buildProgram({ terminal: silent, args: [], env: {}, isDebug: false });
const { tasks } = JSON.parse(await Deno.readTextFile(`${root}deno.json`)) as {
  tasks: Record<string, string>;
};

Deno.test("every command of the documentation exists, with its flags", async () => {
  const blocks = (await readPages()).flatMap(blocksOf).filter(({ language }) => language === "sh");
  let checked = 0;
  for (const block of blocks) {
    for (const words of commandsOf(block)) {
      checkCommand(words, placeOf(block));
      checked++;
    }
  }
  assert.ok(checked > 30, `only ${checked} commands were found`);
});

/** Words of every command of a block; quotes are taken off, comments left out. */
function commandsOf({ text }: Block): readonly (readonly string[])[] {
  return text.replaceAll("\\\n", " ").split("\n")
    .flatMap((line) => line.replace(/(^|\s)#.*$/, "").split(/ (?:\||&&) /))
    .map((command) => command.match(/'[^']*'|"[^"]*"|[^\s'"]+(?:'[^']*'|"[^"]*")?/g) ?? [])
    .map((words) => words.map((word) => word.replaceAll(/['"]/g, "")))
    .map((words) => words.slice(words.findIndex((word) => !/^[A-Z_]+=/.test(word))))
    .filter((words) => words.length > 0);
}

function checkCommand([first = "", ...rest]: readonly string[], place: string): void {
  const line = `${place}: ${first} ${rest.join(" ")}`;
  if (first === "npx") {
    assert.deepEqual(rest.slice(0, 2), ["-y", "deno@2.9.6"], line);
    return checkCommand(["deno", ...rest.slice(2)], place);
  }
  if (/^(\S*\/)?messagefoundry$/.test(first)) return checkSubcommand(rest, line);
  if (first === "curl") return checkRoute(rest, line);
  if (first === "deno") return checkRuntime(rest, line);
  if (first === "sudo") return checkCommand(rest, place);
  assert.ok(system.has(first), line);
}

function checkRuntime([verb = "", ...rest]: readonly string[], line: string): void {
  if (verb !== "task") {
    assert.ok(runtime.has(verb) || verb === "--version", line);
    return checkPaths(rest, line);
  }
  const [task = "", ...args] = rest;
  assert.ok(Object.hasOwn(tasks, task), line);
  if (task === "messagefoundry") return checkSubcommand(args, line);
  if (task === "serve") return checkSubcommand(["serve", ...args], line);
  if (task === "demo") return checkDemo(args, line);
  checkPaths(args, line);
}

function checkSubcommand([name = "", ...args]: readonly string[], line: string): void {
  if (/^--(version|help)$/.test(name)) return;
  const command = program.commands.find((candidate) => candidate.name() === name);
  assert.ok(command, `${line}: no such subcommand`);
  const flags = new Set(command.options.map(({ long }) => long));
  for (const word of args.filter((word) => word.startsWith("--"))) {
    assert.ok(flags.has(word.replace(/=.*/, "")), `${line}: no flag ${word}`);
  }
  checkPaths(args, line);
}

function checkDemo(args: readonly string[], line: string): void {
  for (const word of args.filter((word) => word.startsWith("--"))) {
    assert.ok(demoUsage.includes(`  ${word} `), `${line}: no flag ${word}`);
  }
}

/** What lies in this repository is there. */
function checkPaths(words: readonly string[], line: string): void {
  for (const word of words) {
    if (!/^(graph|tests|src|bench|codesets|environments)\//.test(word)) continue;
    const path = word.replace(/\*.*$/, "");
    assert.doesNotThrow(() => Deno.statSync(root + path), `${line}: no ${word}`);
  }
}

function checkRoute(args: readonly string[], line: string): void {
  const url = args.map((word) => URL.parse(word)).find((parsed) =>
    /^https?:$/.test(parsed?.protocol ?? "")
  );
  assert.ok(url, line);
  const at = args.indexOf("-X");
  const method = at < 0 ? "GET" : args[at + 1]!;
  const isRoute = routes().some((route) => route.method === method && matches(route.path, url));
  assert.ok(isRoute, `${line}: no route ${method} ${url.pathname}`);
}

function matches(pattern: string, { pathname }: URL): boolean {
  return new RegExp(`^${pattern.replace(/:[a-z_]+/g, "[^/]+")}$`).test(pathname);
}

/** Every route of the API, `/connections/:name/start` and the like. */
function routes(): readonly { readonly method: string; readonly path: string }[] {
  // Routes are declared without looking at the engine.
  const context = { engine: {} } as ApiContext;
  return routeGroups
    .flatMap((declare) => declare(context).routes)
    .filter(({ method }) => method !== "ALL");
}

Deno.test("docs/reference/api.md lists every route, and none that is not there", async () => {
  const text = await Deno.readTextFile(`${root}docs/reference/api.md`);
  const listed = [...text.matchAll(/^\| `(GET|POST|PUT|DELETE|PATCH) ([^`]+)` \|/gm)]
    .map(([, method, path]) => `${method} ${path}`);
  const there = routes().map(({ method, path }) => `${method} ${path.replace(/:(\w+)/g, "{$1}")}`);
  assert.deepEqual(listed.toSorted(), [...new Set(there)].toSorted());
});
