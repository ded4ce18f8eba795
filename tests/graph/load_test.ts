import assert from "node:assert/strict";
import { createHash } from "node:crypto";
import {
  BundleError,
  declareBundle,
  describeDeclared,
  loadGraph,
  shownSettings,
  validateBundle,
} from "../../src/graph/mod.ts";
import { fingerprint } from "../../src/graph/fingerprint.ts";
import { connection, FakeSandbox, loadOptions, openBundle, registryOf, sound } from "./bench.ts";

async function problemsOf(act: Promise<unknown>): Promise<readonly string[]> {
  try {
    await act;
    return [];
  } catch (thrown) {
    if (thrown instanceof BundleError) return thrown.message.split("\n").map((line) => line.trim());
    throw thrown;
  }
}

Deno.test("loadGraph() gives the sandbox the sources and returns a frozen graph", async () => {
  await using bundle = await openBundle({
    "graph/adt.ts": "module",
    "graph/_help.ts": "helper",
    "codesets/x.csv": "k,v\na,b\n",
    "connections.toml": "[[outbound]]\nname = 'OB_T'\ntransport = 'mllp'\n" +
      "[outbound.settings]\nhost = 'ehr'\nport = 6662\n",
  });
  const fake = new FakeSandbox();
  const { graph, sandbox, codeSets, warnings } = await loadGraph(loadOptions(bundle.dir, fake));
  assert.deepEqual(fake.inputs, [{
    graphDir: "graph",
    modules: [{ path: "adt.ts", source: "module" }],
    helpers: [{ path: "_help.ts", source: "helper" }],
    codeSets: [{ name: "x", entries: [["a", "b"]] }],
    environment: "dev",
    outboundNames: ["OB_T"],
  }]);
  assert.deepEqual([...graph.inbounds.keys()], ["IB_A"]);
  assert.deepEqual([...graph.outbounds.keys()], ["OB_B", "OB_T"]);
  assert.deepEqual(graph.routers.get("route")?.handlers, ["handle"]);
  assert.deepEqual(graph.handlers.get("handle")?.sends, ["OB_B"]);
  assert.deepEqual(codeSets.map(({ name }) => name), ["x"]);
  assert.equal(graph.files, 4);
  assert.match(graph.fingerprint, /^[0-9a-f]{64}$/);
  assert.deepEqual(warnings, []);
  assert.equal(fake.open, 1);
  sandbox[Symbol.dispose]();
  assert.throws(() => Object.assign(graph, { files: 0 }), TypeError);
});

Deno.test("loadGraph() lists every problem at once and closes the sandbox", async () => {
  await using bundle = await openBundle({
    "graph/adt.ts": "",
    "codesets/x.csv": "k\n",
    "connections.toml": "[[outbound]]\nname = 'OB_T'\n",
  });
  const registry = registryOf({
    ...sound,
    outbounds: [connection("OB_B", "mllp", { settings: { host: { env: "h" }, port: 1 } })],
  });
  const problem = { message: "Unexpected token", file: "graph/adt.ts", line: 3 };
  const fake = new FakeSandbox(registry, [problem]);
  const lines = await problemsOf(loadGraph(loadOptions(bundle.dir, fake)));
  assert.deepEqual(lines.slice(1), [
    '- codesets/x.csv:1: Code set "x": the header needs a key column and at least one value column',
    '- connections.toml:1: Connection "OB_T" needs a transport',
    '- graph/adt.ts:1: Outbound "OB_B": setting "host": environment value "h" has no value in ' +
    "this environment",
    "- graph/adt.ts:3: Unexpected token",
  ]);
  assert.match(lines[0] ?? "", /Cannot load graph ".*", 4 problems:/);
  assert.equal(fake.open, 0);
});

Deno.test("loadGraph() runs nothing of a source that others can write", async () => {
  await using bundle = await openBundle({ "graph/adt.ts": "", "codesets/x.csv": "k\n" });
  await Deno.chmod(`${bundle.dir}/graph/adt.ts`, 0o666);
  const fake = new FakeSandbox();
  const lines = await problemsOf(loadGraph(loadOptions(bundle.dir, fake)));
  assert.equal(fake.inputs.length, 0);
  assert.ok(lines.some((line) => line.includes("writable by everyone")));
  assert.ok(lines.some((line) => line.includes('Code set "x"')), "other faults are told as well");
  const env = { MEFOR_ALLOW_INSECURE_CONFIG_SOURCE: "1" };
  const { sandbox, warnings } = await loadGraph(loadOptions(bundle.dir, new FakeSandbox(), { env }))
    .catch(async () => {
      await bundle.write("codesets/x.csv", "k,v\n");
      return await loadGraph(loadOptions(bundle.dir, new FakeSandbox(), { env }));
    });
  assert.equal(warnings.length, 1);
  sandbox[Symbol.dispose]();
});

