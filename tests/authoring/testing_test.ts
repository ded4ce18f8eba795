// The import order is the documented one: "messagefoundry/testing" before any graph module.
import assert from "node:assert/strict";
import {
  buildMessage,
  loadBundle,
  runHandler,
  runInbound,
  runRouter,
} from "messagefoundry/testing";
import {
  currentCorrelation,
  handler,
  RawMessage,
  reference,
  response,
  send,
  setState,
  state,
} from "messagefoundry";

const bundle = new URL("./bundle/", import.meta.url);
const codeSets = {
  adt_events: { A01: "admit" },
  facility_mnemonics: { ACME: "ACMEHOSP" },
};

Deno.test("loadBundle() imports the graph's modules, once", async () => {
  const loaded = await loadBundle(bundle);
  assert.deepEqual(loaded.routers, ["acme_adt", "labco_research"]);
  assert.deepEqual(loaded.inbounds, ["IB_ACME_ADT", "IB_LABCO_ORU"]);
  assert.deepEqual(await loadBundle(bundle), loaded);
});

Deno.test("loadBundle() takes a path as it is, whatever a URL would make of it", async () => {
  const dir = await Deno.makeTempDir({ prefix: "a#b 100%25 ü " });
  try {
    await Deno.mkdir(`${dir}/graph`);
    // Without imports, for the import map ends at this repository.
    await Deno.writeTextFile(`${dir}/graph/a b.ts`, "globalThis.wasLoadedByPath = true;");
    await loadBundle(dir);
    assert.equal((globalThis as { wasLoadedByPath?: boolean }).wasLoadedByPath, true);
  } finally {
    await Deno.remove(dir, { recursive: true });
    delete (globalThis as { wasLoadedByPath?: boolean }).wasLoadedByPath;
  }
});

Deno.test("runHandler() gives sends and state", async () => {
  await loadBundle(bundle);
  const message = buildMessage({ type: "ADT^A01" });
  const { sends, error } = await runHandler("acme_admissions", message, {
    codeSets,
    environment: "staging",
  });
  assert.equal(error, undefined);
  assert.deepEqual(sends.map(({ to }) => to), ["OB_EPIC_ADT", "FILE-OUT_ACME_ADT"]);
  assert.equal(sends[0]?.message.get("MSH-4"), "ACMEHOSP");
  assert.equal(sends[0]?.message.get("MSH-11.1"), "T");
  assert.equal(message.get("MSH-4"), "ACME");
});

Deno.test("runHandler() reads the state it is given", async () => {
  await loadBundle(bundle);
  const message = buildMessage({
    type: "ORU^R01",
    segments: ["PID|1||123^^^ACME^MR||DOE^JANE||19800101|F"],
  });
  const known = await runHandler("labco_anonymize", message, {
    state: { patient_alias: { "123": "ANON-1" } },
  });
  assert.equal(known.sends[0]?.message.get("PID-3.1"), "ANON-1");
  assert.deepEqual(known.state, []);
  const unknown = await runHandler("labco_anonymize", message);
  assert.equal(unknown.state[0]?.namespace, "patient_alias");
});

Deno.test("runRouter() and runInbound() take the message's walk", async () => {
  await loadBundle(bundle);
  const message = buildMessage({ type: "ADT^A01" });
  assert.deepEqual((await runRouter("acme_adt", message)).handlers, ["acme_admissions"]);
  const result = await runInbound("IB_ACME_ADT", message, { codeSets });
  assert.equal(result.outcomes[0]?.handler, "acme_admissions");
  assert.equal(result.outcomes[0]?.sends.length, 2);
  await assert.rejects(runInbound("IB_NONE", message), { code: "graph.inbound_unknown" });
});

Deno.test("what fails in the engine fails in a test", async () => {
  await loadBundle(bundle);
  const message = buildMessage({ type: "ADT^A01" });
  const missing = await runHandler("acme_admissions", message);
  assert.match(missing.error ?? "", /^GraphError: Cannot read code set "adt_events"/);
  const nobody = await runHandler("nobody", message);
  assert.match(nobody.error ?? "", /^GraphError: Cannot run handler "nobody"/);
});

Deno.test("runs of one test file do not mix", async () => {
  const count = handler("count", async (message: RawMessage) => {
    const before = state<number>("n", "k");
    await Promise.resolve();
    return [setState("n", "k", (before ?? 0) + 1), send("OB_TOML", message)];
  });
  const raw = new RawMessage("{}", "json");
  const results = await Promise.all(
    [1, 2, 3].map((k) => runHandler(count, raw, { state: { n: { k } }, outbounds: ["OB_TOML"] })),
  );
  assert.deepEqual(results.map((result) => result.state[0]?.value), [2, 3, 4]);
  assert.deepEqual(results.map((result) => result.sends[0]?.payload), ["{}", "{}", "{}"]);
});

Deno.test("setState() and state() refuse names that a store would not keep", () => {
  const refused = ["", "x".repeat(513), "\u6f22".repeat(427), "a\ud83d", "\ude00", 5];
  for (const name of refused as string[]) {
    for (const [namespace, key] of [[name, "k"], ["n", name]] as const) {
      assert.throws(() => setState(namespace, key, 1), { code: "graph.state_invalid" });
      assert.throws(() => state(namespace, key), { code: "graph.state_invalid" });
    }
  }
  for (const name of ["x".repeat(512), "\u6f22".repeat(426), "a\0", "\u{1f600}".repeat(256)]) {
    setState(name, name, 1);
  }
});

Deno.test("a test may say what references hold and what a message came from", async () => {
  const lookUp = handler("look_up", (message: RawMessage) => {
    const answer = response("OB_PORTAL");
    return send("OB_TOML", {
      npi: reference("providers").get("P1"),
      from: currentCorrelation()?.outbound,
      depth: currentCorrelation()?.depth,
      outcome: answer?.outcome,
      body: answer?.body,
      raw: message.raw,
    });
  });
  const raw = new RawMessage("{}", "json");
  const outbounds = ["OB_TOML"];
  const { sends } = await runHandler(lookUp, raw, {
    outbounds,
    references: { providers: { P1: "123" } },
    correlation: { outbound: "OB_PORTAL" },
    responses: { OB_PORTAL: { body: "done" } },
  });
  assert.deepEqual(JSON.parse(sends[0]!.payload), {
    ...{ npi: "123", from: "OB_PORTAL", depth: 1, outcome: "accepted", body: "done", raw: "{}" },
  });
  const { error } = await runHandler(lookUp, raw, { outbounds });
  assert.match(error ?? "", /Cannot read reference "providers": no module declares it/);
});
