/** Permission flags of these tests: net (loopback), read, write, run. */
import assert from "node:assert/strict";
import { freePort } from "../connectors/waiting.ts";
import { run, Served, type TempDir, tempDir } from "./program.ts";

interface Shown {
  readonly environment: string;
  readonly findings: readonly { subject: string; problem: string; advice: string }[];
  readonly egress: string | null;
  readonly overriding: readonly string[];
}

/** A bundle that has nothing loose about it but its `[egress]`; data lie beside it. */
async function layOut(dir: TempDir): Promise<readonly string[]> {
  for (const name of ["store", "out"]) await Deno.mkdir(`${dir.path}/${name}`);
  await dir.write(
    "bundle/graph/adt.ts",
    `import { file, handler, inbound, mllp, outbound, router, send } from "messagefoundry";
const lab = outbound("OB_LAB", mllp({ host: "127.0.0.1", port: ${await freePort()} }));
const ipv6 = outbound("OB_SIX", mllp({ host: "[0:0::1]", port: 6662 }));
const copy = outbound("FILE-OUT_COPY", file({ directory: "${dir.path}/out/a \\"b\\"", filename: "x.hl7" }));
const forward = handler("forward", (message) => [send(lab, message), send(ipv6, message), send(copy, message)]);
const route = router("route", () => forward);
inbound("IB_ADT", mllp({ port: ${await freePort()} }), { router: route });
`,
  );
  const store = `${dir.path}/store/mf.db`;
  return ["--project-root", `${dir.path}/bundle`, "--db", store, "--env", "dev"];
}

const launcherFlags = [
  "--allow-read",
  "--allow-env=MEFOR_*",
  "--ignore-env",
  `--allow-run=${Deno.execPath()}`,
];

// Goal: what is printed is what is needed. Method: it is put in place of the settings it was printed
// for; the engine starts, and nothing is found any more.
for (
  const [name, egress] of [
    ["no [egress] at all", ""],
    ["lists that are wider", `[egress]\nallowed_mllp = ["127.0.0.1", "::1", "ehr.example.org"]\n`],
    ["a closed one with a wide folder", "[egress]\nallowed_file_dirs = ['DIR']\n"],
  ] as const
) {
  Deno.test(`permissions --tighten prints the [egress] that pins a graph with ${name}`, async () => {
    await using dir = await tempDir();
    const args = await layOut(dir);
    const settings = async (table: string) =>
      await dir.write(
        "bundle/messagefoundry.toml",
        `[api]\nport = ${await freePort()}\n${table.replace("DIR", dir.path)}\n`,
      );
    const show = async (): Promise<Shown> => {
      const { code, out, err } = await run(["permissions", ...args, "--tighten", "--json"]);
      assert.equal(code, 0, err);
      return JSON.parse(out);
    };
    await settings(egress);
    const loose = await show();
    assert.ok(loose.findings.length > 0);
    assert.ok(loose.findings.every(({ subject }) => subject.startsWith("[egress]")));
    const readable = await run(["permissions", ...args, "--tighten"]);
    assert.ok(readable.out.endsWith(`\n${loose.egress}\n`), readable.out);
    for (const { subject, problem, advice } of loose.findings) {
      assert.ok(readable.out.includes(`  ${subject} ${problem}\n    ${advice}\n`));
    }

    await settings(loose.egress ?? "");
    assert.deepEqual(await show(), {
      environment: "dev",
      findings: [],
      egress: null,
      overriding: [],
    });
    const nothing = await run(["permissions", ...args, "--tighten"]);
    assert.equal(nothing.out, 'Nothing to tighten for environment "dev"\n');
    await using served = new Served(args, { flags: launcherFlags });
    await served.line(/engine\.started/);
    assert.equal(await served.stop(), 0);
  });
}

Deno.test("permissions --tighten says which variable would win over the file", async () => {
  await using dir = await tempDir();
  const args = await layOut(dir);
  const env = { MEFOR_EGRESS_ALLOWED_MLLP: "127.0.0.1,::1" };
  const { out } = await run(["permissions", ...args, "--tighten", "--json"], { env });
  assert.deepEqual((JSON.parse(out) as Shown).overriding, ["MEFOR_EGRESS_ALLOWED_MLLP"]);
  const { err } = await run(["permissions", ...args, "--tighten"], { env });
  assert.match(err, /^warning: MEFOR_EGRESS_ALLOWED_MLLP is set and wins over the file$/m);
});

Deno.test("permissions --tighten refuses what serve refuses", async () => {
  await using dir = await tempDir();
  const args = await layOut(dir);
  await dir.write("bundle/messagefoundry.toml", `[egress]\ndeny_by_default = true\n`);
  const { code, err } = await run(["permissions", ...args, "--tighten"]);
  assert.equal(code, 2);
  assert.match(err, /Outbound "OB_LAB" may not reach/);
});
