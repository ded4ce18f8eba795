// Goal: the API speaks TLS to clients that nobody here wrote, and only to those it should.
import assert from "node:assert/strict";
import tls from "node:tls";
import { startApi } from "../../src/api/mod.ts";
import { EngineError } from "../../src/errors.ts";
import { PASSWORD, seedUser } from "../auth/bench.ts";
import { hasTool, runTool } from "../connectors/foreign_tool.ts";
import { blocksOf, readPages } from "../docs/pages.ts";
import { freePort, within } from "../connectors/waiting.ts";
import { Walk } from "../walk/bench.ts";
import {
  askByOpenssl,
  type Certificates,
  connect,
  exchange,
  fetchOnce,
  HttpsBench,
  pem,
  tlsLines,
  tlsOf,
  tlsTest,
} from "./https_bench.ts";

const HSTS = "max-age=31536000; includeSubDomains";

/** What `openssl s_client` says of one handshake. */
async function handshake(port: number, { dir, ca }: Certificates, ...more: string[]) {
  const child = new Deno.Command("openssl", {
    // deno-fmt-ignore
    args: ["s_client", "-connect", `127.0.0.1:${port}`, "-CAfile", ca.file, "-verify_return_error",
      "-brief", ...more],
    cwd: dir,
    stdin: "null",
    stdout: "piped",
    stderr: "piped",
  }).spawn();
  const { success, stdout, stderr } = await within(child.output(), "openssl to end", 20_000);
  const decoder = new TextDecoder();
  return { success, text: decoder.decode(stdout) + decoder.decode(stderr) };
}

async function emptyGraph(): Promise<string> {
  return `
    import { inbound, mllp, router } from "messagefoundry";
    inbound("IB_ADT", mllp({ port: ${await freePort()} }), { router: router("route", () => null) });
  `;
}

tlsTest("startApi() serves the whole API over TLS, with its guards and headers", async (
  { ca, server },
) => {
  await using walk = await Walk.open({ graph: await emptyGraph() });
  await using api = await startApi(walk.engine, {
    host: "127.0.0.1",
    port: 0,
    tls: tlsOf(tlsLines(server)),
  });
  const url = `https://localhost:${api.port}`;
  const health = await fetchOnce(`${url}/health`, { ca });
  assert.equal(health.status, 200);
  assert.equal(JSON.parse(health.text).status, "ok");
  assert.equal(health.headers.get("strict-transport-security"), HSTS);
  assert.equal(health.headers.get("x-content-type-options"), "nosniff");
  assert.equal(health.headers.get("server"), null);

  const private_ = await fetchOnce(`${url}/messages`, { ca });
  assert.equal(private_.headers.get("cache-control"), "no-store");
  assert.equal((await fetchOnce(`${url}/health`, { ca, method: "HEAD" })).status, 405);
  const slash = await fetchOnce(`${url}/health/`, { ca });
  assert.deepEqual([slash.status, slash.headers.get("location")], [307, "/health"]);
  const post = (body: string, headers: Record<string, string> = {}) =>
    fetchOnce(`${url}/dead-letters/replay`, {
      ca,
      method: "POST",
      body,
      headers: { "content-type": "application/json", ...headers },
    });
  assert.equal((await post("{}")).status, 200);
  assert.equal((await post("{}", { origin: "https://evil.example" })).status, 403);
  assert.equal((await post(`{"x":"${"a".repeat(1_048_576)}"}`)).status, 413);

  const ask = (text: string) => exchange(api.port, ca, text);
  const close = "Connection: close\r\n\r\n";
  const refusals: readonly (readonly [string, RegExp])[] = [
    [`GET /health HTTP/1.1\r\nHost: evil.example\r\n${close}`, /^HTTP\/1\.1 421 [^]*detail/],
    [`GET http://evil.example/health HTTP/1.1\r\nHost: localhost\r\n${close}`, /^HTTP\/1\.1 421 /],
    [`GET /health HTTP/1.1\r\nHost: localhost\r\nHost: evil\r\n${close}`, /^HTTP\/1\.1 4\d\d /],
    [`GET /health HTTP/1.1\r\nHost: a b\r\n${close}`, /^HTTP\/1\.1 400 [^]*nosniff[^]*detail/],
    [
      `POST /dead-letters/replay HTTP/1.1\r\nHost: localhost\r\nTransfer-Encoding: chunked\r\n${close}` +
      "2\r\n{}\r\n0\r\n\r\n",
      /^HTTP\/1\.1 411 [^]*nosniff/,
    ],
    [
      `POST /dead-letters/replay HTTP/1.1\r\nHost: localhost\r\nContent-Length: 2\r\n` +
      `Transfer-Encoding: chunked\r\n${close}2\r\n{}\r\n0\r\n\r\n`,
      /^HTTP\/1\.1 400 /,
    ],
  ];
  for (const [request, wanted] of refusals) {
    const answer = await ask(request);
    assert.match(answer, wanted, request);
    assert.match(answer, new RegExp(`strict-transport-security: ${HSTS}`), request);
  }
  assert.match(await walk.logged("api.refused"), /client=127\.0\.0\.1 status=4/);
});

