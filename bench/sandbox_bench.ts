/**
 * What a message costs in the sandbox: parse, route, translate two fields, encode, both crossings.
 *
 * Run: deno run --allow-read=src --allow-sys=cpus bench/sandbox_bench.ts
 * CPU is that of all threads together; wall is what a caller waits, divided by the batch.
 */
import process from "node:process";
import { type RunRequest, Sandbox } from "../src/sandbox/mod.ts";

const source = `
  import { codeSet, currentEnvironment, file, handler, inbound, mllp, outbound, router, send }
    from "messagefoundry";
  const epic = outbound("OB_EPIC_ADT", mllp({ host: "h", port: 1 }));
  const archive = outbound("FILE-OUT_ACME_ADT", file({ directory: "/d", filename: "{MSH-10}.hl7" }));
  const events = codeSet("adt_events");
  const facilities = codeSet("facility_mnemonics");
  const admissions = handler("acme_admissions", (msg) => {
    if (!events.has(msg.triggerEvent)) return null;
    const mnemonic = facilities.get(msg.get("MSH-4"));
    if (mnemonic) msg.set("MSH-4", mnemonic);
    if (currentEnvironment() === "staging") msg.set("MSH-11.1", "T");
    return [send(epic, msg), send(archive, msg)];
  });
  const route = router("acme_adt", (msg) => msg.messageCode === "ADT" ? admissions : null);
  inbound("IB_ACME_ADT", mllp({ port: 2576 }), { router: route });
`;

/** About 2 KB, as an ADT with next of kin, observations and insurance is. */
function adt(controlId: number): string {
  const lines = [
    `MSH|^~\\&|EHR|ACME|LAB|LABCO|20240102030405||ADT^A01^ADT_A01|${controlId}|P|2.5.1`,
    "EVN|A01|20240102030405|||CLERK^A",
    "PID|1||123456^^^ACME^MR~99887^^^STATE^SS||DOE^JANE^Q^^MS||19800101|F||2106-3|1 MAIN ST^^TOWN^ST^12345^USA",
    "PV1|1|I|2W^201^A^ACME||||1234^ATTENDING^A^^^DR|5678^REFERRING^B|||||||||||V0001|||||||||||||||||||||20240102",
  ];
  for (let i = 1; lines.join("\r").length < 2_000; i++) {
    lines.push(
      `OBX|${i}|NM|8302-2^Body height^LN||${170 + i}|cm^centimetre^UCUM|150-200|N|||F|||20240102`,
    );
  }
  return lines.join("\r") + "\r";
}

async function measure(sandbox: Sandbox, size: number, messages: number): Promise<void> {
  const batch: RunRequest[] = Array.from({ length: size }, (_, index) => ({
    inbound: "IB_ACME_ADT",
    router: "acme_adt",
    text: adt(index),
    contentType: "hl7v2",
    ingestTime: 1_700_000_000,
  }));
  const rounds = Math.ceil(messages / size);
  for (let round = 0; round < rounds / 2; round++) await sandbox.run(batch);
  const cpu = process.cpuUsage();
  const start = performance.now();
  for (let round = 0; round < rounds; round++) await sandbox.run(batch);
  const wall = (performance.now() - start) * 1_000;
  const { user, system } = process.cpuUsage(cpu);
  const each = (micros: number) => (micros / (rounds * size)).toFixed(1).padStart(7);
  console.log(
    `batch ${String(size).padStart(2)}: wall ${each(wall)} us, CPU ${
      each(user + system)
    } us a message`,
  );
}

const start = performance.now();
const { sandbox, problems } = await Sandbox.load({
  graphDir: "graph",
  modules: [{ path: "adt.ts", source }],
  codeSets: [
    { name: "adt_events", entries: [["A01", "admit"], ["A04", "register"]] },
    { name: "facility_mnemonics", entries: [["ACME", "ACMEHOSP"]] },
  ],
  environment: "production",
  state: [],
  loadTimeoutMs: 10_000,
  batchTimeoutMs: 5_000,
  messageTimeoutMs: 5_000,
  redact: (text) => text,
});
if (sandbox === undefined) throw new Error(JSON.stringify(problems));
console.log(
  `load: ${(performance.now() - start).toFixed(0)} ms, message: ${adt(0).length} characters`,
);
await measure(sandbox, 1, 8_000);
await measure(sandbox, 8, 16_000);
await measure(sandbox, 64, 40_000);
sandbox.close();
