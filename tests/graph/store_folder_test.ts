import assert from "node:assert/strict";
import { file } from "../../src/connectors/file/mod.ts";
import { checkStoreFolder } from "../../src/graph/store_folder.ts";
import { Walk } from "../walk/bench.ts";
import { openBundle } from "./bench.ts";

async function refused(
  storePath: string,
  direction: "inbound" | "outbound",
  settings: Record<string, unknown>,
): Promise<readonly string[]> {
  const reach = file.reach!(direction, settings);
  const connections = [{ connection: "FILE_A", direction, position: undefined, reach }];
  return (await checkStoreFolder(connections, storePath)).map(({ message }) => message);
}

Deno.test("checkStoreFolder() refuses the folder of the store under every name, both ways", async () => {
  await using tree = await openBundle({ "site/data/messagefoundry.db": "" });
  const { dir } = tree;
  await Deno.symlink(`${dir}/site/data`, `${dir}/link`);
  const store = `${dir}/site/data/messagefoundry.db`;
  for (const directory of [`${dir}/site/data`, `${dir}/link/`, `${dir}/site/data/new/..`]) {
    for (const direction of ["inbound", "outbound"] as const) {
      const [message] = await refused(store, direction, { directory });
      assert.match(message ?? "", /^(In|Out)bound "FILE_A" may not reach ".*": the store lies/);
    }
  }
  const linked = await refused(`${dir}/link/messagefoundry.db`, "inbound", {
    directory: `${dir}/site/data`,
  });
  assert.equal(linked.length, 1);
});

Deno.test("checkStoreFolder() refuses what is read down to the store, and nothing beside it", async () => {
  await using tree = await openBundle({ "site/data/messagefoundry.db": "" });
  const { dir } = tree;
  const store = `${dir}/site/data/messagefoundry.db`;
  const above = { directory: `${dir}/site` };
  assert.equal((await refused(store, "inbound", { ...above, recursive: true })).length, 1);
  assert.deepEqual(await refused(store, "inbound", above), []);
  assert.deepEqual(await refused(store, "outbound", above), []);
  for (const directory of [`${dir}/site/data/in`, `${dir}/site/data2`]) {
    assert.deepEqual(await refused(store, "inbound", { directory, recursive: true }), []);
    assert.deepEqual(await refused(store, "outbound", { directory }), []);
  }
});

// Goal: whoever writes a graph does not become the first administrator by it.
Deno.test("a graph that polls the folder of the store does not start", async () => {
  await using site = await openBundle({ "bootstrap-admin.txt": "username: admin\n" });
  await assert.rejects(
    Walk.open({
      storeDir: site.dir,
      graph: `
        import { file, handler, inbound, router } from "messagefoundry";
        const keep = handler("keep", () => null);
        inbound("FILE-IN_A", file({ directory: ${JSON.stringify(site.dir)}, pattern: "*.txt" }), {
          router: router("route", () => keep),
          contentType: "text",
        });
      `,
    }),
    /Inbound "FILE-IN_A" may not reach ".*": the store lies there/,
  );
});