tlsTest("off loopback TLS serves any name, to whoever signs in", async ({ ca, server }) => {
  const settings = `[auth]\n[api]\nhost = "0.0.0.0"\n${tlsLines(server)}`;
  await using walk = await Walk.open({ graph: await emptyGraph(), settings });
  const tls = tlsOf(tlsLines(server));
  await using api = await startApi(walk.engine, { host: "0.0.0.0", port: 0, tls });
  const ask = (host: string, more = "") =>
    exchange(
      api.port,
      ca,
      `GET /status HTTP/1.1\r\nHost: ${host}\r\nConnection: close\r\n${more}\r\n`,
    );
  for (const host of ["engine.example.org", "10.0.0.9:8765", "localhost"]) {
    assert.match(await ask(host), /^HTTP\/1\.1 401 [^]*strict-transport-security/, host);
    assert.match(await ask(host, `Origin: https://${host}\r\n`), /^HTTP\/1\.1 401 /, host);
    assert.match(await ask(host, "Origin: https://evil.example\r\n"), /^HTTP\/1\.1 403 /, host);
  }
  await seedUser(walk.engine.store, "ann");
  const login = await fetchOnce(`https://localhost:${api.port}/auth/login`, {
    ca,
    method: "POST",
    headers: { "content-type": "application/json" },
    body: JSON.stringify({ username: "ann", password: PASSWORD }),
  });
  const token = `Authorization: Bearer ${JSON.parse(login.text).token}\r\n`;
  assert.match(await ask("engine.example.org", token), /^HTTP\/1\.1 200 /);
});

tlsTest("startApi() names the address it cannot have, over TLS too", async ({ ca, server }) => {
  await using walk = await Walk.open({ graph: await emptyGraph() });
  const tls = tlsOf(tlsLines(server));
  for (const host of ["127.0.0.1", "localhost", "::1", "[::1]"]) {
    await using api = await startApi(walk.engine, { host, port: 0, tls });
    assert.equal(api.host, host);
  }
  await using first = await startApi(walk.engine, { host: "127.0.0.1", port: 0, tls });
  await assert.rejects(
    startApi(walk.engine, { host: "127.0.0.1", port: first.port, tls }),
    (thrown: EngineError) => thrown.code === "api.bind_in_use",
  );
  const url = `https://localhost:${first.port}/health`;
  assert.equal((await fetchOnce(url, { ca })).status, 200);
  await assert.rejects(
    startApi(walk.engine, { host: "0.0.0.0", port: 0, tls }),
    (thrown: EngineError) => thrown.code === "api.not_loopback",
  );
});

