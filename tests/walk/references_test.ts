import assert from "node:assert/strict";
import { metricsText } from "../../src/api/metrics.ts";
import { ScriptedPartner } from "../connectors/scripted_partner.ts";
import { freePort, until } from "../connectors/waiting.ts";
import { admission, Walk } from "./bench.ts";

// Goal: handlers read tables that the engine reads from outside, whole and sealed in its store.

const key = "MDEyMzQ1Njc4OTAxMjM0NTY3ODkwMTIzNDU2Nzg5MDE=";

function graph({ port, lab, csv }: { port: number; lab: number; csv: string }): string {
  return `
    import { env, fileRef, handler, inbound, mllp, outbound, reference, router, send } from "messagefoundry";
    const lab = outbound("OB_LAB", mllp({ host: "127.0.0.1", port: ${lab} }));
    const providers = reference("providers", {
      source: fileRef({ path: ${csv} }), refreshSeconds: 1,
    });
    const enrich = handler("enrich", (msg) => {
      const [ward] = [reference<{ name: string; floor: string }>("wards").get("W1")];
      msg.set("MSH-3", providers.get("P1") ?? "unknown").set("MSH-4", ward?.floor ?? "");
      msg.set("MSH-5", providers.has("P9") ? "has" : "has not").set("MSH-6", providers.size + "");
      return send(lab, msg);
    });
    inbound("IB_ADT", mllp({ port: ${port} }), { router: router("route", () => enrich) });
  `;
}

const wards = `
  import { fileRef, reference } from "messagefoundry";
  reference("wards", { source: fileRef({ path: "WARDS" }) });
`;

async function sourceFiles() {
  const dir = await Deno.makeTempDir({ prefix: "mefor_ref_" });
  const [csv, json] = [`${dir}/providers.csv`, `${dir}/wards.json`];
  await Deno.writeTextFile(csv, "id,npi\nP1,CANARY-npi-1\nP2,x\n");
  await Deno.writeTextFile(json, JSON.stringify({ W1: { name: "North", floor: "3" } }));
  return { dir, csv, json, [Symbol.asyncDispose]: () => Deno.remove(dir, { recursive: true }) };
}

const fieldsOf = (text: string) => text.split("|").slice(2, 6);

Deno.test("a handler reads what a file said, then what it says, and the old while it is broken", async () => {
  await using lab = await ScriptedPartner.start();
  await using files = await sourceFiles();
  const port = await freePort();
  await using walk = await Walk.open({
    graph: {
      "walk.ts": graph({ port, lab: lab.port, csv: 'env("providers_csv")' }),
      "wards.ts": wards.replace("WARDS", files.json),
    },
    env: { MEFOR_VALUE_PROVIDERS_CSV: files.csv, MEFOR_STORE_ENCRYPTION_KEY: key },
    settings: "[reference]\nrefresh_interval_seconds = 1\n",
  });
  const send = async (id: string) => {
    await walk.exchange(port, admission(id));
    await walk.disposition(id, "processed");
    return fieldsOf(lab.received.at(-1)!.text);
  };
  assert.deepEqual(await send("F1"), ["CANARY-npi-1", "3", "has not", "2"]);

  const version = () => walk.engine.references.figures().find(({ name }) => name === "providers");
  const first = version()!.version;
  await Deno.writeTextFile(files.csv, "id,npi\nP1,npi-2\nP9,y\nP3,z\n");
  await until(() => version()!.version !== first, "the next version");
  assert.deepEqual(await send("F2"), ["npi-2", "3", "has", "3"]);

  const second = version()!.version;
  await Deno.writeTextFile(files.csv, "id,npi\nP1,CANARY-a\nP1,CANARY-b\n");
  const line = await walk.logged("reference.sync_failed");
  assert.match(line, /graph\.reference_unreadable/);
  assert.match(line, /line 3: the key stands in an earlier row too/);
  assert.ok(walk.log.every((one) => !one.includes("CANARY")), "no key and no value is told");
  assert.deepEqual(await send("F3"), ["npi-2", "3", "has", "3"]);
  assert.equal(version()!.version, second);
  const figures = await metricsText(walk.engine);
  assert.match(figures, /^messagefoundry_reference_failures\{set="providers"\} [1-9]\d*$/m);
  assert.match(figures, /^messagefoundry_reference_failures\{set="wards"\} 0$/m);
  const readAt = /^messagefoundry_reference_last_read_timestamp_seconds\{set="wards"\} (.+)$/m;
  assert.ok(Math.abs(Number(readAt.exec(figures)?.[1]) - Date.now() / 1000) < 60);

  // The source is gone and the engine begins anew: the store still has the last good version.
  await Deno.remove(files.csv);
  await walk.stop();
  await walk.start();
  assert.deepEqual(await send("F4"), ["npi-2", "3", "has", "3"]);
  const { length } = (await walk.engine.store.register("auditNewest", 50))
    .filter(({ action }) => action === "reference_sync");
  assert.equal(length, 3, "one row for each version that was written");
  await walk.stop();
  for (const end of ["", "-wal", "-log"]) {
    const bytes = await Deno.readFile(walk.storePath + end).catch(() => new Uint8Array());
    assert.doesNotMatch(new TextDecoder("latin1").decode(bytes), /npi-2|North/);
  }
});

