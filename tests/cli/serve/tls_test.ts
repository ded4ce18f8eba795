// Goal: an operator sets two keys and has HTTPS, under permissions that know the files; what cannot
// be served ends the start with 3 and one sentence.
import assert from "node:assert/strict";
import { X509Certificate } from "node:crypto";
import { fetchOnce, tlsLines, tlsTest } from "../../api/https_bench.ts";
import type { Identity } from "../../connectors/certificates.ts";
import { freePort } from "../../connectors/waiting.ts";
import { graphText, run, Served, type TempDir, tempDir } from "../program.ts";

const launcherFlags = [
  "--allow-read",
  "--allow-env=MEFOR_*",
  "--ignore-env",
  `--allow-run=${Deno.execPath()}`,
];

async function bundle(dir: TempDir, lines: string): Promise<string[]> {
  await dir.write("graph/adt.ts", graphText({ port: await freePort() }));
  await dir.write("messagefoundry.toml", `[api]\nport = 0\n${lines}`);
  return ["--project-root", dir.path, "--db", `${dir.path}/mf.db`, "--env", "dev"];
}

async function urlOf(served: Served): Promise<string> {
  const line = await served.line(/engine\.started api=https:\/\//);
  const [, port] = /api=https:\/\/\S+:(\d+)/.exec(line) ?? [];
  return `https://localhost:${port}`;
}

function fingerprint({ cert }: Identity): string {
  return new X509Certificate(Deno.readTextFileSync(cert)).fingerprint256;
}

// As certbot lays its files out: what the settings name are links, and a renewal turns them.
tlsTest(
  "serve speaks TLS with an encrypted key, and follows a renewal under its permissions",
  async (
    { dir: files, ca, client, server, renewed },
  ) => {
    await using dir = await tempDir();
    const live = { cert: `${files}/live/cert.pem`, key: `${files}/live/key.pem` };
    await Deno.mkdir(`${files}/live`);
    await Deno.mkdir(`${files}/archive`);
    const turnTo = async (identity: Identity, generation: number) => {
      const from = { cert: identity.cert, key: await ca.encryptKey(identity, "open sesame") };
      for (const kind of ["cert", "key"] as const) {
        await Deno.copyFile(from[kind], `${files}/archive/${kind}${generation}.pem`);
        await Deno.symlink(`../archive/${kind}${generation}.pem`, `${live[kind]}.new`);
        await Deno.rename(`${live[kind]}.new`, live[kind]);
      }
    };
    await turnTo(server, 1);
    const args = await bundle(dir, `${tlsLines(live)}tls_client_ca_file = "${ca.file}"\n`);
    const env = { MEFOR_API_TLS_KEY_PASSWORD: "open sesame" };
    await using served = new Served(args, { flags: launcherFlags, env });
    const flags = await served.line(/^engine permissions: /);
    for (const path of [live.cert, live.key, ca.file]) assert.ok(flags.includes(path), path);
    assert.ok(!flags.includes(`${files},`) && !flags.includes("cert2"), "more than asked for");
    const loaded = await served.line(/INFO \S+ api\.certificate_loaded days_left=\d fingerprint=/);
    assert.ok(loaded.includes(fingerprint(server)), loaded);
    const url = await urlOf(served);
    const health = await fetchOnce(`${url}/health`, { ca, identity: client });
    assert.equal(JSON.parse(health.text).status, "ok");
    await assert.rejects(fetchOnce(`${url}/health`, { ca }));
    await served.line(/WARNING \S+ api\.tls_failed client=127\.0\.0\.1 reason=\S+/);

    await turnTo(renewed, 2);
    const again = await served.line(/api\.certificate_loaded/, 2);
    assert.ok(again.includes(fingerprint(renewed)), again);
    assert.equal((await fetchOnce(`${url}/health`, { ca, identity: client })).status, 200);
    assert.equal(await served.stop(), 0);
    assert.doesNotMatch(served.text, /sesame|PRIVATE KEY|uncaught|not in effect/);
  },
);

tlsTest("serve finds certificates beside itself, and binds localhost by name", async (
  { ca, server },
) => {
  await using dir = await tempDir();
  await Deno.copyFile(server.cert, `${dir.path}/api.pem`);
  await Deno.copyFile(server.key, `${dir.path}/api.key`);
  const lines = 'host = "localhost"\ntls_min_version = "1.3"\n';
  const args = await bundle(dir, `${tlsLines({ cert: "api.pem", key: "api.key" })}${lines}`);
  await using served = new Served(args, { flags: launcherFlags, cwd: dir.path });
  const url = await urlOf(served);
  assert.equal((await fetchOnce(`${url}/health`, { ca })).status, 200);
  assert.equal(await served.stop(), 0);
  assert.doesNotMatch(served.text, /WARNING|ERROR|error:/);

  const exposed = [...args, "--host", "0.0.0.0"];
  await using open = new Served(exposed, { flags: launcherFlags, cwd: dir.path });
  await open.line(/^info: The API on "0\.0\.0\.0" is served over TLS$/);
  assert.equal((await fetchOnce(`${await urlOf(open)}/health`, { ca })).status, 200);
  assert.equal(await open.stop(), 0);
});

tlsTest("serve without a certificate it can use ends with 3, before anything is opened", async (
  { dir: files, ca, server, renewed },
) => {
  await using dir = await tempDir();
  const encrypted = await ca.encryptKey(server, "open sesame");
  const sealed = tlsLines({ cert: server.cert, key: encrypted });
  const cases: readonly [string, Record<string, string>, RegExp][] = [
    [
      sealed,
      { MEFOR_API_TLS_KEY_PASSWORD: "wrong" },
      /tls_key_password does not open it\nhint: Put/,
    ],
    [sealed, {}, /it is encrypted\nhint: .*MEFOR_API_TLS_KEY_PASSWORD/],
    [tlsLines({ cert: server.cert, key: renewed.key }), {}, /does not belong to certificate/],
    [tlsLines({ cert: `${files}/gone.pem`, key: server.key }), {}, /cannot read .*gone\.pem/],
    [
      `${tlsLines(server)}tls_client_ca_file = "${server.key}"\n`,
      {},
      /no readable PEM certificate/,
    ],
  ];
  for (const [lines, env, wanted] of cases) {
    const args = await bundle(dir, lines);
    const { code, err } = await run(["serve", ...args], { flags: launcherFlags, env });
    assert.equal(code, 3, err);
    assert.match(err, /error: Cannot serve the API over TLS: /);
    assert.match(err, wanted);
    assert.doesNotMatch(err, /wrong|sesame|\n\s+at /);
    assert.deepEqual([...Deno.readDirSync(dir.path)].filter(({ name }) => /mf\.db/.test(name)), []);
  }
  const lines = `${tlsLines(server)}tls_ciphers = "ECDHE-RSA-AES128-SHA"\n`;
  const refused = await run(["serve", ...await bundle(dir, lines)], { flags: launcherFlags });
  assert.equal(refused.code, 2);
  assert.match(refused.err, /tls_ciphers must permit every suite .* ECDHE-ECDSA-AES256-GCM-SHA384/);
});