Deno.test("loadGraph() refuses unknown routers, empty bundles and missing directories", async () => {
  await using bundle = await openBundle({ "graph/adt.ts": "" });
  const lost = new FakeSandbox(registryOf({ ...sound, routers: [] }));
  assert.match(
    (await problemsOf(loadGraph(loadOptions(bundle.dir, lost))))[0] ?? "",
    /graph\/adt\.ts:1: Inbound "IB_A": router "route" is not defined/,
  );
  const empty = new FakeSandbox(registryOf({}));
  assert.match(
    (await problemsOf(loadGraph(loadOptions(bundle.dir, empty))))[0] ?? "",
    /declares no connection/,
  );
  const lines = await problemsOf(loadGraph(loadOptions("/nowhere", new FakeSandbox())));
  assert.match(lines[0] ?? "", /No directory "\/nowhere"/);
});

Deno.test("loadGraph() does not miss names that a broken module would have declared", async () => {
  await using bundle = await openBundle({ "graph/adt.ts": "" });
  const broken = new FakeSandbox(registryOf({ ...sound, routers: [] }), [{ message: "broken" }]);
  const lines = await problemsOf(loadGraph(loadOptions(bundle.dir, broken)));
  assert.ok(!lines.some((line) => line.includes("is not defined")), lines.join("\n"));
});

Deno.test("loadGraph() refuses a bind_address that is not one host", async () => {
  await using bundle = await openBundle({ "graph/adt.ts": "" });
  const load = (bind_address: string) => {
    const options = { router: "route", bind_address };
    const inbounds = [connection("IB_A", "mllp", { settings: { port: 2575 }, options })];
    const fake = new FakeSandbox(registryOf({ ...sound, inbounds }));
    return problemsOf(
      loadGraph(loadOptions(bundle.dir, fake)).then(({ sandbox }) => sandbox[Symbol.dispose]()),
    );
  };
  for (const address of ["10.0.0.1", "::", "[::1]", "localhost"]) {
    assert.deepEqual(await load(address), [], address);
  }
  for (const address of ["10.0.0.0/8", "*", "*.example.org", "10.0.0.1:2575"]) {
    const [first] = await load(address);
    assert.match(
      first ?? "",
      /Inbound "IB_A": option "bind_address" must be one host name or address/,
    );
  }
});

Deno.test("loadGraph() refuses what [egress] does not allow, resolved", async () => {
  await using bundle = await openBundle({
    "graph/adt.ts": "",
    "environments/dev.toml": "ehr_host = 'ehr.example.org'\n",
  });
  const registry = registryOf({
    ...sound,
    outbounds: [
      connection("OB_B", "mllp", { settings: { host: { env: "ehr_host" }, port: 6661 } }),
    ],
  });
  const text = `[environments]\nbase_dir = "${bundle.dir}"\n[egress]\nallowed_mllp = ["LIST"]\n`;
  const load = (entry: string) => {
    const fake = new FakeSandbox(registry);
    return loadGraph(loadOptions(bundle.dir, fake, {
      text: text.replace("LIST", entry),
      reachOf: (_type, direction, { host, port }) =>
        direction === "inbound"
          ? []
          : [{ kind: "net", list: "allowed_mllp", host: String(host), port: Number(port) }],
    }));
  };
  const { sandbox } = await load("ehr.example.org:6661");
  sandbox[Symbol.dispose]();
  assert.match(
    (await problemsOf(load("ehr.example.org:6662")))[0] ?? "",
    /Outbound "OB_B" may not reach "ehr\.example\.org:6661"/,
  );
});

Deno.test("loadGraph() misses the value file only where a project root promises one", async () => {
  await using bundle = await openBundle({ "graph/adt.ts": "" });
  const settings = { host: { env: "h", default: "lab" }, port: 1 };
  const registry = registryOf({ ...sound, outbounds: [connection("OB_B", "mllp", { settings })] });
  const text = `[environments]\nbase_dir = "${bundle.dir}"\n`;
  const lines = await problemsOf(
    loadGraph(loadOptions(bundle.dir, new FakeSandbox(registry), { text })),
  );
  assert.match(lines[0] ?? "", /environments\/dev\.toml: The value file .* is missing/);
  const literal = await loadGraph(loadOptions(bundle.dir, new FakeSandbox(), { text }));
  literal.sandbox[Symbol.dispose]();
});

