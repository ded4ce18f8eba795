import assert from "node:assert/strict";
import {
  collectFixtures,
  dryRun,
  type DryRunInbound,
  type DryRunSandbox,
  type Fixture,
} from "../../src/graph/mod.ts";
import type { RunRequest, RunResult } from "../../src/sandbox/protocol.ts";
import { openBundle } from "./bench.ts";

const adt = "MSH|^~\\&|A|B|C|D|20260102||ADT^A04|M1|P|2.5.1\rPID|1||4711||DOE^JANE\r";

const inbound: DryRunInbound = {
  name: "IB_A",
  router: "route",
  contentType: "hl7v2",
  strict: false,
  hl7Version: undefined,
  encoding: "utf-8",
};

function fixture(text: string, path = "messages/adt.hl7"): Fixture {
  return { path, bytes: new TextEncoder().encode(text) };
}

/** Answers every message alike and remembers what it was asked. */
function answering(result: Partial<RunResult>): DryRunSandbox & { requests: RunRequest[] } {
  const requests: RunRequest[] = [];
  return {
    requests,
    run(request) {
      requests.push(request);
      return Promise.resolve({ handlers: [], outcomes: [], ...result });
    },
  };
}

const sending: Partial<RunResult> = {
  handlers: ["h"],
  outcomes: [{
    handler: "h",
    sends: [{ to: "OB_SAME", payload: undefined }, {
      to: "OB_B",
      payload: adt.replace("DOE", "ROE"),
    }],
    state: [{ namespace: "alias", key: "4711", value: '"ANON-1"' }],
  }],
};

async function rows(
  text: string,
  sandbox: DryRunSandbox,
  { showPhi = false, diff = false, on = inbound }: {
    showPhi?: boolean;
    diff?: boolean;
    on?: DryRunInbound;
  } = {},
) {
  return await dryRun([fixture(text)], on, { sandbox, ingestTime: 1_700_000_000, showPhi, diff });
}

Deno.test("dryRun() shows the row of the published shape, content hidden", async () => {
  const sandbox = answering(sending);
  const [row] = await rows(adt.replaceAll("\r", "\r\n"), sandbox);
  assert.deepEqual(row, {
    source: "adt.hl7",
    path: "messages/adt.hl7",
    inbound: "IB_A",
    disposition: "received",
    message_type: "ADT^A04",
    control_id: "M1",
    summary: null,
    handlers: ["h"],
    deliveries: [
      { to: "OB_SAME", payload: `<redacted ${adt.length} chars; pass --show-phi>` },
      { to: "OB_B", payload: `<redacted ${adt.length} chars; pass --show-phi>` },
    ],
    state_ops: [{
      namespace: "alias",
      key: "<redacted 4 chars; pass --show-phi>",
      value: "<redacted 8 chars; pass --show-phi>",
    }],
    error: null,
    raw: `<redacted ${adt.length} chars; pass --show-phi>`,
  });
  assert.deepEqual(sandbox.requests[0], {
    inbound: "IB_A",
    router: "route",
    text: adt,
    contentType: "hl7v2",
    ingestTime: 1_700_000_000,
  });
});

Deno.test("dryRun() shows content and differences when asked to", async () => {
  const [row] = await rows(adt, answering(sending), { showPhi: true, diff: true });
  assert.equal(row?.raw, adt);
  assert.equal(row?.summary, "MRN 4711 · DOE^JANE");
  assert.equal(row?.deliveries[0]?.payload, adt);
  assert.deepEqual(row?.deliveries[0]?.diff, []);
  assert.deepEqual(row?.deliveries[1]?.diff, [{ path: "PID-5.1", before: "DOE", after: "ROE" }]);
  const [json] = await rows(
    adt,
    answering({
      handlers: ["h"],
      outcomes: [{ handler: "h", sends: [{ to: "O", payload: "{}" }], state: [] }],
    }),
    { showPhi: true, diff: true },
  );
  assert.equal(json?.deliveries[0]?.diff, null);
});

Deno.test("dryRun() leaves differences out while content is hidden", async () => {
  const [row] = await rows(adt, answering(sending), { diff: true });
  assert.ok(!JSON.stringify(row).includes("ROE"));
  assert.equal(row?.deliveries[1]?.diff, undefined);
});

