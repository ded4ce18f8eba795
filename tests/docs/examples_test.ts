// Goal: what the documentation shows works as shown. Every block of TypeScript is type-checked and
// run, every graph loads, every settings file is taken, every command exists with its flags.
// A block without a path stands alone; blocks with paths on one page make one bundle.
import assert from "node:assert/strict";
import { dirname } from "node:path";
import { connectors } from "../../src/connectors/mod.ts";
import {
  checkBundle,
  declareBundle,
  evaluateInSandbox,
  forgetfulRunner,
  graphProblemText,
  loadGraph,
} from "../../src/graph/mod.ts";
import { loadSettings } from "../../src/settings/mod.ts";
import { type Block, blocksOf, placeOf, readPages, root } from "./pages.ts";

const env = { MEFOR_ALLOW_INSECURE_CONFIG_SOURCE: "1" };

const pages = await readPages();
const blocks = pages.flatMap(blocksOf);

/** Writes the blocks of every page into a folder of its own; gone afterwards. */
async function openExamples() {
  const dir = await Deno.realPath(await Deno.makeTempDir({ prefix: "mefor_docs_" }));
  for (const block of blocks) {
    const file = fileOf(block);
    if (file === undefined) continue;
    const path = `${dir}/${folderOf(block.page)}/${file}`;
    await Deno.mkdir(dirname(path), { recursive: true });
    // Segments end in carriage returns; a page shows one a line.
    const text = file.endsWith(".hl7") ? block.text.replaceAll("\n", "\r") : block.text;
    await Deno.writeTextFile(path, text, { createNew: true });
  }
  return { dir, [Symbol.asyncDispose]: () => Deno.remove(dir, { recursive: true }) };
}

function fileOf({ language, file, line }: Block): string | undefined {
  return file ?? (language === "ts" ? `alone/line_${line}.ts` : undefined);
}

function folderOf(page: string): string {
  return page.replace(/\.md$/, "").replaceAll("/", "_");
}

/** Pages that hold a graph. */
function bundles(): readonly string[] {
  const withGraph = blocks.filter(({ file }) => file?.startsWith("graph/"));
  return [...new Set(withGraph.map(({ page }) => page))];
}

Deno.test("every block of TypeScript compiles, and runs", async (t) => {
  await using examples = await openExamples();
  const typescript = blocks.filter(({ language }) => language === "ts");
  assert.ok(typescript.length > 15, `only ${typescript.length} blocks were found`);
  const paths = typescript.map((block) =>
    `${examples.dir}/${folderOf(block.page)}/${fileOf(block)}`
  );
  const config = ["--quiet", "--config", `${root}deno.json`, "--no-lock"];
  await t.step("compiles", async () => {
    await succeed(["check", ...config, ...paths]);
  });
  await t.step("runs", async () => {
    const alone = paths.filter((path) => path.includes("/alone/"));
    const all = `${examples.dir}/alone_test.ts`;
    const lines = alone.map((path) =>
      `Deno.test(${JSON.stringify(path.slice(examples.dir.length))}, async () => {\n` +
      `  await import(${JSON.stringify(path)});\n});\n`
    );
    await Deno.writeTextFile(all, lines.join(""));
    const unit = paths.filter((path) => path.endsWith("_test.ts"));
    const out = await succeed(["test", ...config, "--no-check", "--allow-read", all, ...unit]);
    assert.match(out, /\b0 failed/);
  });
});

Deno.test("every graph loads, and ends messages as it says", async (t) => {
  await using examples = await openExamples();
  for (const page of bundles()) {
    await t.step(page, async () => {
      const bundleDir = `${examples.dir}/${folderOf(page)}`;
      const own = blocks.filter((block) => block.page === page);
      const options = { bundleDir, environment: "dev", env, evaluate: evaluateInSandbox() };
      const { sandbox, problems } = await declareBundle(options);
      sandbox?.[Symbol.dispose]();
      assert.deepEqual(problems.map(graphProblemText), []);
      if (own.some(({ file }) => file === "environments/dev.toml")) {
        const text = `[environments]\nbase_dir = ${JSON.stringify(bundleDir)}\n`;
        const loaded = await loadGraph({
          ...options,
          settings: loadSettings({ file: { path: "messagefoundry.toml", text } }).settings,
          reachOf: (type, direction, values) => connectors.get(type)!.reach(direction, values),
        });
        loaded.sandbox[Symbol.dispose]();
      }
      if (!own.some(({ file }) => file?.endsWith(".hl7"))) return;
      const report = await checkBundle({
        ...options,
        messages: `${bundleDir}/messages/sets`,
        runnerOf: forgetfulRunner,
        settings: undefined,
        advisory: [],
        ingestTime: 1_700_000_000,
      });
      assert.ok(report.ok, JSON.stringify(report.checks, null, 2));
      assert.equal(report.checks.find(({ name }) => name === "dryrun")?.skipped, false);
    });
  }
});

