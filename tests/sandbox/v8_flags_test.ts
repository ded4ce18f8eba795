// Goal: with the flags of v8_flags.ts the time limit ends loops that it does not end without.
// Method: a process of its own, for flags belong to a process; needs --allow-run of the runtime.
import assert from "node:assert/strict";
import { sandboxV8Flags } from "../../src/sandbox/mod.ts";

const loops = [
  "for (;;) [3, 1, 2, 5, 4].map((x) => x);",
  "for (;;) new Array(1000).fill(0);",
  "for (;;) new Array(1000).keys();",
  "const a = []; for (;;) a.push(new Array(1000).fill(1.5 + a.length));",
];

const { state } = await Deno.permissions.query({ name: "run", command: Deno.execPath() });
if (state !== "granted") console.log("SKIPPED: v8_flags_test.ts needs --allow-run of the runtime");

Deno.test({
  name: "loops that the optimizer would make endless are ended",
  ignore: state !== "granted",
  async fn() {
    const root = new URL("../../", import.meta.url);
    const command = new Deno.Command(Deno.execPath(), {
      args: [
        "run",
        "--no-check",
        "--no-prompt",
        `--v8-flags=${sandboxV8Flags.join(",")}`,
        "--allow-read=src",
        new URL("./loops.ts", import.meta.url).href,
        ...loops,
      ],
      cwd: root,
      stdout: "piped",
      stderr: "piped",
    });
    const { code, stdout, stderr } = await command.output();
    assert.equal(code, 0, new TextDecoder().decode(stderr));
    const lines = new TextDecoder().decode(stdout).trim().split("\n");
    assert.equal(lines.length, loops.length);
    for (const line of lines) assert.match(line, /^HandlerTimeout: .*leaked 0$/);
  },
});
