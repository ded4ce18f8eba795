import assert from "node:assert/strict";
import { fileURLToPath } from "node:url";
import type { Summary } from "../../src/cli/demo/summary.ts";

// Goal: what the README promises first. The demo runs under the flags of its task, beside whatever
// else uses this machine: ports are free ones, the data has a folder of its own.

const root = fileURLToPath(new URL("../../", import.meta.url));
const LIMIT_MS = 90_000;

interface Ended {
  readonly code: number;
  readonly out: string;
  readonly err: string;
}

/** The flags that `deno task demo` runs under, as deno.json has them. */
async function taskFlags(): Promise<string[]> {
  const { tasks } = JSON.parse(await Deno.readTextFile(`${root}deno.json`)) as {
    tasks: { demo: string };
  };
  const [, line = ""] = /&& deno run (.*) src\/cli\/demo\/main\.ts$/.exec(tasks.demo) ?? [];
  return line.replace(/"\$\(deno eval .*\)"/, Deno.execPath()).split(" ");
}

async function demo(
  args: readonly string[],
  { whileRunning }: { whileRunning?: (child: Deno.ChildProcess) => Promise<void> } = {},
): Promise<Ended> {
  const child = new Deno.Command(Deno.execPath(), {
    args: ["run", ...await taskFlags(), "src/cli/demo/main.ts", ...args],
    cwd: root,
    stdin: "null",
    stdout: "piped",
    stderr: "piped",
  }).spawn();
  const timer = setTimeout(() => child.kill("SIGTERM"), LIMIT_MS);
  const [output] = await Promise.all([child.output(), whileRunning?.(child)]);
  clearTimeout(timer);
  const text = (bytes: Uint8Array) => new TextDecoder().decode(bytes);
  return { code: output.code, out: text(output.stdout), err: text(output.stderr) };
}

/** A folder below demo-data, where the task may write; gone afterwards. */
async function openData(): Promise<AsyncDisposable & { readonly name: string }> {
  const name = `demo-data/test-${crypto.randomUUID()}`;
  await Deno.mkdir(`${root}demo-data`, { recursive: true });
  return { name, [Symbol.asyncDispose]: () => Deno.remove(`${root}${name}`, { recursive: true }) };
}

Deno.test("the demo's task has narrow permissions", async () => {
  const flags = await taskFlags();
  assert.deepEqual(flags.filter((flag) => flag.startsWith("--allow")).toSorted(), [
    "--allow-env=MEFOR_*",
    "--allow-net=127.0.0.1",
    "--allow-read=.",
    `--allow-run=${Deno.execPath()}`,
    "--allow-write=demo-data",
  ]);
});

Deno.test("the demo sends, delivers, reconciles and ends with 0", async () => {
  await using data = await openData();
  const { code, out, err } = await demo([
    ...["--messages", "120", "--rate", "0", "--free-ports", "--json", "--data", data.name],
  ]);
  assert.equal(code, 0, err + out);
  const summary = JSON.parse(out) as Summary;
  assert.equal(summary.ok, true);
  assert.deepEqual(summary.problems, []);
  assert.equal(summary.messages, 120);
  assert.deepEqual(summary.answers, { AA: 119, AR: 1 });
  const { processed, filtered, unrouted, error } = summary.dispositions;
  assert.equal(processed + filtered + unrouted + error, 120);
  assert.ok(filtered > 0 && unrouted > 0 && error > 0, "every disposition is shown");
  assert.deepEqual(
    summary.deliveries.map(({ outbound }) => outbound),
    ["FILE-OUT_ARCHIVE_ADT", "FILE-OUT_RESEARCH_ORU", "OB_EHR_ADT", "OB_EHR_ORU", "OB_LAB_ORM"],
  );
  for (const { outbound, due, arrived, in_order } of summary.deliveries) {
    assert.ok(due > 0, outbound);
    assert.equal(arrived, due, outbound);
    assert.equal(in_order, outbound.startsWith("FILE") ? null : true, outbound);
  }
  assert.ok(summary.refused_once > 0, "a retry was seen");
  const archive = [...Deno.readDirSync(`${root}${data.name}/archive`)];
  assert.equal(archive.length, summary.deliveries[0]!.due);
});

// Goal: the commands that the demo proposes answer, for nobody has an account of its store.
Deno.test("the demo proposes to serve its store as it did itself, without a sign-in", async () => {
  await using data = await openData();
  const given = ["--messages", "20", "--rate", "0", "--free-ports", "--data", data.name];
  const { out } = await demo(given);
  assert.match(out, /^ {2}MEFOR_AUTH_ENABLED=false \S.* serve --env dev --db /m);
});

Deno.test("Ctrl-C stops the demo and its engine; --keep goes on with what it left", async () => {
  await using data = await openData();
  const given = ["--free-ports", "--data", data.name];
  const stopped = await demo(["--messages", "400", "--rate", "50", ...given], {
    async whileRunning(child) {
      await untilStored(`${root}${data.name}/archive`);
      child.kill("SIGINT");
    },
  });
  assert.equal(stopped.code, 130, stopped.err);
  assert.match(stopped.err, /Stopped after \d+ messages/);
  const log = await Deno.readTextFile(`${root}${data.name}/engine.log`);
  assert.match(log, /engine\.stopped/);

  const again = await demo(["--messages", "20", "--rate", "0", "--keep", "--json", ...given]);
  assert.equal(again.code, 0, again.err + again.out);
  assert.equal((JSON.parse(again.out) as Summary).dispositions.processed > 0, true);
});

Deno.test("a demo whose engine is killed under it ends with 1 and says so", async () => {
  await using data = await openData();
  const given = ["--messages", "400", "--rate", "50", "--free-ports", "--data", data.name];
  const { code, err } = await demo(given, {
    async whileRunning() {
      await untilStored(`${root}${data.name}/archive`);
      const log = await Deno.readTextFile(`${root}${data.name}/engine.log`);
      const [, api] = /engine\.started api=(\S+)/.exec(log) ?? [];
      const { engine } = await (await fetch(`${api}/status`)).json();
      Deno.kill(engine.pid, "SIGKILL");
    },
  });
  assert.equal(code, 1, err);
  assert.match(err, /^error: The engine/m);
  assert.match(err, /^hint: /m);
});

Deno.test("the demo says what it does not know, and what it does", async () => {
  const refused = await demo(["--faster"]);
  assert.equal(refused.code, 2);
  assert.match(refused.err, /--faster/);
  const help = await demo(["--help"]);
  assert.equal(help.code, 0);
  assert.match(help.out, /usage: deno task demo/);
});

/** Resolves once something was delivered. */
async function untilStored(directory: string): Promise<void> {
  const deadline = performance.now() + LIMIT_MS;
  while (performance.now() < deadline) {
    try {
      if ([...Deno.readDirSync(directory)].length > 3) return;
    } catch (thrown) {
      if (!(thrown instanceof Deno.errors.NotFound)) throw thrown;
    }
    await new Promise((resolve) => setTimeout(resolve, 50));
  }
  throw new Error("Nothing was delivered");
}