tlsTest("versions below the minimum are refused", async (given) => {
  const floors = { "1.2": ["-tls1_2", "-tls1_3"], "1.3": ["-tls1_3"] } as const;
  for (const [floor, versions] of Object.entries(floors)) {
    const lines = `${tlsLines(given.server)}tls_min_version = "${floor}"\n`;
    await using bench = await HttpsBench.open({ lines });
    for (const version of ["-tls1", "-tls1_1", "-tls1_2", "-tls1_3"]) {
      // Security level 0: otherwise openssl itself would not offer the old ones.
      const { success, text } = await handshake(
        bench.port,
        given,
        version,
        "-cipher",
        "ALL:@SECLEVEL=0",
      );
      const isTaken = (versions as readonly string[]).includes(version);
      assert.equal(success, isTaken, `${floor} ${version}: ${text}`);
      if (!isTaken) assert.match(text, /alert (protocol version|handshake failure)/, text);
    }
  }
});

// Goal: the list that `tls_ciphers` is held against is the one the runtime negotiates.
tlsTest("ciphers without forward secrecy or AEAD are refused", async (given) => {
  await using bench = await HttpsBench.open({ lines: tlsLines(given.server) });
  const ask = (cipher: string) => handshake(bench.port, given, "-tls1_2", "-cipher", cipher);
  for (const cipher of ["ECDHE-ECDSA-AES256-GCM-SHA384", "ECDHE-ECDSA-CHACHA20-POLY1305"]) {
    assert.match((await ask(cipher)).text, new RegExp(`Ciphersuite: ${cipher}`));
  }
  for (const cipher of ["ECDHE-ECDSA-AES256-SHA384", "ECDHE-ECDSA-AES128-SHA", "kRSA"]) {
    assert.match((await ask(cipher)).text, /alert handshake failure/, cipher);
  }
});

tlsTest("curl verifies the certificate and keeps one connection for several requests", async (
  { ca, otherCa, server },
) => {
  if (!await hasTool("curl", ["--version"])) return;
  await using bench = await HttpsBench.open({ lines: tlsLines(server) });
  const url = `${bench.url}/x?y=1`;
  const write = "%{ssl_verify_result} %{num_connects} %{http_version}\n";
  const args = ["-sS", "--noproxy", "*", "-m", "10", "-w", write, "-d", "body"];
  const text = await runTool("curl", [...args, "--cacert", ca.file, url, url]);
  const lines = text.split("\n").filter((line) => line !== "");
  assert.equal(lines.length, 2, text);
  assert.match(lines[0]!, /"method":"POST".*"isTls":true,"body":"body"\}0 1 1\.1$/);
  assert.match(lines[1]!, /0 0 1\.1$/, "the second request opened no connection");
  await assert.rejects(runTool("curl", [...args, "--cacert", otherCa.file, url]), /certificate/);
  await bench.logged(/api\.tls_failed client=127\.0\.0\.1 reason=/);
});

tlsTest("with tls_client_ca_file only that authority's clients get in", async (
  { dir, ca, otherCa, server, client, stranger },
) => {
  let asked = 0;
  const lines = `${tlsLines(server)}tls_client_ca_file = "${ca.file}"\n`;
  await using bench = await HttpsBench.open({
    lines,
    answer: async () => {
      asked++;
      return new Response("in");
    },
  });
  assert.equal((await fetchOnce(bench.url, { ca, identity: client })).text, "in");
  assert.equal(asked, 1);

  await assert.rejects(fetchOnce(bench.url, { ca }));
  await bench.logged(/api\.tls_failed client=127\.0\.0\.1 reason=\S*CERTIFICATE/);
  await assert.rejects(fetchOnce(bench.url, { ca, identity: stranger }));
  await assert.rejects(fetchOnce(bench.url, { ca, identity: await expired(dir) }));
  // A certificate of the right authority, with the key of somebody else.
  const forged = { cert: client.cert, key: stranger.key };
  await assert.rejects(fetchOnce(bench.url, { ca, identity: forged }));
  await bench.logged(/api\.tls_failed/, 3);
  assert.equal(asked, 1, "no stranger reached a route");
  assert.equal((await fetchOnce(bench.url, { ca, identity: client })).status, 200);

  // The client is the one who refuses a server it does not know.
  await assert.rejects(fetchOnce(bench.url, { ca: otherCa, identity: client }));
});

