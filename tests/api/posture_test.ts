// Goal: a reviewer sees how the instance is classed, an operator whether the file is sound, and
// clients that ask for machinery we do not have get the answers they know.
import assert from "node:assert/strict";
import { keyIdOf } from "../../src/crypto/keys.ts";
import { startApi } from "../../src/api/mod.ts";
import { freePort } from "../connectors/waiting.ts";
import { Walk } from "../walk/bench.ts";
import { ApiBench } from "./bench.ts";

Deno.test("/security/posture tells of a keyless store, and leaves a trace", async () => {
  await using bench = await ApiBench.open({
    settings: '[ai]\nenvironment = "prod"\n',
  });
  assert.deepEqual(await bench.get("/security/posture"), {
    data_class: "phi",
    production: true,
    environment: "prod",
    backend: "sqlite",
    encryption_enabled: false,
    key_source: "auto",
    key_id: null,
    require_encryption: false,
    allow_unencrypted_phi: false,
    plaintext_columns: [],
  });
  const [row] = await bench.walk.engine.store.register("auditNewest", 1);
  assert.equal(row?.action, "security.posture_view");
});

Deno.test("/security/posture names the key by its id, and never the key", async () => {
  const key = new Uint8Array(32).fill(3);
  const port = await freePort();
  await using walk = await Walk.open({
    graph: `
      import { inbound, mllp, router } from "messagefoundry";
      inbound("IB", mllp({ port: ${port} }), { router: router("r", () => null) });
    `,
    env: { MEFOR_STORE_ENCRYPTION_KEY: key.toBase64() },
  });
  await using api = await startApi(walk.engine, { host: "127.0.0.1", port: 0 });
  const response = await fetch(`http://127.0.0.1:${api.port}/security/posture`);
  const text = await response.text();
  assert.equal(JSON.parse(text).key_id, keyIdOf(key));
  assert.ok(!text.includes(key.toBase64()));
});

Deno.test("the store's file is checked beside its work", async () => {
  await using bench = await ApiBench.open();
  await bench.send("L1", "F2");
  await bench.walk.drained();
  const sound = await bench.post("/status/integrity-check");
  assert.deepEqual([sound.status, sound.json], [200, { ok: true, detail: "ok" }]);
  await bench.send("L3");
  assert.equal((await bench.request("/status/integrity-check")).status, 405);
});

Deno.test("a node that stands alone says so, and what we do not have is told as clients know it", async () => {
  await using bench = await ApiBench.open();
  const status = await bench.get("/cluster/status");
  const nodes = await bench.get("/cluster/nodes");
  assert.deepEqual(
    [status.clustered, status.is_leader, status.role],
    [false, true, "single-node"] as unknown,
  );
  assert.equal(nodes.nodes!.length as unknown, 1);
  assert.equal(nodes.nodes![0]!.node_id, status.node_id);
  assert.deepEqual([nodes.leader_node_id, nodes.lease_owner], [status.node_id, status.node_id]);
  assert.deepEqual((await bench.get("/dr/status")).enabled as unknown, false);
  assert.equal((await bench.get("/service/status")).state as unknown, "disabled");
  for (const act of ["activate", "release"]) {
    assert.equal((await bench.post(`/dr/${act}`, {})).status, 503);
  }
});
