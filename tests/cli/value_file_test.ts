import assert from "node:assert/strict";
import { type Anchor, findAnchor } from "../../src/cli/anchor.ts";
import { CommandFailure } from "../../src/cli/failure.ts";
import { anchorWarnings, requireReadableValues, valueFileOf } from "../../src/cli/value_file.ts";
import { type TempDir, tempDir } from "./program.ts";

async function anchorIn(dir: TempDir, projectRoot?: string): Promise<Anchor> {
  const options = { config: ".", env: "dev", projectRoot, serviceConfig: `${dir.path}/mf.toml` };
  await dir.write("mf.toml", "");
  return await findAnchor({ options, env: {} });
}

/** Stands in another directory until the scope ends. */
function standIn(path: string): Disposable {
  const before = Deno.cwd();
  Deno.chdir(path);
  return { [Symbol.dispose]: () => Deno.chdir(before) };
}

// Gate 16.
Deno.test("requireReadableValues() refuses a file it cannot read, not one that is missing", async () => {
  await using dir = await tempDir();
  const anchor = await anchorIn(dir, dir.path);
  assert.equal(valueFileOf(anchor), `${dir.path}/environments/dev.toml`);
  await requireReadableValues(anchor);
  await dir.write("environments/dev.toml/x", "a directory in its place");
  await assert.rejects(requireReadableValues(anchor), (thrown) => {
    assert.ok(thrown instanceof CommandFailure);
    assert.equal(thrown.exitCode, 2);
    assert.match(thrown.message, /^Cannot read the values of this environment: ".*dev\.toml"$/);
    return true;
  });
});

// Gate 18.
Deno.test("anchorWarnings() names a project root that is not the working directory", async () => {
  await using dir = await tempDir();
  const [warning, ...more] = anchorWarnings(await anchorIn(dir, dir.path));
  assert.deepEqual(more, []);
  assert.match(
    warning ?? "",
    /^The project root ".*" is not the working directory ".*"; values are/,
  );
  using _ = standIn(dir.path);
  assert.deepEqual(anchorWarnings(await anchorIn(dir, dir.path)), []);
});

Deno.test("anchorWarnings() tells of values that are nowhere, unless this looks like a bundle", async () => {
  await using dir = await tempDir();
  using _ = standIn(dir.path);
  const [warning] = anchorWarnings(await anchorIn(dir));
  assert.match(warning ?? "", /^No values found: ".*dev\.toml" is missing and no project root is/);
  await dir.write("graph/a.ts", "");
  assert.deepEqual(anchorWarnings(await anchorIn(dir)), []);
});
