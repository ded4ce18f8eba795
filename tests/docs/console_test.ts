// Goal: what pages show of `admin`, `connection` and `codeset` is what those commands say. Method: the
// page's own commands, in order, over a store and bundles made for it; one-time passwords aside.
import assert from "node:assert/strict";
import { dirname } from "node:path";
import { seedUser } from "../auth/bench.ts";
import { offlineFlags, run, tempDir } from "../cli/program.ts";
import { openStore } from "../store/sqlite/bench.ts";
import { type Block, blocksOf, readPages } from "./pages.ts";

const pages = await readPages();
const flags = [...offlineFlags, "--allow-write"];

function blocksOfPage(path: string): readonly Block[] {
  return blocksOf(pages.find((page) => page.path === path)!);
}

/** The commands of a block of this program's, each as its words. */
function commandsOf({ text }: Block): readonly (readonly string[])[] {
  return text.trimEnd().split("\n").map((line) => {
    const words = line.match(/'[^']*'|\S+/g)!.map((word) => word.replaceAll("'", ""));
    assert.deepEqual(words.slice(0, 3), ["deno", "task", "messagefoundry"]);
    return words.slice(3);
  });
}

/** Runs the commands of a block; what they print together. */
async function output(block: Block, more: readonly string[], only = /./): Promise<string> {
  let text = "";
  for (const words of commandsOf(block)) {
    const { code, out, err } = await run([...words, ...more], { flags });
    assert.deepEqual([code, err], [0, ""], words.join(" "));
    if (only.test(words.join(" "))) text += out;
  }
  return text;
}

Deno.test("locked_out.md shows what admin says", async () => {
  await using dir = await tempDir();
  const path = `${dir.path}/messagefoundry.db`;
  {
    await using store = await openStore(path);
    const ann = await seedUser(store, "ann", { roles: ["administrator"] });
    await seedUser(store, "bob", { roles: ["operator"] });
    const locked = Date.now() * 1000 + 900e6;
    const changes = [
      { name: "enableTotp", values: ["secret", "[]", 1, 1, ann], expect: 1 },
      { name: "noteFailure", values: [5, locked, ann, 0], expect: 1 },
    ] as const;
    const { applied } = await store.submit({ kind: "register", changes, audit: [] });
    assert.equal(applied, true);
  }
  const blocks = blocksOfPage("docs/operating/locked_out.md");
  const [commands, shown] = ["sh", "text"].map((name) =>
    blocks.filter(({ language }) => language === name)
  );
  assert.deepEqual([commands!.length, shown!.length], [3, 3]);
  const plain = (text: string) => text.replace(/^One-time password: \S+$/gm, "One-time password:");
  for (const [index, block] of commands!.entries()) {
    assert.equal(plain(await output(block, ["--db", path])), plain(shown![index]!.text));
  }
});

for (
  const [page, only] of [
    ["docs/authoring/connections_toml.md", /./],
    ["docs/authoring/code_sets.md", /--json/],
  ] as const
) {
  Deno.test(`${page} shows what the command says`, async () => {
    await using dir = await tempDir();
    const blocks = blocksOfPage(page);
    for (const { file, text } of blocks) {
      if (file === undefined) continue;
      await Deno.mkdir(dirname(`${dir.path}/${file}`), { recursive: true });
      await dir.write(file, text);
    }
    const command = blocks.find(({ language }) => language === "sh")!;
    const shown = blocks.find(({ language }) => language === "text")!;
    const where = ["--config", dir.path, "--project-root", dir.path];
    assert.equal(await output(command, where, only), shown.text);
    const files = blocks.filter(({ file }) => file !== undefined);
    for (const { file, text } of files) {
      assert.equal(await Deno.readTextFile(`${dir.path}/${file}`), text, "the page's file stays");
    }
  });
}
