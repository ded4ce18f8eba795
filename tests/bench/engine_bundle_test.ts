import assert from "node:assert/strict";
import { fileURLToPath } from "node:url";
import { bundleFiles } from "../../bench/engine_bundle.ts";
import { loadSettings } from "../../src/settings/mod.ts";
import { inboundOfSource, lanesOfInbound, profiles, selectProfiles } from "../../bench/profiles.ts";

const root = fileURLToPath(new URL("../..", import.meta.url));

Deno.test("every profile feeds every inbound and every lane", () => {
  for (const profile of profiles) {
    const inbounds = new Set<number>();
    const lanes = new Set<number>();
    for (let source = 0; source < profile.sources; source++) {
      const inbound = inboundOfSource(profile, source);
      inbounds.add(inbound);
      const reached = lanesOfInbound(profile, inbound);
      assert.equal(new Set(reached).size, profile.fanOut, `${profile.name}: distinct lanes`);
      for (const lane of reached) lanes.add(lane);
    }
    assert.equal(inbounds.size, profile.inbounds, profile.name);
    assert.equal(lanes.size, profile.lanes, profile.name);
  }
});

Deno.test("the default set is what runs without names, and the million is not in it", () => {
  const names = selectProfiles([]).map((profile) => profile.name);

  assert.equal(names.includes("backlog"), false);
  assert.equal(names.length, profiles.length - 1);
  assert.equal(selectProfiles(["backlog"])[0]?.count, 1_000_000);
});

function filesOf(profile: string, directory: string) {
  return bundleFiles({
    profile: selectProfiles([profile])[0]!,
    directory,
    inboundPorts: [20_001, 20_002],
    lanePorts: [20_003, 20_004, 20_005, 20_006],
    apiPort: 20_007,
    synchronous: "full",
    storeLines: undefined,
  });
}

Deno.test("the settings of a bundle are settings the engine knows", () => {
  const text = filesOf("lanes-8", "/data")["messagefoundry.toml"]!;
  const { settings } = loadSettings({ env: {}, flags: {}, file: { path: "bench.toml", text } });

  assert.equal(settings.store.synchronous, "full");
  assert.equal(settings.store.path, "/data/messagefoundry.db");
  assert.equal(settings.api.port, 20_007);
});

Deno.test("the graph of a bundle type-checks against the authoring module", async () => {
  const directory = await Deno.makeTempDir();
  try {
    const graph = filesOf("fan-out-2", directory)["graph/bench.ts"]!;
    await Deno.writeTextFile(`${directory}/bench.ts`, graph);
    const { code, stderr } = await new Deno.Command(Deno.execPath(), {
      args: ["check", "--cached-only", "--config", `${root}deno.json`, `${directory}/bench.ts`],
      signal: AbortSignal.timeout(60_000),
    }).output();

    assert.equal(code, 0, new TextDecoder().decode(stderr));
  } finally {
    await Deno.remove(directory, { recursive: true });
  }
});