Deno.test("dryRun() tells the four dispositions apart", async () => {
  const outcome = { handler: "h", sends: [], state: [] };
  const cases: [string, Partial<RunResult>][] = [
    ["received", sending],
    ["unrouted", {}],
    ["filtered", { handlers: ["h"], outcomes: [outcome] }],
    ["error", { error: "GraphError: handler is not defined" }],
    ["error", {
      handlers: ["g", "h"],
      outcomes: [...(sending.outcomes ?? []), { ...outcome, error: "Error: PID|1|DOE" }],
    }],
  ];
  for (const [expected, result] of cases) {
    const [row] = await rows(adt, answering(result));
    assert.equal(row?.disposition, expected);
    assert.equal(row?.error === null, expected !== "error");
    assert.ok(!String(row?.error).includes("DOE"));
  }
});

Deno.test("dryRun() splits files and numbers their messages", async () => {
  const sandbox = answering({});
  const found = await rows(
    `FHS|^~\\&\rBHS|^~\\&\r${adt}${adt.replace("M1", "M2")}BTS|2\r`,
    sandbox,
  );
  assert.deepEqual(found.map(({ source, control_id }) => [source, control_id]), [
    ["adt.hl7 [1]", "M1"],
    ["adt.hl7 [2]", "M2"],
  ]);
});

Deno.test("dryRun() refuses what intake would refuse, without running anything", async () => {
  const sandbox = answering(sending);
  for (const [text, error] of [["", "empty message"], ["PID|1\r", "no MSH"]] as const) {
    const [row] = await rows(text, sandbox);
    assert.deepEqual([row?.disposition, row?.error], ["error", error]);
  }
  const [undecodable] = await dryRun(
    [{ path: "x.hl7", bytes: new Uint8Array([0xff, 0xfe]) }],
    inbound,
    {
      sandbox,
      ingestTime: 0,
      showPhi: false,
      diff: false,
    },
  );
  assert.deepEqual([undecodable?.disposition, undecodable?.error], ["error", "decode error"]);
  const strict = { ...inbound, strict: true, hl7Version: "2.3" };
  const [row] = await rows(adt, sandbox, { on: strict });
  assert.match(row?.error ?? "", /^MSH-12/);
  assert.equal(sandbox.requests.length, 0);
});

Deno.test("dryRun() takes any file for an inbound that is not HL7", async () => {
  const sandbox = answering(sending);
  const [row] = await rows('{"a":1}', sandbox, { on: { ...inbound, contentType: "json" } });
  assert.equal(row?.message_type, null);
  assert.equal(sandbox.requests[0]?.text, '{"a":1}');
  await rows("\u0001", sandbox, { on: { ...inbound, contentType: "binary" } });
  assert.match(sandbox.requests[1]?.text ?? "", /^mfb64:v1:/);
});

Deno.test("collectFixtures() takes files and sorted directories, and misses what is missing", async () => {
  await using bundle = await openBundle({
    "m/b.hl7": "b",
    "m/a.hl7": "a",
    "m/a.hl7.expect": "ERROR",
    "m/c.json": "{}",
    "m/deep/d.hl7": "d",
    "empty/x.txt": "",
  });
  const names = async (...args: Parameters<typeof collectFixtures>) =>
    (await collectFixtures(...args)).map(({ path }) => path.slice(bundle.dir.length + 1));
  const dir = `${bundle.dir}/m`;
  assert.deepEqual(await names([dir]), ["m/a.hl7", "m/b.hl7"]);
  assert.deepEqual(await names([dir], { recursive: true }), [
    "m/a.hl7",
    "m/b.hl7",
    "m/deep/d.hl7",
  ]);
  assert.deepEqual(await names([dir], { anyFile: true }), ["m/a.hl7", "m/b.hl7", "m/c.json"]);
  assert.deepEqual(await names([`${dir}/c.json`]), ["m/c.json"]);
  await assert.rejects(collectFixtures([`${bundle.dir}/nothing`]), /No file or directory/);
  await assert.rejects(collectFixtures([`${bundle.dir}/empty`]), /No message file/);
});
