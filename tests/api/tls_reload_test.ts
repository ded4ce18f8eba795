// Goal: a renewed certificate is served without a restart, and a broken one never takes the API away.
import assert from "node:assert/strict";
import tls from "node:tls";
import { X509Certificate } from "node:crypto";
import { TlsReload } from "../../src/api/serving/tls_reload.ts";
import { systemClock } from "../../src/clock.ts";
import { createLogger, renderRecord } from "../../src/logging/mod.ts";
import type { Authority, Identity } from "../connectors/certificates.ts";
import { until, within } from "../connectors/waiting.ts";
import {
  askByOpenssl,
  clientOf,
  connect,
  fetchOnce,
  HttpsBench,
  tlsLines,
  tlsOf,
  tlsTest,
} from "./https_bench.ts";

/** Writes beside and renames, as renewals do. */
async function put(from: string, to: string): Promise<void> {
  await Deno.copyFile(from, `${to}.new`);
  await Deno.rename(`${to}.new`, to);
}

async function install(identity: Identity, at: Identity): Promise<void> {
  await put(identity.cert, at.cert);
  await put(identity.key, at.key);
}

/** Fingerprint of what a new connection is shown. */
async function shown(port: number, ca: Authority): Promise<string> {
  const options = { host: "127.0.0.1", port, servername: "localhost", ca: textOf(ca.file) };
  const socket = tls.connect(options);
  try {
    await within(
      new Promise<void>((resolve, reject) => {
        socket.once("secureConnect", resolve);
        socket.once("error", reject);
      }),
      "a handshake",
    );
    return socket.getPeerCertificate().fingerprint256;
  } finally {
    const closed = new Promise((resolve) => socket.once("close", resolve));
    socket.destroy();
    await closed;
  }
}

function textOf(file: string): string {
  return Deno.readTextFileSync(file);
}

function fingerprint({ cert }: Identity): string {
  return new X509Certificate(Deno.readTextFileSync(cert)).fingerprint256;
}

tlsTest(
  "a renewed certificate is served to new connections, under traffic; open ones go on",
  async (
    { dir, ca, server, renewed },
  ) => {
    const live = { cert: `${dir}/live.pem`, key: `${dir}/live.key` };
    await install(server, live);
    await using bench = await HttpsBench.open({ lines: tlsLines(live) });
    assert.equal(await shown(bench.port, ca), fingerprint(server));

    using open = clientOf({ ca });
    const ask = async () => await (await fetch(bench.url, { client: open })).json();
    await ask();
    // Every request over a connection of its own: each must get one certificate or the other, whole.
    let isOver = false;
    const seen = { answers: 0, failures: 0 };
    const traffic = Promise.all(Array.from({ length: 4 }, async () => {
      while (!isOver) {
        const { status } = await fetchOnce(bench.url, { ca }).catch(() => ({ status: 0 }));
        if (status === 200) seen.answers++;
        else seen.failures++;
      }
    }));
    try {
      for (const identity of [renewed, server, renewed]) {
        const loaded = bench.log.filter((line) => /certificate_loaded/.test(line)).length;
        await install(identity, live);
        const line = await bench.logged(
          /api\.certificate_loaded days_left=[01] fingerprint=/,
          loaded + 1,
        );
        assert.ok(line.includes(fingerprint(identity)), line);
        assert.equal(await shown(bench.port, ca), fingerprint(identity));
        await ask();
      }
      await until(() => seen.answers > 20, "some traffic", 10_000);
      isOver = true;
      await traffic;
    } finally {
      isOver = true;
      await traffic;
    }
    assert.equal(seen.failures, 0);
    assert.ok(
      !bench.log.some((line) => /certificate_kept|tls_failed/.test(line)),
      bench.log.join("\n"),
    );
  },
);

tlsTest("files that cannot be used leave the old certificate, and say so once each", async (
  { dir, ca, server, renewed },
) => {
  const live = { cert: `${dir}/live.pem`, key: `${dir}/live.key` };
  await install(server, live);
  await using bench = await HttpsBench.open({ lines: tlsLines(live) });
  const faults: readonly (readonly [() => Promise<unknown>, RegExp])[] = [
    [() => put(renewed.cert, live.cert), /does not belong to certificate/],
    [() => Deno.writeTextFile(live.key, "-----BEGIN"), /no readable PEM key/],
    [() => Deno.writeTextFile(live.cert, "half"), /no readable PEM certificate/],
    [() => Deno.remove(live.cert), /cannot read TLS file/],
  ];
  for (const [index, [spoil, wanted]] of faults.entries()) {
    await spoil();
    const line = await bench.logged(/api\.certificate_kept/, index + 1);
    assert.match(line, /^\S+ ERROR/i);
    assert.match(line, /code=api\.tls_files/);
    assert.match(line, wanted);
    assert.equal(await shown(bench.port, ca), fingerprint(server));
    assert.equal((await fetchOnce(bench.url, { ca })).status, 200);
  }
  // Twenty looks later it has not been said again.
  await new Promise((resolve) => setTimeout(resolve, 400));
  assert.equal(bench.log.filter((line) => /certificate_kept/.test(line)).length, faults.length);
  await install(renewed, live);
  await bench.logged(/certificate_loaded/, 2);
  assert.equal(await shown(bench.port, ca), fingerprint(renewed));
});

