// Goal: an owner hears by mail what happens to the account, through the mail server of the alerts, and
// the mail holds nothing of a message and no password.
import assert from "node:assert/strict";
import { hasSmtpServer, SmtpServer } from "../alerts/smtp_server.ts";
import { ApiBench } from "./bench.ts";
import { ApiClient } from "./client.ts";

Deno.test({
  name: "too many wrong passwords lock the account, and its owner gets a mail",
  ignore: !await hasSmtpServer(),
  async fn() {
    await using server = await SmtpServer.start();
    await using bench = await ApiBench.open({
      settings: `[auth]
enabled = true
lockout_threshold = 2
[alerts]
email_smtp_host = "127.0.0.1"
email_smtp_port = ${server.port}
email_use_tls = false
email_from = "engine@example.com"
email_to = ["oncall@example.com"]
`,
    });
    await ApiClient.of(bench, "ann", { email: "ann@example.com" });
    for (let attempt = 0; attempt < 2; attempt++) {
      const body = { username: "ann", password: "wrong wrong wrong" };
      assert.equal((await bench.post("/auth/login", body)).status, 401);
    }
    const [mail] = await server.taken(1);
    assert.deepEqual(mail!.to, ["ann@example.com"]);
    assert.match(mail!.content, /locked/);
    assert.match(mail!.content, /account: ann/);
    assert.match(mail!.content, /failures: 2/);
    assert.doesNotMatch(mail!.content, /wrong wrong/);
    assert.doesNotMatch(bench.walk.log.join("\n"), /ann@example\.com/);
  },
});
