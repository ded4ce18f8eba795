// Goal: the owner of an account hears of what happens to it, by the mail server of the alerts, and
// nothing waits for that. Needs Debian's python3-aiosmtpd; skipped aloud without it.
import assert from "node:assert/strict";
import { hasSmtpServer, SmtpServer } from "../alerts/smtp_server.ts";
import { ApiBench } from "./bench.ts";
import { ApiClient, unlimited } from "./client.ts";

Deno.test({
  name: "an account's owner is mailed what an administrator does to it",
  ignore: !await hasSmtpServer(),
  async fn() {
    await using server = await SmtpServer.start();
    await using bench = await ApiBench.open({
      settings: `${unlimited}
[alerts]
email_smtp_host = "127.0.0.1"
email_smtp_port = ${server.port}
email_use_tls = false
email_from = "engine@example.com"
`,
    });
    const root = await ApiClient.of(bench, "root", { roles: ["administrator"] });
    await ApiClient.of(bench, "ann", { email: "ann@example.com" });
    const users = [...(await root.get("/users")).json.users ?? (await root.get("/users")).json];
    const ann = users.find(({ username }) => `${username}` === "ann")!;
    const answer = await root.post(`/users/${ann.id}/reset-password`);
    assert.equal(answer.status, 200, answer.text);
    const [mail] = await server.taken(1);
    assert.deepEqual(mail!.to, ["ann@example.com"]);
    assert.match(mail!.content, /^Subject: MessageFoundry: password_reset\r?$/m);
    assert.match(mail!.content, /Your account "ann" got a new password from an administrator\./);
    const secret = String(Object.values(answer.json).find((value) => typeof value === "string"));
    assert.ok(!mail!.content.includes(secret), "the new password is not mailed");
  },
});
