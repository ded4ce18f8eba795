import assert from "node:assert/strict";
import { fileURLToPath } from "node:url";
import { until } from "../connectors/waiting.ts";
import { hasPostgres } from "../postgres/server.ts";

const root = fileURLToPath(new URL("../..", import.meta.url));

/** The demonstration as its task runs it, its output a pipe. */
class Demo implements AsyncDisposable {
  out = "";
  readonly ended: Promise<Deno.CommandStatus>;
  readonly #child: Deno.ChildProcess;

  constructor(...args: readonly string[]) {
    this.#child = new Deno.Command(Deno.execPath(), {
      args: ["run", "-P", "--no-prompt", "tests/cluster/demo/main.ts", ...args],
      cwd: root,
      env: { NO_COLOR: "1", DENO_NO_UPDATE_CHECK: "1" },
      stdin: "null",
      stdout: "piped",
      stderr: "piped",
    }).spawn();
    const readers = [this.#child.stdout, this.#child.stderr].map(async (stream) => {
      for await (const text of stream.pipeThrough(new TextDecoderStream())) this.out += text;
    });
    this.ended = this.#child.status.then(async (status) => {
      await Promise.all(readers);
      return status;
    });
  }

  interrupt(): void {
    this.#child.kill("SIGINT");
  }

  async [Symbol.asyncDispose](): Promise<void> {
    try {
      this.#child.kill("SIGINT");
    } catch {
      // It has ended.
    }
    await this.ended;
  }
}

if (hasPostgres()) {
  Deno.test("the cluster's demonstration shows a failover, and Ctrl-C ends all of it", async () => {
    await using demo = new Demo("--nodes", "2", "--every", "4", "--seconds", "60");
    const hasSaid = (text: string) => until(() => demo.out.includes(text), text, 60_000);
    await hasSaid("which led; it is started again as a standby");
    await hasSaid("traffic goes on after");
    demo.interrupt();
    const { code } = await demo.ended;
    assert.equal(code, 0, demo.out);
    assert.match(
      demo.out,
      /All \d+ messages that were acknowledged arrived, in order, through \d+ fail/,
    );
    assert.match(demo.out, /What to try next:/);
    const [, dir] = /psql .* in (\S+)/.exec(demo.out)!;
    await assert.rejects(Deno.stat(dir!), Deno.errors.NotFound);
    const [, port] = /-p (\d+)/.exec(demo.out)!;
    await assert.rejects(Deno.connect({ hostname: "127.0.0.1", port: Number(port) }));
  });
}

Deno.test("the demonstration says which option it cannot read, and lists them", async () => {
  await using wrong = new Demo("--nodes", "12");
  assert.equal((await wrong.ended).code, 2);
  assert.match(wrong.out, /"--nodes" wants a whole number from 1 to 9/);
  await using help = new Demo("--help");
  assert.equal((await help.ended).code, 0);
  for (const option of ["--seconds N", "--every N", "--nodes N"]) {
    assert.ok(help.out.includes(option));
  }
});
