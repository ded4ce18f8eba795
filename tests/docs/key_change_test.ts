// Goal: what docs/operating/encryption.md shows of a first key and of a change of keys is what happens.
// Method: the page's own commands, run over a store with the page's keys; what they print and what the
// log says is held against the page, numbers aside.
import assert from "node:assert/strict";
import { createLogger, renderRecord } from "../../src/logging/mod.ts";
import { filledBench } from "../store/sqlite/filled.ts";
import { openStore } from "../store/sqlite/bench.ts";
import { until } from "../connectors/waiting.ts";
import { blocksOf, readPages, root } from "./pages.ts";

const PAGE = "docs/operating/encryption.md";
const keyOf = (fill: number) => new Uint8Array(32).fill(fill);
/** The keys whose ids the page shows. */
const [first, second] = [keyOf(5), keyOf(6)];

const page = (await readPages()).find(({ path }) => path === PAGE)!;
const blocks = blocksOf(page);

function blockWith(text: string, language = "text"): string {
  const found = blocks.filter((block) => block.language === language && block.text.includes(text));
  assert.equal(found.length, 1, `${PAGE}: one block of ${language} with "${text}"`);
  return found[0]!.text;
}

/** Numbers that are counts become `#`, and columns one blank. */
function withoutCounts(text: string): string[] {
  return text.trimEnd().split("\n").map((line) =>
    line.replace(/\s+/g, " ").replace(/(^|[ =])\d+(?= |$)/g, "$1#")
  );
}

Deno.test("encryption.md shows what a first key and rotate-key say", async () => {
  await using bench = await filledBench(() => undefined);
  const { path } = bench.store;
  const log: string[] = [];
  const logger = createLogger({
    level: "info",
    sinks: [{ write: (record) => log.push(renderRecord(record, "text")) }],
  });
  const said = (event: string) => log.some((line) => line.includes(`${event} `));

  bench.store = await openStore(path, { keys: { active: first, retired: [] }, logger });
  await until(() => said("store.sealed"), "the store to be sealed", 20_000);
  await bench.store[Symbol.asyncDispose]();
  assertLogged(log, blockWith("store.sealing "));

  log.length = 0;
  bench.store = await openStore(path, { keys: { active: second, retired: [first] }, logger });
  assertLogged(log, blockWith("store.key_needed "));

  const [, task, name, ...args] = blockWith("rotate-key", "sh").trim().split(" ");
  const { code, stdout } = await new Deno.Command(Deno.execPath(), {
    args: [task!, name!, ...args.map((word) => word === "data/messagefoundry.db" ? path : word)],
    cwd: root,
    env: {
      NO_COLOR: "1",
      DENO_NO_UPDATE_CHECK: "1",
      MEFOR_STORE_ENCRYPTION_KEY: second.toBase64(),
      MEFOR_STORE_ENCRYPTION_KEYS_RETIRED: first.toBase64(),
    },
    stdin: "null",
    stderr: "inherit",
  }).output();
  assert.equal(code, 0);
  assert.deepEqual(
    withoutCounts(new TextDecoder().decode(stdout)),
    withoutCounts(blockWith("OK: ")),
  );

  await bench.store[Symbol.asyncDispose]();
  bench.store = await openStore(path, { keys: { active: second, retired: [] }, logger });
  assert.equal((await bench.store.state()).length, 5);
});

/** Each line of the page is the end of one line of the log. */
function assertLogged(log: readonly string[], shown: string): void {
  const lines = log.flatMap(withoutCounts);
  for (const wanted of withoutCounts(shown)) {
    assert.ok(lines.some((line) => line.endsWith(wanted)), `"${wanted}" in\n${lines.join("\n")}`);
  }
}
