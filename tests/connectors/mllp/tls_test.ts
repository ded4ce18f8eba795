import assert from "node:assert/strict";
import { ConnectorError } from "../../../src/connectors/connector.ts";
import { Authority, type Identity } from "../certificates.ts";
import { hasTool } from "../foreign_tool.ts";
import { MllpSender } from "../mllp_sender.ts";
import { ScriptedPartner } from "../scripted_partner.ts";
import { until, within } from "../waiting.ts";
import { acknowledged, adt, DestinationBench, SourceBench } from "./bench.ts";

const never = new AbortController().signal;

interface Certificates {
  readonly ca: Authority;
  readonly otherCa: Authority;
  readonly server: Identity;
  readonly client: Identity;
  readonly stranger: Identity;
  readonly wrongName: Identity;
}

/** Runs `test` with certificates in a temporary directory, or skips it aloud without openssl. */
function tlsTest(name: string, test: (certificates: Certificates) => Promise<void>): void {
  Deno.test(name, async () => {
    if (!await hasTool("openssl", ["version"])) return;
    const directory = await Deno.makeTempDir();
    try {
      const ca = await Authority.create(directory);
      const otherCa = await Authority.create(directory, "other");
      await test({
        ca,
        otherCa,
        server: await ca.issue("server"),
        client: await ca.issue("client"),
        stranger: await otherCa.issue("stranger"),
        wrongName: await ca.issue("wrong", "DNS:elsewhere.test"),
      });
    } finally {
      await Deno.remove(directory, { recursive: true });
    }
  });
}

function pem({ cert, key }: Identity): { cert: string; key: string } {
  return { cert: Deno.readTextFileSync(cert), key: Deno.readTextFileSync(key) };
}

function listenerSettings(identity: Identity): Record<string, unknown> {
  return { tls: true, tls_cert_file: identity.cert, tls_key_file: identity.key };
}

tlsTest("MllpSource speaks TLS and refuses whoever does not", async ({ ca, server }) => {
  await using bench = await SourceBench.open(listenerSettings(server));
  const trust = { ca: Deno.readTextFileSync(ca.file) };
  using sender = await MllpSender.connect(bench.port, { tls: trust });
  sender.send(adt("1"), adt("2"));
  assert.deepEqual(acknowledged(await sender.waitForReplies(2)), ["1", "2"]);
  assert.equal(bench.received[0]?.peer, "127.0.0.1");

  using plain = await MllpSender.connect(bench.port);
  plain.send(adt("3"));
  await within(plain.closed, "the refusal");
  await bench.recorder.waitFor("tls_error");
  assert.equal(bench.received.length, 2);
  assert.equal(bench.recorder.events.at(-1)?.peer, "127.0.0.1");
  await until(() => bench.source.counters.connectionsOpen === 1, "the refused one to go");
});

tlsTest("MllpSource speaks TLS 1.2 and nothing older", async ({ ca, server }) => {
  await using bench = await SourceBench.open(listenerSettings(server));
  const trust = { ca: Deno.readTextFileSync(ca.file) };
  using modern = await MllpSender.connect(bench.port, { tls: { ...trust, maxVersion: "TLSv1.2" } });
  modern.send(adt("1"));
  await modern.waitForReplies(1);
  const old = { ...trust, minVersion: "TLSv1", maxVersion: "TLSv1.1" } as const;
  await assert.rejects(MllpSender.connect(bench.port, { tls: old }));
});

tlsTest("MllpSource with tls_ca_file takes only client certificates of that authority", async (
  { ca, server, client, stranger },
) => {
  await using bench = await SourceBench.open({ ...listenerSettings(server), tls_ca_file: ca.file });
  const trust = { ca: Deno.readTextFileSync(ca.file) };
  for (const refused of [{}, pem(stranger)]) {
    using sender = await MllpSender.connect(bench.port, { tls: { ...trust, ...refused } });
    sender.send(adt("0"));
    await within(sender.closed, "the refusal");
    assert.deepEqual(sender.replies, []);
  }
  await until(() => bench.recorder.kinds.length === 2, "two events");
  assert.deepEqual(bench.recorder.kinds, ["tls_error", "tls_error"]);
  assert.equal(bench.received.length, 0);

  using known = await MllpSender.connect(bench.port, { tls: { ...trust, ...pem(client) } });
  known.send(adt("1"));
  assert.deepEqual(acknowledged(await known.waitForReplies(1)), ["1"]);
});

