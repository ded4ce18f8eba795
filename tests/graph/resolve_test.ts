import assert from "node:assert/strict";
import { readConnectionsToml } from "../../src/graph/connections_toml.ts";
import { mergeDeclared } from "../../src/graph/declared.ts";
import { resolveDeclared } from "../../src/graph/resolve.ts";
import type { DeclaredConnection } from "../../src/sandbox/protocol.ts";
import { loadSettings } from "../../src/settings/mod.ts";
import { connection, registryOf } from "./bench.ts";

function resolve(
  connections: { inbounds?: DeclaredConnection[]; outbounds?: DeclaredConnection[] },
  { values = {}, text = "" }: { values?: Record<string, unknown>; text?: string } = {},
) {
  const { settings } = loadSettings({ file: { path: "messagefoundry.toml", text } });
  const environment = {
    file: "environments/dev.toml",
    fileExists: true,
    values: new Map(Object.entries(values)),
  };
  const { declared } = mergeDeclared(registryOf(connections), readConnectionsToml(undefined));
  return resolveDeclared(declared, { settings, environment });
}

const partner = (settings: Record<string, unknown>, options: Record<string, unknown> = {}) =>
  connection("OB_B", "mllp", { settings, options });

Deno.test("resolveDeclared() fills defaults in and inherits [delivery]", () => {
  const { inbounds, outbounds, problems } = resolve({
    inbounds: [connection("IB_A", "mllp", { settings: { port: 2575 }, options: { router: "r" } })],
    outbounds: [partner({ host: "lab", port: 6661 })],
  });
  assert.deepEqual(problems, []);
  const inbound = inbounds.get("IB_A");
  assert.equal(inbound?.settings.max_connections, 256);
  assert.equal(inbound?.settings.encoding, "utf-8");
  assert.equal(inbound?.ackMode, "original");
  assert.equal(inbound?.contentType, "hl7v2");
  assert.deepEqual(inbound?.sourceIpAllowlist, []);
  assert.ok(!Object.hasOwn(inbound?.settings ?? {}, "host"));
  assert.deepEqual(inbound?.declaredSettings, { port: 2575 });
  const outbound = outbounds.get("OB_B");
  assert.deepEqual(outbound?.retry, {
    maxAttempts: null,
    backoffMs: 5_000,
    multiplier: 2,
    maxBackoffMs: 300_000,
  });
  assert.deepEqual(outbound?.buildup, { maxDepth: null, maxOldestMs: 300_000 });
  assert.equal(outbound?.ordering, "fifo");
  assert.equal(outbound?.internalError, "continue");
  assert.equal(outbound?.simulate, false);
  assert.equal(outbound?.verifyAckControlId, "lenient");
});

Deno.test("resolveDeclared() merges policies key by key", () => {
  const text = "[delivery]\nretry_max_attempts = 7\nretry_backoff_seconds = 1\n" +
    "buildup_max_depth = 100\nordering = 'unordered'\ninternal_error = 'stop'\n";
  const of = (options: Record<string, unknown>) =>
    resolve({ outbounds: [partner({ host: "lab", port: 1 }, options)] }, { text }).outbounds.get(
      "OB_B",
    );
  assert.deepEqual(of({ retry: { max_backoff_seconds: 60 } })?.retry, {
    maxAttempts: 7,
    backoffMs: 1_000,
    multiplier: 2,
    maxBackoffMs: 60_000,
  });
  assert.equal(of({ retry: { max_attempts: null } })?.retry.maxAttempts, null);
  assert.equal(of({ retry: { max_attempts: 0 } })?.retry.maxAttempts, null);
  assert.equal(of({ retry: { max_attempts: 3 } })?.retry.maxAttempts, 3);
  assert.deepEqual(of({ buildup: { max_oldest_seconds: null } })?.buildup, {
    maxDepth: 100,
    maxOldestMs: null,
  });
  assert.equal(of({})?.ordering, "unordered");
  assert.equal(of({ ordering: "fifo" })?.ordering, "fifo");
  assert.equal(of({ internal_error: "continue" })?.internalError, "continue");
});