Deno.test("validateBundle() lists problems without an environment and closes the sandbox", async () => {
  await using bundle = await openBundle({ "graph/adt.ts": "", "connections.toml": "x = 1\n" });
  const settings = { host: { env: "h" }, port: 1 };
  const registry = registryOf({ ...sound, outbounds: [connection("OB_B", "mllp", { settings })] });
  const fake = new FakeSandbox(registry);
  assert.deepEqual(await validateBundle(loadOptions(bundle.dir, fake)), [{
    message: 'Unknown top-level key "x"',
    file: "connections.toml",
    line: 1,
    severity: "error",
  }]);
  assert.equal(fake.open, 0);
});

Deno.test("fingerprint() follows its definition and sees every change", async () => {
  const bytes = new TextEncoder().encode("content");
  const expected = createHash("sha256").update("mefor-cfg-fp:v1\n");
  for (const path of ["a.ts", "b.ts"]) {
    expected.update(path).update("\0").update(createHash("sha256").update(bytes).digest());
    expected.update("\0");
  }
  const files = [{ path: "b.ts", bytes }, { path: "a.ts", bytes }];
  assert.equal(fingerprint(files), expected.digest("hex"));

  await using bundle = await openBundle({
    "graph/adt.ts": "1",
    "graph/_help.ts": "1",
    "graph/adt_test.ts": "1",
    "codesets/x.csv": "k,v\n",
    "environments/dev.toml": "",
    "environments/prod.toml": "",
  });
  const text = `[environments]\nbase_dir = "${bundle.dir}"\n`;
  const load = async () => {
    const { graph, sandbox } = await loadGraph(
      loadOptions(bundle.dir, new FakeSandbox(), { text }),
    );
    sandbox[Symbol.dispose]();
    return graph.fingerprint;
  };
  const seen = new Set([await load()]);
  for (const path of ["graph/adt.ts", "graph/_help.ts", "environments/prod.toml"]) {
    await bundle.write(path, "# 2");
    seen.add(await load());
  }
  await bundle.write("codesets/x.csv", "k,v\na,b\n");
  seen.add(await load());
  await bundle.write("codesets/y.toml", "");
  seen.add(await load());
  assert.equal(seen.size, 6);
  await bundle.write("graph/adt_test.ts", "2");
  seen.add(await load());
  assert.equal(seen.size, 6, "tests are no part of the graph");
});

Deno.test("describeDeclared() has the published shape, references unresolved, secrets hidden", async () => {
  await using bundle = await openBundle({ "graph/adt.ts": "" });
  const registry = registryOf({
    ...sound,
    inbounds: [
      connection("IB_A", "mllp", {
        settings: { port: { env: "p", default: 1, cast: "int" } },
        options: { router: "route", strict: true },
      }),
    ],
  });
  const { declared, sandbox } = await declareBundle(
    loadOptions(bundle.dir, new FakeSandbox(registry)),
  );
  assert.ok(declared && sandbox);
  sandbox[Symbol.dispose]();
  assert.deepEqual(describeDeclared(declared), {
    inbound: [{
      name: "IB_A",
      type: "mllp",
      settings: { port: { env: "p", default: 1 } },
      router: "route",
      ack_mode: "original",
      strict: true,
      file: "graph/adt.ts",
      line: 1,
    }],
    outbound: [{
      name: "OB_B",
      type: "mllp",
      settings: { host: "lab.example.org", port: 6661 },
      file: "graph/adt.ts",
      line: 1,
    }],
    routers: [{ name: "route", file: "graph/adt.ts", line: 5, handlers: ["handle"] }],
    handlers: [{ name: "handle", file: "graph/adt.ts", line: 9, sends: ["OB_B"] }],
  });
  assert.deepEqual(
    shownSettings("mllp", {
      port: 1,
      tls_key_password: { env: "pw", default: "hunter2" },
    }),
    { port: 1, tls_key_password: { env: "pw" } },
  );
  assert.deepEqual(shownSettings("mllp", { tls_key_password: "hunter2" }), {
    tls_key_password: "***",
  });
});
