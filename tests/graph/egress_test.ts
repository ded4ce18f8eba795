import assert from "node:assert/strict";
import { basename, relative, resolve } from "node:path";
import fc from "fast-check";
import { isAllowed, type Reach } from "../../src/graph/mod.ts";
import { checkEgress } from "../../src/graph/egress.ts";
import { egress as egressSection } from "../../src/settings/egress.ts";
import { type EgressSettings, hostAndPort, loadSettings } from "../../src/settings/mod.ts";
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
  ["[::1]", net("[::1]"), true],
  ["::1", net("[0::1]"), true],
  ["[FE80:0:0::1]:2575", net("fe80::1"), true],
  ["::ffff:10.0.0.1", net("10.0.0.1"), true],
  ["lab.example.org.:2575", net("Lab.Example.ORG"), true],
  ["lab", net("lab.example.org"), false],
  ["lab.example.org", net("lab"), false],
  // Whatever a resolver would make of a name, it stays one, and so do odd spellings of addresses.
  ["127.0.0.1", net("localhost"), false],
  ["localhost", net("127.0.0.1"), false],
  ["127.0.0.1", net("127.1"), false],
  ["127.0.0.1", net("2130706433"), false],
  ["127.0.0.1", net("::1"), false],
];
for (const [entry, reach, allowed] of hosts) {
  Deno.test(`isAllowed() is ${allowed} for ${JSON.stringify(reach)} under ${entry}`, async () => {
    assert.equal(await isAllowed(reach, egressOf({ allowed_mllp: [entry] })), allowed);
  });
}

const host = fc.oneof(fc.domain(), fc.ipV4(), fc.ipV6().filter((text) => !text.includes(".")));
const port = fc.integer({ min: 1, max: 65_535 });

Deno.test("isAllowed() lets a host through in every spelling, and no other host", async () => {
  await fc.assert(fc.asyncProperty(host, port, async (host, port) => {
    const isName = /[a-z]$/i.test(host) && !host.includes(":");
    const same = [host, host.toUpperCase(), ...isName ? [`${host}.`] : []];
    const other = isName
      ? [`x${host}`, `x.${host}`, `${host}.x`, `${host}x`, "10.0.0.1"]
      : ["lab", host.includes(":") ? "10.0.0.1" : `${host}0`];
    const entries = [host, hostAndPort({ host, port }), hostAndPort({ host, port }).toUpperCase()];
    for (const entry of entries) {
      const egress = egressOf({ allowed_mllp: [entry] });
      for (const one of same) assert.ok(await isAllowed(net(one, port), egress), one);
      for (const one of other) assert.ok(!await isAllowed(net(one, port), egress), one);
      const isAnyPort = entry === host;
      const next = port % 65_535 + 1;
      assert.equal(await isAllowed(net(host, next), egress), isAnyPort, `${entry} ${next}`);
    }
  }));
});

const lists = Object.keys(egressSection.keys).filter((key) => key.startsWith("allowed_"));
for (const list of lists) {
  Deno.test(`isAllowed() holds ${list} for itself, open when empty unless deny_by_default`, async () => {
    const reach: Reach = list === "allowed_file_dirs"
      ? { ...path("/srv/out"), list }
      : { ...net("lab"), list };
    const entry = reach.kind === "path" ? "/srv" : "lab";
    const others = Object.fromEntries(
      lists.filter((other) => other !== list).map((other) => [
        other,
        [other === "allowed_file_dirs" ? "/srv" : "lab"],
      ]),
    );
    for (const deny_by_default of [false, true]) {
      assert.equal(await isAllowed(reach, egressOf({ deny_by_default })), !deny_by_default);
      assert.equal(
        await isAllowed(reach, egressOf({ ...others, deny_by_default })),
        !deny_by_default,
      );
      assert.ok(await isAllowed(reach, egressOf({ [list]: [entry], deny_by_default })));
      const another = reach.kind === "path" ? "/srv/other" : "ehr";
      assert.ok(!await isAllowed(reach, egressOf({ [list]: [another], deny_by_default })));
    }
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
    [`${allowed.dir}/`, true],
    [`${allowed.dir}//in/./`, true],
    [`${allowed.dir}/link/..`, true],
    [`${other.dir}/../${basename(allowed.dir)}/in`, true],
    [relative(Deno.cwd(), `${allowed.dir}/in`), true],
    [relative(Deno.cwd(), other.dir), false],
    // The operating system says nothing of where these lead.
    [`${allowed.dir}/${"x".repeat(300)}`, false],
    [`${allowed.dir}/a\0b`, false],
  ];
  for (const [directory, expected] of verdicts) {
    assert.equal(await isAllowed(path(directory), egress), expected, directory);
  }
  // An entry that is itself a link names what it leads to.
  const linked = egressOf({ allowed_file_dirs: [`${allowed.dir}/link`] });
  assert.ok(await isAllowed(path(other.dir), linked));
});

