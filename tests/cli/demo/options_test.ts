import assert from "node:assert/strict";
import { readOptions } from "../../../src/cli/demo/options.ts";
import { CommandFailure } from "../../../src/cli/failure.ts";

Deno.test("readOptions() without arguments asks for some twenty seconds of traffic", () => {
  const options = readOptions([]);
  assert.deepEqual(options, {
    messages: 400,
    ratePerSecond: 20,
    seed: undefined,
    json: false,
    keep: false,
    stay: false,
    freePorts: false,
    dataDir: "demo-data",
  });
});

Deno.test("readOptions() takes every option of the help", () => {
  const options = readOptions([
    ...["--messages", "7", "--rate=0", "--seed", "42", "--data", "elsewhere"],
    ...["--json", "--keep", "--stay", "--free-ports"],
  ]);
  assert.deepEqual(options, {
    messages: 7,
    ratePerSecond: 0,
    seed: "42",
    json: true,
    keep: true,
    stay: true,
    freePorts: true,
    dataDir: "elsewhere",
  });
  assert.equal(readOptions(["-h"]), undefined);
});

Deno.test("readOptions() refuses what it cannot take, with exit code 2 and a hint", () => {
  for (
    const args of [
      ["--messages", "0"],
      ["--messages", "1e9"],
      ["--messages", "ten"],
      ["--rate", "-1"],
      ["--rate", "1.5"],
      ["--speed", "3"],
      ["surplus"],
    ]
  ) {
    assert.throws(() => readOptions(args), (thrown) => {
      assert.ok(thrown instanceof CommandFailure, args.join(" "));
      assert.equal(thrown.exitCode, 2);
      assert.match(thrown.hint ?? "", /--help/);
      return true;
    });
  }
});
