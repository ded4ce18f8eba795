// Goal: a certificate that runs out is told of in time, of every file in use, and none is left out
// because of another. Certificates are openssl's; skipped aloud without it.
import assert from "node:assert/strict";
import {
  type CertificateFile,
  type CertificatesOptions,
  lookAtCertificates,
} from "../../src/alerts/mod.ts";
import { hasTool, runTool } from "../connectors/foreign_tool.ts";
import { readableLog } from "./bench.ts";

const isHere = await hasTool("openssl", ["version"]);

type Expiry = Parameters<CertificatesOptions["raise"]>[0];

const DAY_MS = 86_400_000;

async function folder() {
  const path = await Deno.makeTempDir({ prefix: "mefor_certs_" });
  return {
    path,
    /** Self-signed, good for so many days from now. */
    async certificate(name: string, days: number): Promise<string> {
      // deno-fmt-ignore
      await runTool("openssl", [
        "req", "-x509", "-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:prime256v1", "-nodes",
        "-keyout", `${name}.key`, "-out", `${name}.pem`, "-subj", `/CN=${name}`, "-days", `${days}`,
      ], { cwd: path });
      return `${path}/${name}.pem`;
    },
    [Symbol.asyncDispose]: () => Deno.remove(path, { recursive: true }),
  };
}

async function look(
  files: readonly CertificateFile[],
  { warnDays = 30, laterMs = 0 } = {},
): Promise<{ raised: Expiry[]; lines: string[]; read: string[] }> {
  const raised: Expiry[] = [];
  const read: string[] = [];
  const { logger, lines } = readableLog();
  const now = Date.now() + laterMs;
  await lookAtCertificates({
    warnDays,
    files: () => files,
    readText: (path) => {
      read.push(path);
      return Deno.readTextFile(path);
    },
    raise: (event) => raised.push(event),
    clock: { now: () => now, monotonic: () => 0 },
    logger,
  });
  return { raised, lines, read };
}

Deno.test({
  name: "lookAtCertificates() tells what has run out, or soon will, with the days that are left",
  ignore: !isHere,
  async fn() {
    await using dir = await folder();
    const path = await dir.certificate("api", 31);
    const files = [{ connection: "api", path }];
    const days = async (later: number, warnDays = 30) => {
      const { raised } = await look(files, { laterMs: later * DAY_MS, warnDays });
      return raised.map(({ daysRemaining }) => daysRemaining);
    };
    assert.deepEqual(await days(0), [], "31 days are left, less the seconds since");
    assert.deepEqual(await days(0, 31), [30]);
    assert.deepEqual(await days(2), [28]);
    assert.deepEqual(await days(30.5), [0]);
    assert.deepEqual(await days(31.5), [-1]);
    assert.deepEqual(await days(41), [-11]);
    const { raised: [event] } = await look(files, { laterMs: 40 * DAY_MS });
    assert.deepEqual([event?.connection, event?.path], ["api", path]);
    const end = await runTool("openssl", ["x509", "-in", path, "-noout", "-enddate"]);
    assert.equal(event?.notAfter, Date.parse(end.replace("notAfter=", "").trim()));
  },
});

Deno.test({
  name: "lookAtCertificates() takes the first end of several, and reads certificates only",
  ignore: !isHere,
  async fn() {
    await using dir = await folder();
    const long = await dir.certificate("long", 400);
    const short = await dir.certificate("short", 5);
    const chain = `${dir.path}/chain.pem`;
    const text = await Promise.all([
      Deno.readTextFile(long),
      Deno.readTextFile(`${dir.path}/long.key`),
      Deno.readTextFile(short),
    ]);
    await Deno.writeTextFile(chain, `a comment\n${text.join("")}`);
    const { raised, read } = await look([
      { connection: "OB_LONG", path: long },
      { connection: "OB_CHAIN", path: chain },
    ]);
    assert.deepEqual(raised.map(({ connection, daysRemaining }) => [connection, daysRemaining]), [
      ["OB_CHAIN", 4],
    ]);
    assert.deepEqual(read, [long, chain]);
  },
});

Deno.test({
  name: "lookAtCertificates() goes on after a file that is missing, empty or no certificate",
  ignore: !isHere,
  async fn() {
    await using dir = await folder();
    const good = await dir.certificate("good", 5);
    const broken = "-----BEGIN CERTIFICATE-----\nAAAA\n-----END CERTIFICATE-----\n";
    await Deno.writeTextFile(`${dir.path}/broken.pem`, broken);
    await Deno.writeTextFile(`${dir.path}/empty.pem`, "");
    const names = ["missing", "broken", "empty"];
    const files = names.map((name) => ({ connection: name, path: `${dir.path}/${name}.pem` }));
    const { raised, lines } = await look([...files, { connection: "good", path: good }]);
    assert.deepEqual(raised.map(({ connection }) => connection), ["good"]);
    assert.equal(lines.length, 3);
    for (const [index, name] of names.entries()) {
      assert.match(
        lines[index]!,
        new RegExp(`WARNING .*alert\\.certificate_unreadable connection=${name} `),
      );
    }
    assert.doesNotMatch(lines.join(), /AAAA/);
  },
});
