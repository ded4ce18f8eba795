// Goal: the whole benchmark runs, reconciles and reports, with the reference loop as target.
import assert from "node:assert/strict";
import { fileURLToPath } from "node:url";
import { hasTool } from "../connectors/foreign_tool.ts";

const main = fileURLToPath(new URL("../../bench/main.ts", import.meta.url));

async function bench(...args: string[]): Promise<{ code: number; stdout: string; stderr: string }> {
  const command = new Deno.Command(Deno.execPath(), {
    args: ["run", "--allow-all", main, ...args],
    signal: AbortSignal.timeout(60_000),
  });
  const { code, stdout, stderr } = await command.output();
  const decode = (bytes: Uint8Array) => new TextDecoder().decode(bytes);
  return { code, stdout: decode(stdout), stderr: decode(stderr) };
}

Deno.test("the reference loop reconciles and gets every figure", async () => {
  const directory = await Deno.makeTempDir();
  const file = `${directory}/result.json`;
  try {
    const { code, stdout, stderr } = await bench(
      ...["--target", "reference", "--profile", "fan-out-2", "--seconds", "1", "--warm-up", "0.3"],
      ...["--directory", directory, "--json", file],
    );
    assert.equal(code, 0, stdout + stderr);
    const { runs: [result], syncTime } = JSON.parse(await Deno.readTextFile(file));
    const { findings, figures } = result;

    assert.ok(findings.sent > 0);
    assert.equal(findings.delivered, findings.sent * 2, "each message reached two lanes");
    assert.deepEqual([findings.lost, findings.duplicated, findings.outOfOrder], [0, 0, 0]);
    assert.ok(syncTime.p50Us > 0 && syncTime.p99Us >= syncTime.p50Us);
    for (const name of ["sustainedPerSecond", "cpuSecondsPerThousand", "peakMemoryMb"]) {
      assert.ok(figures[name] > 0, name);
    }
    assert.ok(figures.commitsPerMessage > 0 && figures.fsyncsPerMessage > 0);
    // One insert and one update a lane, and its share of two transactions or less.
    assert.ok(figures.statementsPerMessage > 4 && figures.statementsPerMessage < 12);
    assert.ok(figures.ack.p50Ms > 0 && figures.ack.p99Ms >= figures.ack.p50Ms);
    assert.ok(figures.endToEnd.p50Ms > 0);
    assert.match(stdout, /fan-out-2 +reference +2000 +fifo/);
    const left = [...Deno.readDirSync(directory)].map((entry) => entry.name);
    assert.deepEqual(left, ["result.json"], "no data of the run is left behind");
  } finally {
    await Deno.remove(directory, { recursive: true });
  }
});

Deno.test("the shipped bundle is started both ways, each up to an ACK", async () => {
  const directory = await Deno.makeTempDir();
  const file = `${directory}/result.json`;
  try {
    const { code, stdout, stderr } = await bench(
      ...["--profile", "start", "--repeat", "2", "--directory", directory, "--json", file],
    );
    assert.equal(code, 0, stdout + stderr);
    const { starts, runs } = JSON.parse(await Deno.readTextFile(file));
    assert.deepEqual(runs, []);
    assert.deepEqual(starts.map(({ how }: { how: string }) => how), [
      "engine alone",
      "with launcher",
    ]);
    for (const { starts: count, minMs, medianMs, maxMs, cpuSeconds } of starts) {
      assert.equal(count, 2);
      assert.ok(0 < minMs && minMs <= medianMs && medianMs <= maxMs && cpuSeconds > 0);
    }
    assert.match(stdout, /^with launcher +2 +\d+ +\d+\/\d+ +\d\.\d\d$/m);
    const left = [...Deno.readDirSync(directory)].map((entry) => entry.name);
    assert.deepEqual(left, ["result.json"], "nothing of the starts is left behind");
  } finally {
    await Deno.remove(directory, { recursive: true });
  }
});

Deno.test("a bundle is loaded anew under traffic, and every message is acknowledged", async () => {
  const directory = await Deno.makeTempDir();
  const file = `${directory}/result.json`;
  try {
    const { code, stdout, stderr } = await bench(
      ...["--profile", "reload", "--repeat", "2", "--directory", directory, "--json", file],
    );
    assert.equal(code, 0, stdout + stderr);
    const { reloads: [result], runs } = JSON.parse(await Deno.readTextFile(file));
    assert.deepEqual(runs, []);
    const { modules, reloads, medianMs, maxMs, acks, ackMaxMs, quietAckMaxMs } = result;
    assert.deepEqual([modules, reloads], [200, 2]);
    assert.ok(0 < medianMs && medianMs <= maxMs && acks > 0 && ackMaxMs > 0 && quietAckMaxMs > 0);
    assert.match(stdout, /^200 modules +2 +\d+ +\d+ +\d+ /m);
    const left = [...Deno.readDirSync(directory)].map((entry) => entry.name);
    assert.deepEqual(left, ["result.json"], "nothing of the run is left behind");
  } finally {
    await Deno.remove(directory, { recursive: true });
  }
});

if (await hasTool("h2load", ["--version"])) {
  Deno.test("an engine is asked while messages flow, and both are counted", async () => {
    const directory = await Deno.makeTempDir();
    const file = `${directory}/result.json`;
    try {
      const { code, stdout, stderr } = await bench(
        ...["--target", "engine", "--profile", "lanes-8-api", "--seconds", "1", "--warm-up", "0.3"],
        ...["--directory", directory, "--json", file],
      );
      assert.equal(code, 0, stdout + stderr);
      const { runs: [{ findings, api }] } = JSON.parse(await Deno.readTextFile(file));
      assert.ok(findings.sent > 0);
      assert.deepEqual([findings.lost, findings.duplicated, findings.outOfOrder], [0, 0, 0]);
      // A thirteenth of them each program.
      assert.deepEqual([api.asked, api.refused], [13 * 15, 0]);
      assert.ok(0 < api.p50Ms && api.p50Ms <= api.p99Ms && api.callsPerSecond > 0);
    } finally {
      await Deno.remove(directory, { recursive: true });
    }
  });
}

Deno.test("an unknown profile or a useless number is refused by name", async () => {
  const unknown = await bench("--profile", "nonsense");
  const number = await bench("--seconds=-1");

  assert.deepEqual([unknown.code, number.code], [2, 2]);
  assert.match(unknown.stderr, /profile "nonsense"/);
  assert.match(number.stderr, /--seconds "-1"/);
});
