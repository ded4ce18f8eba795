import assert from "node:assert/strict";
import { resolve } from "node:path";
import fc from "fast-check";
import type { Grant } from "../../../src/cli/serve/permission_set.ts";
import { type ListedReach, tighten, type TightenInput } from "../../../src/cli/serve/tighten.ts";
import { isAllowed } from "../../../src/graph/mod.ts";
import { loadSettings } from "../../../src/settings/mod.ts";

function settingsOf(text: string) {
  const whole = `[store]\npath = "/data/mf.db"\n${text}`;
  return loadSettings({ file: { path: "messagefoundry.toml", text: whole } }).settings;
}

function input(text: string, rest: Partial<TightenInput> = {}): TightenInput {
  const settings = settingsOf(text);
  return {
    settings,
    grants: [],
    paths: {
      program: "/opt/mf/src",
      serviceFile: undefined,
      bundleDir: "/srv/bundle",
      environmentsDir: "/srv/values",
      egressDirs: settings.egress.allowedFileDirs.map((dir) => resolve(dir)),
      reloadRoots: [],
      apiTlsFiles: [],
      directoryCaFile: undefined,
      storeCaFile: undefined,
      breachListFile: undefined,
      missingStoreDir: undefined,
    },
    reaches: [],
    realPathOf: (path) => path.replace(/^\/link\b/, "/real"),
    ...rest,
  };
}

const mllp = (host: string, port = 2575): ListedReach => ({
  kind: "net",
  list: "allowed_mllp",
  host,
  port,
});
const written = (path: string): ListedReach => ({ kind: "path", list: "allowed_file_dirs", path });

function problems(text: string, rest: Partial<TightenInput> = {}): readonly string[] {
  const closed = `[egress]\ndeny_by_default = true\n${text}`;
  return tighten(input(closed, rest)).findings.map(({ subject, problem }) =>
    `${subject} ${problem}`
  );
}

const egressCases: readonly (readonly [text: string, ListedReach[], expected: RegExp[]])[] = [
  ["", [], []],
  ["", [mllp("lab")], [/allowed_mllp is empty/]],
  ['allowed_mllp = ["lab:2575"]', [mllp("LAB.")], []],
  ['allowed_mllp = ["[0::1]:2575"]', [mllp("[::1]")], []],
  ['allowed_mllp = ["lab"]', [mllp("lab")], [/allows every port of "lab"/]],
  ['allowed_mllp = ["lab:2576"]', [mllp("lab")], [/"lab:2576", where no connection/]],
  ['allowed_mllp = ["lab:2575", "ehr:1"]', [mllp("lab")], [/"ehr:1", where no connection/]],
  ['allowed_mllp = ["lab:2575"]', [], [/"lab:2575", where no connection/]],
  ['allowed_http = ["lab:2575"]', [], [/allowed_http allows "lab:2575", where no/]],
  ['allowed_file_dirs = ["/out/a"]', [written("/out/a")], []],
  ['allowed_file_dirs = ["/out/a/"]', [written("/out/a")], []],
  ['allowed_file_dirs = ["/out"]', [written("/out/a")], [/allows all of "\/out"/]],
  ['allowed_file_dirs = ["/other"]', [written("/out/a")], [/"\/other", where no .* writes/]],
  ['allowed_file_dirs = ["/link/a"]', [written("/link/a")], [/names "\/link\/a", which is a link/]],
  [`allowed_file_dirs = ["here"]`, [written(resolve("here"))], []],
  ['allowed_file_dirs = ["/real/a"]', [written("/link/a")], []],
];
for (const [text, reaches, expected] of egressCases) {
  const to = reaches.map((reach) => reach.kind === "net" ? reach.host : reach.path).join();
  Deno.test(`tighten() finds ${expected.length} under "${text}" for "${to}"`, () => {
    const found = problems(text, { reaches });
    assert.equal(found.length, expected.length, found.join("\n"));
    for (const [index, how] of expected.entries()) assert.match(found[index] ?? "", how);
    const { egress } = tighten(
      input(`[egress]\ndeny_by_default = true\n${text}`, { reaches }),
    );
    assert.equal(egress === undefined, expected.length === 0);
  });
}

// Goal: the printed lists let through what the graph reaches, and leave nothing to find.
Deno.test("tighten() prints an [egress] that allows every reach and finds no more under it", async () => {
  const host = fc.oneof(fc.domain(), fc.ipV4(), fc.ipV6());
  const port = fc.integer({ min: 1, max: 65_535 });
  const list = fc.constantFrom("allowed_mllp", "allowed_tcp", "allowed_http", "allowed_db");
  const reach: fc.Arbitrary<ListedReach> = fc.oneof(
    fc.record({ kind: fc.constant("net" as const), list, host, port }),
    fc.stringMatching(/^\/nowhere(\/[a-zé "'\\#]{1,8}[a-z]){1,3}$/).map(written),
  );
  await fc.assert(fc.asyncProperty(fc.array(reach, { maxLength: 6 }), async (reaches) => {
    const { egress } = tighten(input("", { reaches }));
    assert.ok(egress !== undefined, "deny_by_default is off");
    const again = input(`${egress}\n`, { reaches });
    assert.deepEqual(tighten(again), { findings: [], egress: undefined });
    for (const reach of reaches) {
      const asked = reach.kind === "path" ? { ...reach, write: true } : reach;
      assert.ok(await isAllowed(asked, again.settings.egress), JSON.stringify(reach));
    }
  }));
});

Deno.test("tighten() names what the lists cannot help: names, wildcards, folders", () => {
  const grant = (kind: Grant["kind"], value: string, reason = "why"): Grant => ({
    kind,
    action: "allow",
    value,
    reason,
  });
  const grants = [
    grant("net", "127.0.0.1:1"),
    grant("net", "[::1]:1"),
    grant("net", "lab.example.org:1", 'outbound "OB_LAB"'),
    grant("net", "0.0.0.0:2"),
    grant("net", "[::]:3"),
    grant("net", "0.0.0.0:0"),
    grant("read", "/srv/bundle"),
    grant("read", "/var"),
    grant("write", "/srv/bundle/out", 'outbound "FILE-OUT_A"'),
    grant("write", "/", 'inbound "FILE-IN_A"'),
    { ...grant("net", "name:0"), action: "deny" as const },
  ];
  const { paths } = input("");
  const found = problems("", { grants, paths: { ...paths, missingStoreDir: "/data" } });
  const expected = [
    /^--allow-net=lab\.example\.org:1 grants a name \(outbound "OB_LAB"\)/,
    /^--allow-net=0\.0\.0\.0:2 listens on every interface/,
    /^--allow-net=\[::\]:3 listens on every interface/,
    /^--allow-write=\/data grants the whole folder of the store/,
    /^--allow-read=\/srv\/bundle .*data lie in it: outbound "FILE-OUT_A" at "\/srv\/bundle\/out"/,
    /^--allow-read=\/var grants a folder of the system as a whole/,
    /^--allow-write=\/ grants a folder of the system as a whole/,
  ];
  assert.equal(found.length, expected.length, found.join("\n"));
  for (const [index, how] of expected.entries()) assert.match(found[index] ?? "", how);
});