Deno.test("a set that could never be read fails the message, not the engine", async () => {
  await using lab = await ScriptedPartner.start();
  await using files = await sourceFiles();
  const port = await freePort();
  await using walk = await Walk.open({
    graph: {
      "walk.ts": graph({ port, lab: lab.port, csv: JSON.stringify(`${files.dir}/none.csv`) }),
      "wards.ts": wards.replace("WARDS", files.json),
    },
  });
  await walk.exchange(port, admission("U1"));
  const { error } = await walk.disposition("U1", "error");
  assert.match(error ?? "", /^GraphError: Cannot read reference "providers": nothing of it was/);
  await walk.logged("reference.sync_failed");
  // It is there now, and a reload looks at what was never read.
  await Deno.writeTextFile(`${files.dir}/none.csv`, "id,npi\nP1,late\n");
  await walk.engine.reload({ bundleDir: walk.dir, dryRun: false });
  await walk.exchange(port, admission("U2"));
  await walk.disposition("U2", "processed");
  assert.deepEqual(fieldsOf(lab.received.at(-1)!.text)[0], "late");
});

Deno.test("a reload may read a set from another file, and a batch sees one version only", async () => {
  await using lab = await ScriptedPartner.start();
  await using files = await sourceFiles();
  const port = await freePort();
  const module = (csv: string) => graph({ port, lab: lab.port, csv: JSON.stringify(csv) });
  await using walk = await Walk.open({
    graph: { "walk.ts": module(files.csv), "wards.ts": wards.replace("WARDS", files.json) },
    settings: "[reference]\nsync_on_startup = false\n",
  });
  await walk.exchange(port, admission("O1"));
  await walk.disposition("O1", "processed");
  const other = `${files.dir}/other.toml`;
  await Deno.writeTextFile(other, 'P1 = "other"\n');
  await walk.bundle.write("graph/walk.ts", module(other));
  await walk.engine.reload({ bundleDir: walk.dir, dryRun: false });
  await walk.exchange(port, admission("O2"));
  await walk.disposition("O2", "processed");
  const fields = lab.received.map(({ text }) => fieldsOf(text));
  assert.deepEqual(fields.map(([npi, , , size]) => [npi, size]), [
    ["CANARY-npi-1", "2"],
    ["other", "1"],
  ]);
});

Deno.test("a set that a reload brings along is read again when it is due, not when others are", async () => {
  await using lab = await ScriptedPartner.start();
  await using files = await sourceFiles();
  const port = await freePort();
  const whole = graph({ port, lab: lab.port, csv: JSON.stringify(files.csv) });
  const seldom = whole.replace("refreshSeconds: 1,", "refreshSeconds: 3600,");
  await using walk = await Walk.open({
    graph: { "walk.ts": seldom, "wards.ts": wards.replace("WARDS", files.json) },
  });
  const version = () =>
    walk.engine.references.figures().find(({ name }) => name === "providers")?.version;
  const first = version();
  await walk.bundle.write("graph/walk.ts", whole);
  await walk.engine.reload({ bundleDir: walk.dir, dryRun: false });
  await Deno.writeTextFile(files.csv, "id,npi\nP1,npi-2\n");
  await until(() => version() !== first, "the next version");
});

Deno.test("a graph that reads a set nobody declares, or one with a bad source, is not loaded", async () => {
  const port = await freePort();
  const text = graph({ port, lab: 1, csv: '"/tmp/providers.xlsx"' });
  const misspelt = `import { reference } from "messagefoundry"; reference("provider");`;
  await assert.rejects(
    Walk.open({ graph: { "walk.ts": text, "other.ts": misspelt } }),
    /Reference "provider" is not declared; is "providers" meant\?/,
  );
  await assert.rejects(
    Walk.open({ graph: { "walk.ts": text, "wards.ts": wards } }),
    /Reference "providers": setting "path" must name a \.csv, \.toml or \.json file/,
  );
});