// Goal: no spelling of a directory leads out. Method: any walk over links, held against the disk.
Deno.test("isAllowed() goes by where a directory really is", async () => {
  await using tree = await openBundle({ "root/in/x": "", "other/y": "" });
  const { dir } = tree;
  await Deno.symlink(`${dir}/other`, `${dir}/root/out`);
  await Deno.symlink("..", `${dir}/root/in/up`);
  await Deno.symlink(`${dir}/root/in`, `${dir}/other/back`);
  const egress = egressOf({ allowed_file_dirs: [`${dir}/root/`] });
  const step = fc.constantFrom("..", ".", "", "root", "other", "in", "out", "up", "back");
  const start = fc.constantFrom(dir, `${dir}/root`, `${dir}/other`);
  await fc.assert(fc.asyncProperty(start, fc.array(step, { maxLength: 6 }), async (from, steps) => {
    const asked = resolve([from, ...steps].join("/"));
    const real = await Deno.realPath(asked).catch(() => undefined);
    if (real === undefined) return;
    const expected = real === `${dir}/root` || real.startsWith(`${dir}/root/`);
    assert.equal(await isAllowed(path(asked), egress), expected, asked);
  }));
});

Deno.test("checkEgress() refuses what is not one host, whatever the lists say", async () => {
  for (const host of ["10.0.0.0/8", "*.example.org", "*", "lab:2575", "lab,ehr", "läb.example"]) {
    const reach: Reach[] = [net(host), { ...net(host), list: "" }];
    const found = await checkEgress(
      [{ connection: "OB_B", direction: "outbound", position: undefined, reach }],
      egressOf({}),
    );
    assert.deepEqual(found.map(({ message }) => message), [
      `Outbound "OB_B" may not reach "${host}:2575": it is not one host name or address`,
      `Outbound "OB_B" may not reach "${host}:2575": it is not one host name or address`,
    ]);
  }
});

Deno.test("checkEgress() refuses link-local and metadata addresses, whatever the lists say", async () => {
  const refusals = async (host: string) => {
    const egress = egressOf({ allowed_mllp: [host] });
    const reach = [net(host)];
    const connections = [{
      connection: "OB_B",
      direction: "outbound",
      position: undefined,
      reach,
    }] as const;
    return (await checkEgress(connections, egress)).map(({ message }) => message);
  };
  for (
    const host of [
      "169.254.169.254",
      "169.254.0.1",
      "::ffff:169.254.169.254",
      "[::FFFF:a9fe:a9fe]",
      "100.100.100.200",
      "168.63.129.16",
      "fd00:ec2:0::254",
      "fe80::1",
      "febf::1",
    ]
  ) {
    assert.match((await refusals(host))[0] ?? "", /no partner has a link-local address/, host);
  }
  for (const host of ["169.253.0.1", "10.0.0.1", "fec0::1", "fd00:ec2::255", "lab", "169.254"]) {
    assert.deepEqual(await refusals(host), [], host);
  }
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