// The runtime keeps one cache of sessions for every listener of the process; see
// connectors/client_certificates.ts.
tlsTest("a resumed session opens no door that its certificate does not", async (
  { dir, ca, otherCa, server, client },
) => {
  let asked = 0;
  const answer = () => {
    asked++;
    return Promise.resolve(new Response("in"));
  };
  const open = (authority: string) =>
    HttpsBench.open({ lines: tlsLines(server) + authority, answer });
  await using anyone = await open("");
  await using own = await open(`tls_client_ca_file = "${ca.file}"\n`);
  await using other = await open(`tls_client_ca_file = "${otherCa.file}"\n`);
  const shown = ["-cert", client.cert, "-key", client.key];
  for (const version of ["-tls1_2", "-tls1_3"]) {
    const ask = (bench: HttpsBench, ...more: string[]) =>
      askByOpenssl(bench.port, { dir, ca }, version, ...more);
    asked = 0;
    assert.ok((await ask(anyone, "-sess_out", "anyone")).isServed);
    assert.ok((await ask(own, ...shown, "-sess_out", "own")).isServed);
    assert.deepEqual(await ask(own, ...shown, "-sess_in", "own"), {
      isServed: true,
      isResumed: true,
    });
    assert.equal(asked, 3);
    for (const [bench, session] of [[own, "anyone"], [other, "anyone"], [other, "own"]] as const) {
      assert.equal((await ask(bench, "-sess_in", session)).isServed, false, session);
    }
    assert.equal(asked, 3, version);
    await own.logged(/api\.tls_failed client=127\.0\.0\.1 reason="resumed without a certificate"/);
  }
});

/** A client certificate of the authority in `dir` that ended yesterday. */
async function expired(dir: string) {
  const day = (offset: number) =>
    new Date(Date.now() + offset * 86_400_000).toISOString().replace(/[-:T]|\.\d+/g, "");
  await Deno.writeTextFile(`${dir}/index.txt`, "");
  await Deno.writeTextFile(`${dir}/serial.txt`, "1000\n");
  await Deno.writeTextFile(
    `${dir}/ca.cnf`,
    `[ca]\ndefault_ca = d\n[d]\ndatabase = index.txt\nserial = serial.txt\nnew_certs_dir = .\n` +
      `default_md = sha256\npolicy = p\nx509_extensions = e\n[p]\ncommonName = supplied\n` +
      `[e]\nsubjectAltName = DNS:old.test\n`,
  );
  // deno-fmt-ignore
  await runTool("openssl", ["req", "-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:prime256v1",
    "-nodes", "-keyout", "old.key", "-out", "old.csr", "-subj", "/CN=old"], { cwd: dir });
  // deno-fmt-ignore
  await runTool("openssl", ["ca", "-batch", "-config", "ca.cnf", "-cert", "ca.pem", "-keyfile",
    "ca.key", "-in", "old.csr", "-out", "old.pem", "-notext", "-startdate", day(-3), "-enddate",
    day(-1)], { cwd: dir });
  return { cert: `${dir}/old.pem`, key: `${dir}/old.key` };
}