tlsTest("files are read once they have been quiet, not between the writes of a renewal", async (
  { dir, server, renewed },
) => {
  const live = { cert: `${dir}/live.pem`, key: `${dir}/live.key` };
  await install(server, live);
  const { log, logger } = recorder();
  using reload = new TlsReload(tlsOf(tlsLines(live)), { logger, clock: systemClock });
  const applied: string[] = [];
  const look = () => reload.look(({ cert }) => applied.push(cert));
  reload.load();
  await look();
  await put(renewed.cert, live.cert);
  await look();
  await put(renewed.key, live.key);
  await look();
  assert.deepEqual(applied, []);
  await look();
  await look();
  assert.deepEqual(applied, [textOf(renewed.cert)]);
  assert.equal(log.length, 2);
  assert.ok(log.every((line) => /certificate_loaded/.test(line)), log.join("\n"));
});

tlsTest("a certificate that has run out is served, and said so", async ({ server }) => {
  const { log, logger } = recorder();
  const later = Date.now() + 30 * 86_400_000;
  const clock = { ...systemClock, now: () => later };
  using reload = new TlsReload(tlsOf(tlsLines(server)), { logger, clock });
  assert.equal(reload.load().cert, textOf(server.cert));
  assert.match(log.join("\n"), /loaded days_left=-2\d [^]*WARNING \S+ api\.certificate_expired/);
});

function recorder() {
  const log: string[] = [];
  const logger = createLogger({
    level: "info",
    sinks: [{ write: (record) => log.push(renderRecord(record, "text")) }],
  });
  return { log, logger };
}

tlsTest(
  "a link that is turned to newer files is followed",
  async ({ dir, ca, server, renewed }) => {
    const live = { cert: `${dir}/link.pem`, key: `${dir}/link.key` };
    const turn = async (to: Identity) => {
      for (const kind of ["cert", "key"] as const) {
        await Deno.symlink(to[kind], `${live[kind]}.new`);
        await Deno.rename(`${live[kind]}.new`, live[kind]);
      }
    };
    await turn(server);
    await using bench = await HttpsBench.open({ lines: tlsLines(live) });
    await turn(renewed);
    await bench.logged(/certificate_loaded/, 2);
    assert.equal(await shown(bench.port, ca), fingerprint(renewed));
  },
);

tlsTest("a client authority that is changed lets its clients in, and no others any more", async (
  { dir, ca, otherCa, server, client, stranger },
) => {
  const file = `${dir}/clients.pem`;
  await put(ca.file, file);
  const lines = `${tlsLines(server)}tls_client_ca_file = "${file}"\n`;
  await using bench = await HttpsBench.open({ lines });
  const isIn = (identity: Identity) =>
    fetchOnce(bench.url, { ca, identity }).then(() => true, () => false);
  assert.deepEqual([await isIn(client), await isIn(stranger)], [true, false]);
  const shown = ["-cert", client.cert, "-key", client.key];
  const ask = (...more: string[]) => askByOpenssl(bench.port, { dir, ca }, ...shown, ...more);
  assert.ok((await ask("-sess_out", "before")).isServed);
  await put(otherCa.file, file);
  await bench.logged(/certificate_loaded/, 2);
  assert.deepEqual([await isIn(client), await isIn(stranger)], [false, true]);
  assert.equal((await ask("-sess_in", "before")).isServed, false, "nor by a session from before");
  assert.equal(await connect(bench.port, ca).then(hasAnswer), false, "none without a certificate");
});

/** With TLS 1.3 the client ends its handshake before it is refused. */
async function hasAnswer(connection: Deno.TlsConn): Promise<boolean> {
  try {
    await connection.write(new TextEncoder().encode("GET / HTTP/1.0\r\n\r\n"));
    return await connection.read(new Uint8Array(10)) !== null;
  } catch {
    return false;
  } finally {
    connection.close();
  }
}