tlsTest("stop() does not wait for a peer that never finishes its handshake", async ({ server }) => {
  await using bench = await SourceBench.open(listenerSettings(server));
  using silent = await MllpSender.connect(bench.port);
  await until(() => bench.source.counters.connectionsOpen === 1, "the connection");
  await within(bench.source.stop(), "the stop", 1_000);
  await within(silent.closed, "the close");
});

tlsTest("MllpSource opens an encrypted key with tls_key_password, or is not built", async (
  { ca, server },
) => {
  const encrypted = { ...server, key: await ca.encryptKey(server, "open sesame") };
  const settings = listenerSettings(encrypted);
  await using bench = await SourceBench.open({ ...settings, tls_key_password: "open sesame" });
  const trust = { ca: Deno.readTextFileSync(ca.file) };
  using sender = await MllpSender.connect(bench.port, { tls: trust });
  sender.send(adt("1"));
  await sender.waitForReplies(1);

  await assert.rejects(SourceBench.open(settings), { code: "connector.tls_key_invalid" });
  const wrong = SourceBench.open({ ...settings, tls_key_password: "wrong" });
  await assert.rejects(wrong, (error) => {
    assert.ok(error instanceof ConnectorError);
    assert.equal(error.code, "connector.tls_key_invalid");
    assert.doesNotMatch(`${error.message}${error.hint}`, /"wrong"/);
    return true;
  });
});

tlsTest("a connection with TLS files that cannot work is not built", async (
  { ca, server, client },
) => {
  const cases: readonly (readonly [Record<string, unknown>, string])[] = [
    [{ tls: true }, "connector.bad_settings"],
    [{ tls: true, tls_cert_file: `${server.cert}.gone` }, "connector.tls_file_unreadable"],
    [{ tls: true, tls_cert_file: server.key }, "connector.tls_certificate_invalid"],
    [{ tls: true, tls_cert_file: server.cert }, "connector.tls_key_invalid"],
    [{ ...listenerSettings(server), tls_key_file: client.key }, "connector.tls_key_mismatch"],
    [{ ...listenerSettings(server), tls_ca_file: server.key }, "connector.tls_certificate_invalid"],
  ];
  for (const [settings, code] of cases) {
    await assert.rejects(SourceBench.open(settings), { code }, JSON.stringify(settings));
  }
  const both = `${ca.directory}/both.pem`;
  await Deno.writeTextFile(both, `${pem(server).key}\n${pem(server).cert}`);
  await using _bench = await SourceBench.open({ tls: true, tls_cert_file: both });
});

tlsTest("send() delivers over TLS to a partner it can verify, by name and by address", async (
  { ca, server },
) => {
  await using partner = await ScriptedPartner.start({ tls: pem(server) });
  for (const host of ["127.0.0.1", "localhost"]) {
    await using bench = new DestinationBench({
      host,
      port: partner.port,
      tls: true,
      tls_ca_file: ca.file,
    });
    assert.ok((await bench.send("1")).accepted);
    assert.ok((await bench.send("2")).accepted);
    await bench.destination.probe(never);
  }
  assert.equal(partner.received.length, 4);
});

tlsTest("send() sends nothing to a partner it cannot verify", async (
  { ca, otherCa, server, wrongName },
) => {
  await using partner = await ScriptedPartner.start({ tls: pem(server) });
  await using impostor = await ScriptedPartner.start({ tls: pem(wrongName) });
  const cases = [
    { port: partner.port, tls_ca_file: otherCa.file },
    { port: partner.port }, // the system's authorities do not know ours
    { port: impostor.port, tls_ca_file: ca.file },
  ];
  for (const settings of cases) {
    await using bench = new DestinationBench({ ...settings, tls: true });
    await assert.rejects(bench.send("1"), { code: "delivery.tls_failed", reached: "no" });
    await assert.rejects(bench.destination.probe(never), { code: "delivery.tls_failed" });
    assert.deepEqual(bench.recorder.kinds, ["tls_error", "connection_lost"]);
  }
  assert.equal(partner.received.length + impostor.received.length, 0);

  await using lax = new DestinationBench({
    port: impostor.port,
    tls: true,
    tls_ca_file: ca.file,
    tls_check_hostname: false,
  });
  assert.ok((await lax.send("1")).accepted);
});

tlsTest("weak TLS is refused unless the operator allowed it", async ({ server }) => {
  await using partner = await ScriptedPartner.start({ tls: pem(server) });
  for (const weak of [{ tls_verify: false }, { tls_check_hostname: false }]) {
    const settings = { port: partner.port, tls: true, ...weak };
    assert.throws(() => new DestinationBench(settings), { code: "connector.tls_insecure" });
  }
  await using bench = new DestinationBench(
    { port: partner.port, tls: true, tls_verify: false },
    { allowInsecureTls: true },
  );
  assert.ok((await bench.send("1")).accepted);
});

