// Goal: the flag line that the security page reads part by part is the one the program derives.
// Method: the shipped graph in the folders of the page's example, under names of this machine.
import assert from "node:assert/strict";
import { run, tempDir } from "../cli/program.ts";
import { blocksOf, readPages, root } from "./pages.ts";

async function copyFolder(from: string, to: string): Promise<void> {
  await Deno.mkdir(to, { mode: 0o755 });
  for await (const { name, isFile } of Deno.readDir(from)) {
    if (!isFile) continue;
    await Deno.copyFile(`${from}/${name}`, `${to}/${name}`);
    await Deno.chmod(`${to}/${name}`, 0o644);
  }
}

Deno.test("docs/security/permissions.md shows the flags that are derived", async () => {
  await using dir = await tempDir();
  for (const name of ["bundle", "data"]) await Deno.mkdir(`${dir.path}/${name}`, { mode: 0o755 });
  for (const name of ["graph", "codesets", "environments"]) {
    await copyFolder(`${root}${name}`, `${dir.path}/bundle/${name}`);
  }
  await dir.write("bundle/messagefoundry.toml", `[engine]\ndata_dir = "${dir.path}/data"\n`);
  const env = {
    MEFOR_VALUE_ARCHIVE_DIR: `${dir.path}/data/archive`,
    MEFOR_VALUE_RESEARCH_DIR: `${dir.path}/data/research`,
  };
  const args = ["--project-root", `${dir.path}/bundle`, "--env", "dev", "--format", "flags"];
  const { code, out, err } = await run(["permissions", ...args], { env });
  assert.equal(code, 0, err);
  const derived = out.trimEnd()
    .replaceAll(`${dir.path}/bundle`, "/srv/hospital")
    .replaceAll(`${dir.path}/data`, "/var/lib/messagefoundry")
    .replaceAll(root, "/opt/messagefoundry/");

  const page = (await readPages()).find(({ path }) => path === "docs/security/permissions.md");
  assert.ok(page);
  const shown = blocksOf(page).find(({ text }) => text.startsWith("--no-prompt"))?.text ?? "";
  // One flag a line; what is indented goes on with the line above.
  assert.equal(shown.replaceAll(/\n {2,}/g, "").trimEnd().replaceAll("\n", " "), derived);
});
