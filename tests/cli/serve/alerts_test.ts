// Goal: the engine reaches its webhook and its mail server under the permissions derived for it, and
// reads the certificates it watches. Needs Debian's python3-aiosmtpd and openssl.
import assert from "node:assert/strict";
import { Authority } from "../../connectors/certificates.ts";
import { hasTool } from "../../connectors/foreign_tool.ts";
import { freePort, until } from "../../connectors/waiting.ts";
import { Receiver } from "../../alerts/receiver.ts";
import { hasSmtpServer, SmtpServer } from "../../alerts/smtp_server.ts";
import { graphText, run, Served, tempDir } from "../program.ts";

const isHere = await hasSmtpServer() && await hasTool("openssl", ["version"]);

const launcherFlags = [
  "--allow-read",
  "--allow-env=MEFOR_*",
  "--ignore-env",
  `--allow-run=${Deno.execPath()}`,
];

Deno.test({
  name: "serve tells of a listener that cannot bind and of certificates, by webhook and by mail",
  ignore: !isHere,
  async fn() {
    await using dir = await tempDir();
    const authority = await Authority.create(dir.path);
    const identity = await authority.issue("mail");
    await using receiver = await Receiver.start(identity);
    await using mail = await SmtpServer.start({ identity, password: "hunter2" });
    // Already taken: the engine goes on without this listener.
    using taken = Deno.listen({ hostname: "127.0.0.1", port: 0 });
    const { port } = taken.addr as Deno.NetAddr;
    const tls = `tls: true, tlsCertFile: "${identity.cert}", tlsKeyFile: "${identity.key}"`;
    await dir.write(
      "graph/adt.ts",
      graphText({ port, partnerPort: await freePort() }) +
        `inbound("IB_TLS", mllp({ port: ${await freePort()}, ${tls} }), { router: route });\n`,
    );
    await dir.write(
      "messagefoundry.toml",
      `[api]
port = ${await freePort()}
[alerts]
webhook_url = "https://localhost:${receiver.port}/hook"
webhook_allowed_hosts = ["localhost"]
email_smtp_host = "localhost"
email_smtp_port = ${mail.port}
email_from = "alerts@example.com"
email_to = ["oncall@example.com"]
email_username = "mefor"
smtp_allowed_hosts = ["localhost"]
`,
    );
    const args = ["--project-root", dir.path, "--db", `${dir.path}/mf.db`, "--env", "dev"];
    const log = `${dir.path}/audit.jsonl`;
    await using served = new Served(args, {
      flags: launcherFlags,
      // How an operator trusts an authority of his own.
      env: {
        DENO_CERT: authority.file,
        DENO_AUDIT_PERMISSIONS: log,
        MEFOR_ALERTS_EMAIL_PASSWORD: "hunter2",
      },
    });
    const flags = await served.line(/^engine permissions: /);
    assert.match(flags, new RegExp(`--allow-net=\\S*localhost:${receiver.port}\\b`));
    assert.match(flags, new RegExp(`--allow-net=\\S*localhost:${mail.port}\\b`));
    assert.doesNotMatch(flags, /allow-sys|allow-run|allow-ffi/);
    await served.line(/engine\.started/);
    await until(
      () => receiver.received.length >= 2 && mail.mails.length >= 2,
      "two events, told twice",
      20_000,
    ).catch((thrown) => {
      throw new Error(`${thrown}\n${served.text}`);
    });
    const types = (list: readonly unknown[]) => list.map(String).toSorted();
    assert.deepEqual(types(receiver.received.map(({ body }) => body.type)), [
      "cert_expiry",
      "connection_stopped",
    ]);
    const subjects = mail.mails.map(({ content }) => /^Subject: (.*)\r?$/m.exec(content)?.[1]);
    assert.deepEqual(types(subjects), [
      "[WARNING] cert_expiry IB_TLS",
      "[WARNING] connection_stopped IB_ADT",
    ]);
    assert.ok(mail.mails.every(({ tls, user }) => tls && user === "mefor"));
    assert.equal(await served.stop(), 0);
    assert.doesNotMatch(served.text, /alert\.(send_failed|certificate_unreadable|dropped)|hunter2/);
    // The mail library asks for nothing else, not even to be refused.
    const audited = await run(["permissions", ...args, "--audit", log]);
    assert.equal(audited.code, 0, audited.out + audited.err);
    assert.match(audited.out + audited.err, /none outside of the derived permissions/);
  },
});
