// Goal: mail goes by the one server that is named, under TLS that it proves to own, to the recipients
// that are meant. Needs Debian's python3-aiosmtpd and openssl; skipped aloud without them.
import assert from "node:assert/strict";
import { createServer, type Socket } from "node:net";
import { type MailOptions, MailSender, mailTls } from "../../src/alerts/mail.ts";
import type { SendError } from "../../src/alerts/send_error.ts";
import { Authority } from "../connectors/certificates.ts";
import { hasTool } from "../connectors/foreign_tool.ts";
import { freePort } from "../connectors/waiting.ts";
import { hasSmtpServer, SmtpServer } from "./smtp_server.ts";

const isHere = await hasSmtpServer() && await hasTool("openssl", ["version"]);

const mail = { to: ["oncall@example.com"], subject: "[WARNING] x", text: "line one\nzwei: ä\n" };

function sender(port: number, rest: Partial<MailOptions> = {}): MailSender {
  return new MailSender({
    host: "localhost",
    port,
    from: "MessageFoundry <alerts@example.com>",
    tls: "starttls",
    username: undefined,
    password: undefined,
    timeoutMs: 10_000,
    allowedHosts: [],
    ...rest,
  });
}

const never = new AbortController().signal;

async function failureOf(sending: Promise<unknown>): Promise<SendError> {
  try {
    await sending;
  } catch (thrown) {
    return thrown as SendError;
  }
  throw new Error("It was sent");
}

async function certificates() {
  const dir = await Deno.makeTempDir({ prefix: "mefor_mail_" });
  const authority = await Authority.create(dir);
  return {
    authority,
    ca: await Deno.readTextFile(authority.file),
    [Symbol.asyncDispose]: () => Deno.remove(dir, { recursive: true }),
  };
}

Deno.test({
  name: "MailSender signs in after STARTTLS and the server has the mail as it was written",
  ignore: !isHere,
  async fn() {
    await using certs = await certificates();
    await using server = await SmtpServer.start({
      identity: await certs.authority.issue("mail"),
      password: "right",
    });
    const login = { username: "mefor", password: "right", ca: certs.ca };
    const { refused } = await sender(server.port, login).send({
      ...mail,
      to: ["Ann <a@example.com>", "b@example.com", "unknown@example.com"],
      subject: "[CRITICAL] queue_buildup OB_LAB\r\nBcc: evil@example.com",
    }, never);
    assert.equal(refused, 1);
    const [taken] = await server.taken(1);
    assert.deepEqual([taken!.from, taken!.to, taken!.tls, taken!.user, taken!.name], [
      "alerts@example.com",
      ["a@example.com", "b@example.com"],
      true,
      "mefor",
      "[127.0.0.1]",
    ]);
    assert.match(
      taken!.content,
      /^Subject: \[CRITICAL\] queue_buildup OB_LAB Bcc: evil@example\.com\r?$/m,
    );
    assert.match(taken!.content, /^From: MessageFoundry <alerts@example\.com>\r?$/m);
    assert.match(taken!.content, /line one\r\nzwei: (ä|=C3=A4)/);

    const wrong = await failureOf(
      sender(server.port, { ...login, password: "wrong" }).send(mail, never),
    );
    assert.deepEqual([wrong.code, wrong.status, wrong.isFinal], ["alerts.mail_failed", 535, true]);
    assert.doesNotMatch(wrong.message, /wrong|right/);
    assert.equal(server.mails.length, 1);
  },
});

Deno.test({
  name: "MailSender speaks TLS from the first byte where that is the way, and only there",
  ignore: !isHere,
  async fn() {
    await using certs = await certificates();
    await using server = await SmtpServer.start({
      identity: await certs.authority.issue("mail"),
      isImplicit: true,
    });
    await sender(server.port, { ca: certs.ca, tls: "first" }).send(mail, never);
    assert.equal((await server.taken(1))[0]!.tls, true);
    const untrusted = await failureOf(sender(server.port, { tls: "first" }).send(mail, never));
    assert.equal(untrusted.code, "alerts.mail_failed");
    // A server that waits for TLS says nothing, and the mail is late.
    const late = await failureOf(
      sender(server.port, { ca: certs.ca, timeoutMs: 700 }).send(mail, never),
    );
    assert.deepEqual([late.code, late.isFinal], ["alerts.mail_failed", false]);
    assert.equal(server.mails.length, 1);
    assert.equal(mailTls({ usesTls: true, port: 465 }), "first");
    assert.equal(mailTls({ usesTls: true, port: 587 }), "starttls");
    assert.equal(mailTls({ usesTls: false, port: 465 }), "none");
  },
});