Deno.test("resolveDeclared() simulates everything under [shadow]", () => {
  const text = "[shadow]\nsimulate_all_egress = true\n";
  const outbounds = [partner({ host: "lab", port: 1 }, { simulate: false })];
  assert.equal(resolve({ outbounds }, { text }).outbounds.get("OB_B")?.simulate, true);
  const own = [partner({ host: "lab", port: 1 }, { simulate: true })];
  assert.equal(resolve({ outbounds: own }).outbounds.get("OB_B")?.simulate, true);
});

Deno.test("resolveDeclared() coerces values to the setting's type and keeps references for display", () => {
  const declared = partner({
    host: { env: "ehr_host" },
    port: { env: "EHR_PORT" },
    persistent: { env: "keep", default: "no" },
  });
  const { outbounds, problems } = resolve({ outbounds: [declared] }, {
    values: { ehr_host: "lab", ehr_port: "6661" },
  });
  assert.deepEqual(problems, []);
  const outbound = outbounds.get("OB_B");
  assert.equal(outbound?.settings.port, 6661);
  assert.equal(outbound?.settings.persistent, false);
  assert.deepEqual(outbound?.declaredSettings.port, { env: "EHR_PORT" });
});

Deno.test("resolveDeclared() reports every missing and unreadable value, showing none", () => {
  const { outbounds, problems } = resolve({
    inbounds: [
      connection("IB_A", "mllp", {
        settings: { port: { env: "in_port" } },
        options: { router: "r" },
      }),
    ],
    outbounds: [partner({ host: { env: "ehr_host" }, port: { env: "ehr_port" } })],
  }, { values: { ehr_port: "s3cret" } });
  assert.deepEqual(problems.map(({ message }) => message), [
    'Inbound "IB_A": setting "port": environment value "in_port" has no value in this environment',
    'Outbound "OB_B": setting "host": environment value "ehr_host" has no value in this environment',
    'Outbound "OB_B": setting "port": environment value "ehr_port" has a value that cannot be ' +
    "read as a whole number",
  ]);
  assert.equal(outbounds.size, 0);
});

Deno.test("resolveDeclared() holds resolved values to the setting's bounds", () => {
  const { problems } = resolve({ outbounds: [partner({ host: "lab", port: { env: "p" } })] }, {
    values: { p: 70_000 },
  });
  assert.equal(problems.length, 1);
  assert.match(problems[0]?.message ?? "", /"port" must be .* \(environment value "p"\)/);
});

Deno.test("resolveDeclared() accepts a secret only once it came from the environment", () => {
  const settings = {
    port: 2575,
    tls: true,
    tls_cert_file: "c.pem",
    tls_key_password: { env: "key_password" },
  };
  const inbounds = [connection("IB_A", "mllp", { settings, options: { router: "r" } })];
  const { inbounds: resolved, problems } = resolve({ inbounds }, { values: { key_password: "x" } });
  assert.deepEqual(problems, []);
  assert.equal(resolved.get("IB_A")?.settings.tls_key_password, "x");
});

Deno.test("resolveDeclared() finds ports that meet once resolved, the API's too", () => {
  const listener = (name: string, port: unknown, options: Record<string, unknown> = {}) =>
    connection(name, "mllp", { settings: { port }, options: { router: "r", ...options } });
  const { problems } = resolve({
    inbounds: [
      listener("IB_A", { env: "p" }),
      listener("IB_B", 8765),
      listener("IB_C", 2575, { bind_address: "10.0.0.1" }),
      listener("IB_D", 2575, { bind_address: "127.0.0.1" }),
    ],
  }, { values: { p: 2575 } });
  assert.deepEqual(problems.map(({ message }) => message), [
    'Inbound "IB_B" listens on port 8765, as the API does',
    'Inbound "IB_D" listens on port 2575, as inbound "IB_A" does',
  ]);
});

Deno.test("resolveDeclared() gives content that is not HL7 no acknowledgement", () => {
  const options = { router: "r", content_type: "json" };
  const inbounds = [connection("IB_J", "file", { settings: { directory: "in" }, options })];
  assert.equal(resolve({ inbounds }).inbounds.get("IB_J")?.ackMode, "none");
});
