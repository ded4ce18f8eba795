// Goal: the engine itself, under the permissions derived for it, looks new passwords up in the
// operator's list, and does not start without it.
import assert from "node:assert/strict";
import { freePort } from "../../connectors/waiting.ts";
import { graphText, Served, tempDir } from "../program.ts";

const flags = [
  "--allow-read",
  "--allow-env=MEFOR_*",
  "--ignore-env",
  `--allow-run=${Deno.execPath()}`,
];

Deno.test("serve reads the breach list it is given, and nothing starts without it", async () => {
  await using dir = await tempDir();
  const [apiPort, port, partnerPort] = [await freePort(), await freePort(), await freePort()];
  await dir.write("graph/adt.ts", graphText({ port, partnerPort }));
  const listed = "eleven purple boats at night";
  await using lists = await tempDir();
  await lists.write("breached.txt", `${listed}\n`);
  const settings = (file: string) =>
    `[api]\nport = ${apiPort}\n[auth]\nbreach_corpus_file = "${lists.path}/${file}"\n`;
  await dir.write("messagefoundry.toml", settings("breached.txt"));
  const args = ["--project-root", dir.path, "--db", `${dir.path}/mf.db`, "--env", "dev"];
  {
    await using served = new Served(args, { flags });
    const shown = await served.line(/^engine permissions: /);
    assert.match(shown, new RegExp(`--allow-read=\\S*${lists.path}/breached\\.txt\\b`));
    await served.line(/engine\.started/);
    const file = await Deno.readTextFile(`${dir.path}/bootstrap-admin.txt`);
    const [, password = ""] = /password: (\S+)/.exec(file) ?? [];
    const post = async (path: string, body: unknown, token = "") => {
      const response = await fetch(`http://127.0.0.1:${apiPort}${path}`, {
        method: "POST",
        headers: { "content-type": "application/json", authorization: `Bearer ${token}` },
        body: JSON.stringify(body),
      });
      return { status: response.status, json: await response.json() };
    };
    const { json: { token } } = await post("/auth/login", { username: "admin", password });
    const change = (next: string) =>
      post("/me/password", { current_password: password, new_password: next }, token);
    const refused = await change(listed);
    assert.deepEqual([refused.status, refused.json.detail], [
      400,
      "password must not be a common or breached password",
    ]);
    assert.equal((await change("eleven purple boats at dawn")).status, 200);
    assert.equal(await served.stop(), 0);
  }
  await dir.write("messagefoundry.toml", settings("missing.txt"));
  await using missing = new Served(args, { flags });
  await missing.line(/missing\.txt" as a breach list: it cannot be read/);
  assert.equal(await missing.ended(), 3);
});
