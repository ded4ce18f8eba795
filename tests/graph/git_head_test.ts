// Goal: the commit of a bundle is read as git itself would tell it, and never at the price of an
// error.
import assert from "node:assert/strict";
import { readGitHead } from "../../src/graph/git_head.ts";
import { hasTool } from "../connectors/foreign_tool.ts";
import { openBundle } from "./bench.ts";

const isHere = await hasTool("git", ["--version"]);
const hash = "89abcdef0123456789abcdef0123456789abcdef";

Deno.test("a bundle outside of git, or with files that git would not write, has no commit", async () => {
  const files: readonly Readonly<Record<string, string>>[] = [
    {},
    { ".git/HEAD": "" },
    { ".git/HEAD": "ref: refs/heads/main\n" },
    { ".git/HEAD": "ref: ../../secret\n", "secret": `${hash}\n` },
    { ".git/HEAD": "ref: HEAD\n" },
    { ".git/HEAD": `${hash}0\n` },
    { ".git": "gitdir: nowhere\n" },
    { ".git": "nothing of git\n" },
  ];
  for (const given of files) {
    await using bundle = await openBundle(given);
    assert.equal(await readGitHead(bundle.dir), undefined, JSON.stringify(given));
  }
});

Deno.test("a detached, a loose and a packed head are read", async () => {
  const files: readonly Readonly<Record<string, string>>[] = [
    { ".git/HEAD": `${hash}\n` },
    { ".git/HEAD": "ref: refs/heads/a/b\n", ".git/refs/heads/a/b": `${hash}\n` },
    {
      ".git/HEAD": "ref: refs/heads/main\n",
      ".git/packed-refs": `# pack-refs with: peeled\n${"0".repeat(40)} refs/heads/mainly\n` +
        `${hash} refs/heads/main\n^${"1".repeat(40)}\n`,
    },
  ];
  for (const given of files) {
    await using bundle = await openBundle(given);
    assert.equal(await readGitHead(bundle.dir), hash, JSON.stringify(given));
  }
});

Deno.test({
  name: "git agrees, in a clone and in a linked worktree",
  ignore: !isHere,
  async fn() {
    await using bundle = await openBundle({ "graph/a.ts": "export {};\n" });
    const git = async (...args: string[]) => {
      const { success, stdout, stderr } = await new Deno.Command("git", {
        args: ["-C", bundle.dir, "-c", "user.name=t", "-c", "user.email=t@example.org", ...args],
      }).output();
      assert.ok(success, new TextDecoder().decode(stderr));
      return new TextDecoder().decode(stdout).trim();
    };
    await git("init", "-q", "-b", "main");
    await git("add", "graph");
    await git("commit", "-q", "-m", "one");
    assert.equal(await readGitHead(bundle.dir), await git("rev-parse", "HEAD"));
    await git("pack-refs", "--all");
    assert.equal(await readGitHead(bundle.dir), await git("rev-parse", "HEAD"));
    await git("worktree", "add", "-q", "-b", "other", `${bundle.dir}/tree`);
    assert.equal(await readGitHead(`${bundle.dir}/tree`), await git("rev-parse", "other"));
  },
});