Deno.test({
  name: "MailSender sends nothing to a server without TLS, of another authority or another name",
  ignore: !isHere,
  async fn() {
    await using certs = await certificates();
    const identity = await certs.authority.issue("other", "DNS:mail.example.org");
    await using plain = await SmtpServer.start();
    await using named = await SmtpServer.start({ identity });
    await using known = await SmtpServer.start({ identity: await certs.authority.issue("mail") });
    for (
      const [port, ca] of [
        [plain.port, certs.ca],
        [named.port, certs.ca],
        [known.port, undefined],
      ] as const
    ) {
      const refused = await failureOf(sender(port, { ca }).send(mail, never));
      assert.equal(refused.code, "alerts.mail_failed");
    }
    assert.deepEqual([plain, named, known].flatMap(({ mails }) => mails), []);
    // The same server with the right authority: it was the certificate.
    await sender(known.port, { ca: certs.ca }).send(mail, never);
    await known.taken(1);
    // And without TLS when that is what the operator wants.
    await sender(plain.port, { tls: "none" }).send(mail, never);
    assert.equal((await plain.taken(1))[0]!.tls, false);
  },
});

Deno.test({
  name: "MailSender tells a refusal for good from one that may pass",
  ignore: !isHere,
  async fn() {
    await using server = await SmtpServer.start();
    const plain = sender(server.port, { tls: "none" });
    const to = (address: string) => failureOf(plain.send({ ...mail, to: [address] }, never));
    const unknown = await to("unknown@example.com");
    assert.deepEqual([unknown.status, unknown.isFinal], [550, true]);
    const busy = await to("busy@example.com");
    assert.deepEqual([busy.status, busy.isFinal], [451, false]);
    assert.doesNotMatch(busy.message, /try again later/, "no words of the server");
  },
});

Deno.test("MailSender reaches no host that is not listed, and takes one address for one", async () => {
  const port = await freePort();
  const closed = await failureOf(sender(port).send(mail, never));
  assert.deepEqual([closed.code, closed.isFinal], ["alerts.mail_failed", false]);
  const unlisted = await failureOf(
    sender(port, { allowedHosts: ["smtp.example.com"] }).send(mail, never),
  );
  assert.deepEqual([unlisted.code, unlisted.isFinal], ["alerts.host_not_allowed", true]);
  for (
    const address of [
      "a@example.com, b@example.com",
      "a@example.com\r\nBcc: b@example.com",
      "A <a@example.com>, b@example.com",
      "a@example.com <b@example.com> c",
      "a",
      "a@b@c, d",
      "",
    ]
  ) {
    const refused = await failureOf(sender(port).send({ ...mail, to: [address] }, never));
    assert.equal(refused.code, "alerts.address_invalid", address);
  }
});

Deno.test("MailSender gives up on a server that says nothing, and when it is told to", async () => {
  const sockets: Socket[] = [];
  const server = createServer((socket) => sockets.push(socket));
  await new Promise<void>((resolve) => server.listen(0, "127.0.0.1", resolve));
  const { port } = server.address() as { port: number };
  try {
    const late = await failureOf(sender(port, { timeoutMs: 200 }).send(mail, never));
    assert.match(late.message, /did not take the mail in time/);
    const abort = new AbortController();
    const sending = failureOf(sender(port).send(mail, abort.signal));
    while (sockets.length < 2) await new Promise((resolve) => setTimeout(resolve, 5));
    abort.abort();
    assert.equal((await sending).code, "alerts.mail_failed");
  } finally {
    for (const socket of sockets) socket.destroy();
    await new Promise<void>((resolve) => server.close(() => resolve()));
  }
});