tlsTest("send() presents a client certificate, and hears when it is refused", async (
  { ca, server, client },
) => {
  const demanding = {
    ...pem(server),
    ca: Deno.readTextFileSync(ca.file),
    requestCert: true,
    rejectUnauthorized: true,
  };
  await using partner = await ScriptedPartner.start({ tls: demanding });
  const settings = { port: partner.port, tls: true, tls_ca_file: ca.file };
  await using known = new DestinationBench({
    ...settings,
    tls_cert_file: client.cert,
    tls_key_file: client.key,
  });
  assert.ok((await known.send("1")).accepted);
  await known.destination.probe(never);

  await using unknown = new DestinationBench(settings);
  await assert.rejects(unknown.send("2"), { name: "DeliveryError", reached: "unknown" });
  assert.deepEqual(unknown.recorder.kinds, ["tls_error", "connection_lost"]);
  await assert.rejects(unknown.destination.probe(never), { code: "delivery.tls_failed" });
  assert.deepEqual(partner.controlIds, ["1"]);
});

tlsTest("send() fails on a partner that does not speak TLS", async ({ ca }) => {
  await using partner = await ScriptedPartner.start({ otherwise: { do: "silence" } });
  await using bench = new DestinationBench({
    port: partner.port,
    tls: true,
    tls_ca_file: ca.file,
    connect_timeout: 0.2,
  });
  await assert.rejects(bench.send("1"), { code: "delivery.connect_timeout", reached: "no" });
  // It saw our greeting, which may look like a frame, but never a message.
  assert.ok(partner.received.every((frame) => !frame.text.includes("MSH")));
});

// The runtime keeps one cache of sessions for every listener of the process; see
// client_certificates.ts.
tlsTest("MllpSource lets no resumed session in without the certificate it asks for", async (
  { ca, otherCa, server, client },
) => {
  await using anyone = await SourceBench.open(listenerSettings(server));
  const asking = (authority: Authority) =>
    SourceBench.open({ ...listenerSettings(server), tls_ca_file: authority.file });
  await using own = await asking(ca);
  await using other = await asking(otherCa);
  const shown = ["-cert", client.cert, "-key", client.key];
  for (const version of ["-tls1_2", "-tls1_3"]) {
    const send = (bench: SourceBench, ...more: string[]) =>
      sendByOpenssl(bench.port, ca, version, ...more);
    assert.match(await send(anyone, "-sess_out", "anyone"), /MSA\|AA/);
    assert.match(await send(own, ...shown, "-sess_out", "own"), /MSA\|AA/);
    assert.match(await send(own, ...shown, "-sess_in", "own"), /\nReused, [^]*MSA\|AA/);
    const before = [own, other].map(({ received }) => received.length);
    for (const [bench, session] of [[own, "anyone"], [other, "anyone"], [other, "own"]] as const) {
      assert.doesNotMatch(await send(bench, "-sess_in", session), /MSA/, `${version} ${session}`);
      await bench.recorder.waitFor("tls_error");
    }
    assert.deepEqual([own, other].map(({ received }) => received.length), before);
  }
});

/** Sends one message by openssl, which shows and keeps sessions as it is told; returns all it says. */
async function sendByOpenssl(port: number, ca: Authority, ...more: string[]): Promise<string> {
  const child = new Deno.Command("openssl", {
    args: ["s_client", "-connect", `127.0.0.1:${port}`, "-CAfile", ca.file, "-ign_eof", ...more],
    cwd: ca.directory,
    stdin: "piped",
    stdout: "piped",
    stderr: "null",
  }).spawn();
  const timer = setTimeout(() => child.kill("SIGKILL"), 15_000);
  const writer = child.stdin.getWriter();
  await writer.write(new TextEncoder().encode(`\x0b${adt("1")}\x1c\r`)).catch(() => {});
  let text = "";
  let isAnswered = false;
  for await (const part of child.stdout.pipeThrough(new TextDecoderStream())) {
    text += part;
    // Answered: the listener would keep the connection.
    isAnswered = /MSA\|/.test(text);
    if (isAnswered) break;
  }
  if (isAnswered) child.kill("SIGTERM");
  await child.status;
  clearTimeout(timer);
  await writer.close().catch(() => {});
  return text;
}
