import assert from "node:assert/strict";
import { isAllowed, type Reach } from "../../src/graph/mod.ts";
import { checkEgress } from "../../src/graph/egress.ts";
import { type EgressSettings, loadSettings } from "../../src/settings/mod.ts";
import { openBundle } from "./bench.ts";

function egressOf(lists: Record<string, readonly string[] | boolean>): EgressSettings {
  const lines = Object.entries(lists).map(([key, value]) => `${key} = ${JSON.stringify(value)}`);
  const text = `[egress]\n${lines.join("\n")}\n`;
  return loadSettings({ file: { path: "messagefoundry.toml", text } }).settings.egress;
}

const net = (host: string, port = 2575): Reach => ({
  kind: "net",
  list: "allowed_mllp",
  host,
  port,
});
const path = (directory: string): Reach => ({
  kind: "path",
  list: "allowed_file_dirs",
  path: directory,
  write: true,
});

const hosts: readonly (readonly [entry: string, reach: Reach, allowed: boolean])[] = [
  ["lab.example.org", net("lab.example.org"), true],
  ["lab.example.org", net("LAB.Example.Org"), true],
  ["LAB.example.org", net("lab.example.org."), true],
  ["lab.example.org", net("evil-lab.example.org"), false],
  ["lab.example.org", net("lab.example.org.evil.org"), false],
  ["lab.example.org:2575", net("lab.example.org"), true],
  ["lab.example.org:2576", net("lab.example.org"), false],
  ["10.0.0.1", net("10.0.0.1"), true],
  ["10.0.0.1", net("10.0.0.10"), false],
  ["10.0.0.1", net("::ffff:10.0.0.1"), true],
  ["::1", net("0:0:0:0:0:0:0:1"), true],
  ["[::1]:2575", net("::1"), true],
  ["[::1]:2576", net("::1"), false],
  ["fe80::1", net("fe80::2"), false],
];
for (const [entry, reach, allowed] of hosts) {
  Deno.test(`isAllowed() is ${allowed} for ${JSON.stringify(reach)} under ${entry}`, async () => {
    assert.equal(await isAllowed(reach, egressOf({ allowed_mllp: [entry] })), allowed);
  });
}

Deno.test("isAllowed() leaves a kind with an empty list open, or closed by default", async () => {
  assert.ok(await isAllowed(net("anywhere"), egressOf({})));
  assert.ok(await isAllowed(net("anywhere"), egressOf({ allowed_tcp: ["lab"] })));
  assert.ok(!await isAllowed(net("anywhere"), egressOf({ deny_by_default: true })));
  assert.ok(!await isAllowed(path("/tmp"), egressOf({ deny_by_default: true })));
});

Deno.test("isAllowed() compares real directories", async () => {
  await using allowed = await openBundle({ "in/x": "" });
  await using other = await openBundle({ "y": "" });
  await Deno.symlink(other.dir, `${allowed.dir}/link`);
  await Deno.symlink(`${allowed.dir}/in`, `${other.dir}/back`);
  const egress = egressOf({ allowed_file_dirs: [allowed.dir] });
  const verdicts: [string, boolean][] = [
    [allowed.dir, true],
    [`${allowed.dir}/in`, true],
    [`${allowed.dir}/not/yet/there`, true],
    [`${allowed.dir}/in/../..`, false],
    [`${allowed.dir}/link`, false],
    [`${allowed.dir}/link/new`, false],
    [`${other.dir}/back`, true],
    [`${allowed.dir}2`, false],
    [other.dir, false],
  ];
  for (const [directory, expected] of verdicts) {
    assert.equal(await isAllowed(path(directory), egress), expected, directory);
  }
  // An entry that is itself a link names what it leads to.
  const linked = egressOf({ allowed_file_dirs: [`${allowed.dir}/link`] });
  assert.ok(await isAllowed(path(other.dir), linked));
});

Deno.test("checkEgress() names connection, target and list, and passes over free reaches", async () => {
  const position = { file: "graph/adt.ts", line: 7 };
  const reach: Reach[] = [net("lab"), { ...net("free"), list: "" }];
  const connections = [{ connection: "OB_B", direction: "outbound", position, reach }] as const;
  assert.deepEqual(await checkEgress(connections, egressOf({ allowed_mllp: ["ehr"] })), [{
    message: 'Outbound "OB_B" may not reach "lab:2575": [egress] allowed_mllp does not allow it',
    severity: "error",
    file: "graph/adt.ts",
    line: 7,
  }]);
  const [closed] = await checkEgress(connections, egressOf({ deny_by_default: true }));
  assert.match(closed?.message ?? "", /allowed_mllp is empty and deny_by_default is set/);
  await assert.rejects(
    isAllowed({ ...net("lab"), list: "allowed_nothing" }, egressOf({})),
    TypeError,
  );
});