tlsTest("an encrypted key is opened with its passphrase, and only with that", async (
  { ca, server },
) => {
  const key = await ca.encryptKey(server, "open sesame");
  const lines = tlsLines({ cert: server.cert, key });
  const variable = { MEFOR_API_TLS_KEY_PASSWORD: "open sesame" };
  const material = tlsOf(lines, variable).load();
  assert.equal(tls.createSecureContext(material as tls.SecureContextOptions) !== undefined, true);
  assert.match(material.key, /^-----BEGIN PRIVATE KEY/);

  const refused = (env: Record<string, string>, wanted: RegExp) =>
    assert.throws(() => tlsOf(lines, env), (thrown: EngineError) => {
      assert.equal(thrown.code, "api.tls_files");
      assert.match(thrown.message, wanted);
      assert.match(thrown.hint ?? "", /MEFOR_API_TLS_KEY_PASSWORD/);
      assert.doesNotMatch(String(thrown.stack), /sesame|PRIVATE/);
      return true;
    });
  refused({ MEFOR_API_TLS_KEY_PASSWORD: "sesame 2" }, /tls_key_password does not open it$/);
  refused({}, /it is encrypted$/);
});

tlsTest("files that cannot be used are named", async ({ dir, server, renewed, otherCa }) => {
  const bad = (lines: string, wanted: RegExp) =>
    assert.throws(() => tlsOf(lines), (thrown: EngineError) => {
      assert.equal(thrown.code, "api.tls_files");
      assert.match(thrown.message, wanted);
      return true;
    });
  await Deno.writeTextFile(`${dir}/empty.pem`, "");
  bad(`tls_cert_file = "${dir}/none.pem"\n`, /^Cannot serve the API over TLS: cannot read .*none/);
  bad(`tls_cert_file = "${dir}/empty.pem"\n`, /no readable PEM certificate$/);
  bad(`tls_cert_file = "${server.cert}"\n`, /no readable PEM key$/);
  bad(tlsLines({ cert: server.cert, key: renewed.key }), /does not belong to certificate/);
  bad(`${tlsLines(server)}tls_client_ca_file = "${otherCa.directory}/empty.pem"\n`, /empty\.pem/);
  // deno-fmt-ignore
  await runTool("openssl", ["req", "-x509", "-newkey", "rsa:1024", "-nodes", "-keyout", "weak.key",
    "-out", "weak.pem", "-subj", "/CN=localhost", "-days", "2"], { cwd: dir });
  bad(
    tlsLines({ cert: `${dir}/weak.pem`, key: `${dir}/weak.key` }),
    /weak\.pem.* refuses its key$/,
  );
  const both = `${dir}/both.pem`;
  const { cert, key } = pem(server);
  await Deno.writeTextFile(both, cert + key);
  assert.equal(tlsOf(`tls_cert_file = "${both}"\n`).load().cert, cert + key);
});

tlsTest("plain HTTP on the TLS port is closed, and TLS goes on", async ({ ca, server }) => {
  await using bench = await HttpsBench.open({ lines: tlsLines(server) });
  await assert.rejects(fetch(`http://127.0.0.1:${bench.port}/`));
  await bench.logged(/api\.tls_failed/);
  using connection = await connect(bench.port, ca);
  assert.ok(connection);
  assert.equal((await fetchOnce(bench.url, { ca })).status, 200);
});

tlsTest("docs/operating/tls.md: its certificate is one, and curl takes it", async ({ dir }) => {
  if (!await hasTool("curl", ["--version"])) return;
  const block = (await readPages()).flatMap(blocksOf).find(({ page, language }) =>
    page === "docs/operating/tls.md" && language === "sh"
  );
  const [make, ask, ...more] = block!.text.replaceAll("\\\n", "").trim().split("\n")
    .map((line) => line.split(/\s+/));
  assert.deepEqual(more, []);
  await runTool(make![0]!, make!.slice(1), { cwd: dir });
  const lines = tlsLines({ cert: `${dir}/api.pem`, key: `${dir}/api.key` });
  await using bench = await HttpsBench.open({ lines });
  const args = ask!.slice(1).map((word) => word.replace("8765", String(bench.port)));
  assert.match(await runTool(ask![0]!, ["-sS", ...args], { cwd: dir }), /"isTls":true/);
});