Deno.test("every settings file is taken as it stands", () => {
  const settings = blocks.filter(({ language, file }) =>
    language === "toml" && (file === undefined || file === "messagefoundry.toml")
  );
  assert.ok(settings.length > 2, `only ${settings.length} were found`);
  for (const block of settings) {
    const file = { path: placeOf(block), text: block.text };
    // What a page tells to keep in a variable.
    const { warnings } = loadSettings({ file, env: { MEFOR_AUTH_AD_BIND_PASSWORD: "word" } });
    assert.deepEqual(warnings, [], placeOf(block));
  }
});

Deno.test("every block of JSON is JSON", () => {
  for (const block of blocks.filter(({ language }) => language === "json")) {
    assert.doesNotThrow(() => JSON.parse(block.text), placeOf(block));
  }
});

Deno.test("every block says what it is", () => {
  const known = new Set(["ts", "toml", "sh", "json", "text", "csv", "hl7", "ini", "sql"]);
  for (const block of blocks) {
    assert.ok(known.has(block.language), `${placeOf(block)}: language "${block.language}"`);
  }
});

Deno.test("every link leads somewhere", async () => {
  const broken: string[] = [];
  for (const { path, text } of pages) {
    for (const [, target] of text.matchAll(/\]\(([^)\s]+)\)/g)) {
      if (/^https?:/.test(target!)) continue;
      const url = new URL(target!, `file://${root}${path}`);
      if (!await leads(url, target!, path)) broken.push(`${path}: ${target}`);
    }
  }
  assert.deepEqual(broken, []);
});

Deno.test("every file that a page names is there", () => {
  const missing: string[] = [];
  for (const { path, text } of pages) {
    for (
      const [, file] of text.matchAll(
        /`((?:src|tests|graph|bench|tools|codesets|environments)\/[^`\s*{<]+)`/g,
      )
    ) {
      // NAME stands for any name, and a page may speak of a file that it shows itself.
      const isShown = blocks.some((block) => block.page === path && block.file === file);
      if (/NAME/.test(file!) || isShown || exists(file!)) continue;
      missing.push(`${path}: ${file}`);
    }
  }
  assert.deepEqual(missing, []);
});

function exists(path: string): boolean {
  try {
    Deno.statSync(root + path);
    return true;
  } catch {
    return false;
  }
}

Deno.test("every page asks one question: no page is longer than 300 lines", () => {
  for (const { path, text } of pages) {
    // Lists of everything there is are as long as what they list.
    if (/^docs\/reference\/(settings|errors|connectors)\.md$/.test(path)) continue;
    assert.ok(text.split("\n").length <= 300, path);
    assert.match(text, /^# \S/, `${path} has no title`);
  }
});

/** True for a file that is there, with the heading that is named. */
async function leads(url: URL, target: string, from: string): Promise<boolean> {
  const { hash } = url;
  url.hash = "";
  try {
    const text = target.startsWith("#")
      ? pages.find(({ path }) => path === from)!.text
      : (await Deno.stat(url)).isDirectory
      ? ""
      : await Deno.readTextFile(url);
    if (hash === "") return true;
    const anchors = [...text.matchAll(/^#+ (.+)$/gm)].map(([, heading]) =>
      `#${heading!.toLowerCase().replace(/[^\w\- ]/g, "").replaceAll(" ", "-")}`
    );
    return anchors.includes(hash);
  } catch (thrown) {
    if (thrown instanceof Deno.errors.NotFound) return false;
    throw thrown;
  }
}

/** Runs the runtime; returns what it printed. */
async function succeed(args: readonly string[]): Promise<string> {
  const { code, stdout, stderr } = await new Deno.Command(Deno.execPath(), {
    args: [...args],
    env: { NO_COLOR: "1", DENO_NO_UPDATE_CHECK: "1" },
    stdin: "null",
  }).output();
  const text = new TextDecoder().decode(stdout) + new TextDecoder().decode(stderr);
  assert.equal(code, 0, text);
  return text;
}
