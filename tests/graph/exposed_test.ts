import assert from "node:assert/strict";
import { exposedListeners } from "../../src/graph/mod.ts";
import { mergeDeclared } from "../../src/graph/declared.ts";
import { readConnectionsToml } from "../../src/graph/connections_toml.ts";
import { resolveDeclared } from "../../src/graph/resolve.ts";
import { loadSettings } from "../../src/settings/mod.ts";
import { connection, registryOf } from "./bench.ts";

function exposed(bindHost: string, parts: { bindAddress?: string; tls?: boolean; type?: string }) {
  const { bindAddress, tls = false, type = "mllp" } = parts;
  const options = {
    router: "r",
    ...(bindAddress === undefined ? {} : { bind_address: bindAddress }),
  };
  const listening = { port: 2575, tls, ...(tls ? { tls_cert_file: "c.pem" } : {}) };
  const settings = type === "mllp" ? listening : { directory: "in" };
  const registry = registryOf({ inbounds: [connection("IB_A", type, { settings, options })] });
  const text = `[inbound]\nbind_host = "${bindHost}"\n`;
  const loaded = loadSettings({ file: { path: "messagefoundry.toml", text } }).settings;
  const environment = { file: undefined, fileExists: false, values: new Map<string, unknown>() };
  const { declared } = mergeDeclared(registry, readConnectionsToml(undefined));
  const { inbounds, problems } = resolveDeclared(declared, { settings: loaded, environment });
  assert.deepEqual(problems, []);
  return exposedListeners({ inbounds }, loaded.inbound).map(({ name }) => name);
}

Deno.test("exposedListeners() finds plaintext listeners off loopback only", () => {
  assert.deepEqual(exposed("0.0.0.0", {}), ["IB_A"]);
  assert.deepEqual(exposed("127.0.0.1", { bindAddress: "10.0.0.1" }), ["IB_A"]);
  assert.deepEqual(exposed("::", {}), ["IB_A"]);
  assert.deepEqual(exposed("0.0.0.0", { tls: true }), []);
  assert.deepEqual(exposed("0.0.0.0", { bindAddress: "localhost" }), []);
  assert.deepEqual(exposed("127.0.0.1", {}), []);
  assert.deepEqual(exposed("0.0.0.0", { type: "file" }), []);
});
