import assert from "node:assert/strict";
import { ProgressBar } from "../../src/cli/progress_bar.ts";
import { buildProgram } from "../../src/cli/program.ts";
import type { Terminal } from "../../src/cli/terminal.ts";
import { otherKeys, testKeys } from "../store/ciphers.ts";
import { filledBench } from "../store/sqlite/filled.ts";

function terminal(isInteractive: boolean) {
  const said = { out: "", err: "", progress: "" };
  const fake: Terminal = {
    out: (line) => said.out += `${line}\n`,
    err: (line) => said.err += `${line}\n`,
    progress: (text) => said.progress += text,
    isInteractive,
    style: (_, text) => text,
    styleError: (_, text) => text,
  };
  return { fake, said };
}

Deno.test("ProgressBar draws one line on a terminal, and nothing anywhere else", () => {
  const { fake, said } = terminal(true);
  const bar = new ProgressBar(fake, 4);
  bar.say("counting");
  bar.show(1);
  bar.show(4);
  bar.show(0, 0);
  bar.clear();
  assert.deepEqual(said.progress.split("\r").slice(1), [
    "counting …",
    `[${"#".repeat(7)}${".".repeat(23)}] 1/4`,
    `[${"#".repeat(30)}] 4/4`,
    `[${"#".repeat(30)}] 0/0`,
    "\x1b[K",
  ]);
  const other = terminal(false);
  const hidden = new ProgressBar(other.fake, 4);
  hidden.say("counting");
  hidden.show(1);
  hidden.clear();
  assert.equal(other.said.progress, "");
});

Deno.test("rotate-key shows on a terminal how far it is, unless it prints JSON", async () => {
  await using bench = await filledBench(() => testKeys);
  const env = {
    MEFOR_STORE_ENCRYPTION_KEY: otherKeys.active.toBase64(),
    MEFOR_STORE_ENCRYPTION_KEYS_RETIRED: testKeys.active.toBase64(),
  };
  const shown = async (...args: string[]) => {
    const { fake, said } = terminal(true);
    const all = ["rotate-key", "--db", bench.store.path, ...args];
    const program = buildProgram({ terminal: fake, args: all, env, isDebug: false });
    await program.parseAsync(all, { from: "user" });
    assert.equal(program.exitCode, 0, said.err);
    return said;
  };
  const { progress, out } = await shown();
  const [, total] = /^OK: (\d+) /.exec(out)!;
  assert.match(progress, /^\rcounting …\r\[\.{30}\] 0\/\d+\r/);
  assert.ok(progress.includes(`\r[${"#".repeat(30)}] ${total}/${total}\r`), progress);
  assert.ok(progress.endsWith("\r\x1b[K"));
  assert.equal((await shown("--json")).progress, "");
});
