import assert from "node:assert/strict";
import path from "node:path";
import { runTool } from "../foreign_tool.ts";
import { adt } from "../mllp/bench.ts";
import { pause, until, within } from "../waiting.ts";
import { FileBench, refused, stored } from "./bench.ts";

Deno.test("FileSource hands a file over as it is and moves it when stored", async () => {
  await using bench = await FileBench.open();
  await bench.drop("a.hl7", adt("1").replaceAll("\r", "\r\n"));
  await bench.start();
  await bench.waitForFiles([".processed/a.hl7"]);
  assert.deepEqual(bench.texts, [adt("1").replaceAll("\r", "\r\n")], "bytes are not touched");
  assert.equal(bench.received[0]?.origin, "a.hl7");
});

Deno.test("FileSource moves nothing before the message is stored", async () => {
  let answer: () => void = () => {};
  await using bench = await FileBench.open({}, {
    intake: () => new Promise((resolve) => answer = () => resolve(stored)),
  });
  await bench.drop("a.hl7", adt("1"));
  await bench.start();
  await bench.waitForMessages(1);
  await pause(60);
  assert.deepEqual(bench.files(), ["a.hl7"]);
  answer();
  await bench.waitForFiles([".processed/a.hl7"]);
  assert.equal(bench.received.length, 1);
});

Deno.test("FileSource deletes files with after_read=delete", async () => {
  await using bench = await FileBench.open({ after_read: "delete" });
  await bench.drop("a.hl7", adt("1"));
  await bench.start();
  await bench.waitForFiles([]);
  assert.equal(bench.received.length, 1);
});

Deno.test("FileSource takes up files that appear later", async () => {
  await using bench = await FileBench.open();
  await bench.start();
  await bench.drop("a.hl7", adt("1"));
  await bench.waitForFiles([".processed/a.hl7"]);
  await bench.drop("a.hl7", adt("2"));
  await bench.drop("b.hl7", adt("3"));
  await bench.waitForFiles([".processed/a.hl7", ".processed/a-1.hl7", ".processed/b.hl7"]);
  await bench.drop("a.hl7", adt("4"));
  await bench.waitForFiles([
    ".processed/a-1.hl7",
    ".processed/a-2.hl7",
    ".processed/a.hl7",
    ".processed/b.hl7",
  ]);
  assert.equal(bench.received.length, 4);
});

Deno.test("FileSource reads in the order of names, or of times", async () => {
  for (const [sort, expected] of [["name", ["1", "2", "3"]], ["mtime", ["3", "1", "2"]]] as const) {
    await using bench = await FileBench.open({ sort });
    for (const [name, age] of [["c-3.hl7", 30], ["a-1.hl7", 20], ["b-2.hl7", 10]] as const) {
      await bench.drop(name, adt(name.charAt(2)));
      const time = new Date(Date.now() - age * 1_000);
      await Deno.utime(path.join(bench.directory, name), time, time);
    }
    await bench.start();
    await bench.waitForMessages(3);
    assert.deepEqual(bench.texts, expected.map((id) => adt(id)), sort);
  }
});

Deno.test("FileSource reads only names that fit the pattern, and no hidden ones", async () => {
  await using bench = await FileBench.open({ pattern: "*.hl7" });
  await bench.drop("a.hl7", adt("1"));
  await bench.drop("a.hl7.part", adt("2"));
  await bench.drop(".b.hl7", adt("3"));
  await bench.drop("C.HL7", adt("4"));
  await bench.start();
  await bench.waitForFiles([".b.hl7", ".processed/a.hl7", "C.HL7", "a.hl7.part"]);
  await pause(60);
  assert.deepEqual(bench.texts, [adt("1")]);
});

Deno.test("FileSource keeps the sub-path of files it finds below", async () => {
  await using bench = await FileBench.open({ recursive: true });
  await bench.drop("x/y/a.hl7", adt("1"));
  await bench.drop("x/bad.hl7", "no message");
  await bench.start();
  await bench.waitForFiles([".error/x/bad.hl7", ".processed/x/y/a.hl7"]);
  await pause(60);
  assert.equal(bench.received.length, 1, "what was put away is not read again");
});

Deno.test("FileSource does not look below unless told", async () => {
  await using bench = await FileBench.open();
  await bench.drop("x/a.hl7", adt("1"));
  await bench.start();
  await pause(80);
  assert.deepEqual(bench.files(), ["x/a.hl7"]);
});

Deno.test("FileSource splits a batch in order and drops its envelope", async () => {
  await using bench = await FileBench.open();
  const batch = `FHS|^~\\&|A\rBHS|^~\\&|A\r${adt("1")}${adt("2", "É")}BTS|3\rFTS|1\r`;
  await bench.drop("a.hl7", `\ufeff${batch}`);
  await bench.start();
  await bench.waitForFiles([".processed/a.hl7"]);
  assert.deepEqual(bench.texts, [adt("1"), adt("2", "É")]);
  const [line] = bench.log;
  assert.equal(line?.event, "file.batch_count_mismatch");
  assert.deepEqual([line?.declared, line?.counted], [3, 2]);
});

// Goal: a day on which only one patient came makes a batch of one.
Deno.test("FileSource drops the envelope of a batch with one message", async () => {
  await using bench = await FileBench.open();
  await bench.drop("a.hl7", `FHS|^~\\&|A\rBHS|^~\\&|A\r${adt("1")}BTS|1\rFTS|1\r`);
  await bench.drop("b.hl7", `${adt("2")}BTS|2\r`);
  await bench.start();
  await bench.waitForFiles([".processed/a.hl7", ".processed/b.hl7"]);
  assert.deepEqual(bench.texts, [adt("1"), adt("2")]);
  assert.deepEqual(bench.log.map(({ event, declared }) => [event, declared]), [
    ["file.batch_count_mismatch", 2],
  ]);
});

// Goal: what was captured from a connection comes in without its frames, and can leave over MLLP.
Deno.test("FileSource takes messages out of MLLP frames", async () => {
  await using bench = await FileBench.open();
  const framed = (text: string) => `\x0b${text}\x1c\r`;
  await bench.drop("a.hl7", framed(adt("1")));
  await bench.drop("b.hl7", framed(adt("2")) + framed(adt("3").slice(0, -1)));
  await bench.start();
  await bench.waitForFiles([".processed/a.hl7", ".processed/b.hl7"]);
  assert.deepEqual(bench.texts, [adt("1"), adt("2"), adt("3")]);
});

Deno.test("FileSource splits a batch of another character set without touching its bytes", async () => {
  await using bench = await FileBench.open({ encoding: "iso-8859-1" });
  const batch = adt("1", "\xc9") + adt("2", "\xa0\xff");
  await bench.drop("a.hl7", Uint8Array.from(batch, (letter) => letter.charCodeAt(0)));
  await bench.start();
  await bench.waitForMessages(2);
  const texts = bench.received.map(({ bytes }) => String.fromCharCode(...bytes));
  assert.deepEqual(texts, [adt("1", "\xc9"), adt("2", "\xa0\xff")]);
});

Deno.test("FileSource hands over a batch that does not decode as one, to be recorded", async () => {
  await using bench = await FileBench.open();
  const bytes = Uint8Array.from(adt("1", "\xc9") + adt("2"), (letter) => letter.charCodeAt(0));
  await bench.drop("a.hl7", bytes);
  await bench.start();
  await bench.waitForFiles([".processed/a.hl7"]);
  assert.deepEqual(bench.received.map((message) => [...message.bytes]), [[...bytes]]);
});

// Goal: a store that fails in the middle of a file loses nothing.
Deno.test("FileSource reads a file again whole when one of its messages was not stored", async () => {
  let isBroken = true;
  await using bench = await FileBench.open({}, {
    intake: ({ bytes }) =>
      isBroken && new TextDecoder().decode(bytes) === adt("2") ? refused : stored,
  });
  await bench.drop("a.hl7", adt("1") + adt("2") + adt("3"));
  await bench.drop("b.hl7", adt("4"));
  await bench.start();
  await bench.waitForMessages(4);
  assert.ok(!bench.texts.includes(adt("4")), "a later file does not overtake");
  assert.deepEqual(bench.files(), ["a.hl7", "b.hl7"]);
  isBroken = false;
  const seen = bench.received.length;
  await bench.waitForFiles([".processed/a.hl7", ".processed/b.hl7"]);
  assert.deepEqual(bench.texts.slice(seen).slice(-4), ["1", "2", "3", "4"].map((id) => adt(id)));
});

Deno.test("FileSource treats an intake that throws as not stored", async () => {
  await using bench = await FileBench.open({}, { intake: () => Promise.reject(new Error("no")) });
  await bench.drop("a.hl7", adt("1"));
  await bench.start();
  await bench.waitForMessages(2);
  assert.deepEqual(bench.files(), ["a.hl7"]);
});

Deno.test("FileSource has at most 64 messages of a file under way", async () => {
  const answers: (() => void)[] = [];
  await using bench = await FileBench.open({}, {
    intake: () => new Promise((resolve) => answers.push(() => resolve(stored))),
  });
  await bench.drop("a.hl7", Array.from({ length: 100 }, (_, n) => adt(String(n))).join(""));
  await bench.start();
  await bench.waitForMessages(64);
  await pause(30);
  assert.equal(bench.received.length, 64);
  for (let n = 0; n < 100; n++) {
    await until(() => answers.length > 0, "the next message");
    answers.shift()?.();
  }
  await bench.waitForFiles([".processed/a.hl7"]);
});

Deno.test("FileSource quarantines what is no HL7, whatever follows the first bytes", async () => {
  await using bench = await FileBench.open({ pattern: "*" });
  await bench.drop("a.txt", "PID|1||\r");
  await bench.drop("b.txt", "");
  await bench.drop("c.txt", `\ufeff\x0b\r\n \t${adt("1")}`);
  await bench.start();
  await bench.waitForFiles([".error/a.txt", ".error/b.txt", ".processed/c.txt"]);
  assert.equal(bench.received.length, 1);
  assert.deepEqual(bench.logged, ["file.quarantined", "file.quarantined"]);
});

Deno.test("FileSource neither sniffs nor splits other content", async () => {
  const content = `{"MSH":1}\nMSH|^~\\&|A\nMSH|^~\\&|B\n`;
  await using bench = await FileBench.open({ pattern: "*.json" }, { contentType: "json" });
  await bench.drop("a.json", content);
  await bench.start();
  await bench.waitForFiles([".processed/a.json"]);
  assert.deepEqual(bench.texts, [content]);
});

Deno.test("FileSource quarantines files over max_file_bytes without reading them", async () => {
  await using bench = await FileBench.open({ max_file_bytes: 200 });
  await bench.drop("large.hl7", adt("1", "X".repeat(200)));
  await bench.drop("small.hl7", adt("2"));
  await bench.start();
  await bench.waitForFiles([".error/large.hl7", ".processed/small.hl7"]);
  assert.deepEqual(bench.texts, [adt("2")]);
  assert.equal(bench.source.counters.bytesIn, adt("2").length);
});

Deno.test("FileSource leaves files alone that changed a moment ago", async () => {
  await using bench = await FileBench.open({ min_age_seconds: 30 });
  await bench.drop("young.hl7", adt("1"));
  await bench.drop("old.hl7", adt("2"));
  const minuteAgo = new Date(Date.now() - 60_000);
  await Deno.utime(path.join(bench.directory, "old.hl7"), minuteAgo, minuteAgo);
  await bench.start();
  await bench.waitForFiles([".processed/old.hl7", "young.hl7"]);
  assert.deepEqual(bench.texts, [adt("2")]);
});

Deno.test("FileSource reads a file again that grew while it was read", async () => {
  await using bench = await FileBench.open();
  await bench.drop("a.hl7", adt("1"));
  bench.intake = async () => {
    if (bench.received.length === 1) {
      await Deno.writeTextFile(path.join(bench.directory, "a.hl7"), adt("2"), { append: true });
    }
    return stored;
  };
  await bench.start();
  await bench.waitForFiles([".processed/a.hl7"]);
  assert.deepEqual(bench.texts, [adt("1"), adt("1"), adt("2")]);
  assert.deepEqual(bench.logged, ["file.left"]);
});

// Goal: permissions and egress rules see names, so a link must not carry the reader out.
Deno.test("FileSource never reads through a link that leads out of its directory", async () => {
  await using bench = await FileBench.open({ recursive: true, pattern: "*" });
  await Deno.mkdir(path.join(bench.base, "outside"));
  const secret = path.join(bench.base, "outside", "secret.hl7");
  await Deno.writeTextFile(secret, adt("1"));
  await Deno.symlink(secret, path.join(bench.directory, "file.hl7"));
  await Deno.symlink(path.join(bench.base, "outside"), path.join(bench.directory, "dir"));
  await Deno.symlink("/dev/zero", path.join(bench.directory, "zero.hl7"));
  await Deno.symlink("nowhere", path.join(bench.directory, "dangling.hl7"));
  await bench.drop("real.hl7", adt("2"));
  await Deno.symlink(
    path.join(bench.directory, "kept", "inner.hl7"),
    path.join(bench.directory, "a-link.hl7"),
  );
  await bench.drop("kept/inner.hl7", adt("3"));
  await bench.start();
  await bench.waitForMessages(3);
  await pause(80);
  assert.deepEqual([...bench.texts].sort(), [adt("2"), adt("3"), adt("3")]);
  assert.equal(await Deno.readTextFile(secret), adt("1"));
  const told = bench.logged.filter((event) => event === "file.skipped").length;
  assert.equal(told, 3, "each is told once, not at every scan");
});

Deno.test("FileSource does not start when its subdirectories lead out", async () => {
  await using bench = await FileBench.open();
  await Deno.mkdir(path.join(bench.base, "outside"));
  await Deno.symlink(path.join(bench.base, "outside"), path.join(bench.directory, ".processed"));
  await assert.rejects(bench.start(), { code: "connector.directory_unusable" });
});

Deno.test("FileSource does not start where it cannot make its directories", async () => {
  await using bench = await FileBench.open();
  await Deno.remove(bench.directory);
  await Deno.writeTextFile(bench.directory, "a file");
  await assert.rejects(bench.start(), { code: "connector.directory_unusable" });
});

// Goal: a stored message is not stored again at every tick because its file cannot be moved.
Deno.test("FileSource reads a file once that it cannot put away", async () => {
  await using bench = await FileBench.open();
  await bench.start();
  await Deno.remove(path.join(bench.directory, ".processed"));
  await Deno.writeTextFile(path.join(bench.directory, ".processed"), "in the way");
  await bench.drop("a.hl7", adt("1"));
  await bench.waitForMessages(1);
  await pause(100);
  assert.equal(bench.received.length, 1);
  assert.deepEqual(bench.logged, ["file.left"]);
  await Deno.remove(path.join(bench.directory, ".processed"));
  await bench.waitForFiles([".processed/a.hl7"]);
  assert.equal(bench.received.length, 1);
});

// Goal: a file that the runtime cannot open by its name lies there for ever, so it must be told.
Deno.test({
  name: "FileSource tells of a file whose name is not UTF-8 and reads the others",
  // Other systems refuse such names.
  ignore: Deno.build.os !== "linux",
  async fn() {
    for (const sort of ["name", "mtime"]) {
      await using bench = await FileBench.open({ sort });
      await runTool("sh", ["-c", 'printf x > "$(printf "M\\374LLER.hl7")"'], {
        cwd: bench.directory,
      });
      await bench.drop("a.hl7", adt("1"));
      await bench.start();
      await until(() => bench.logged.includes("file.left"), "the line");
      await until(() => bench.received.length === 1, "the other file");
      await pause(60);
      assert.deepEqual(bench.log, [{
        level: "warning",
        event: "file.left",
        connection: "FILE-IN_TEST",
        reason: "its name is not UTF-8",
      }]);
    }
  },
});

Deno.test("FileSource puts a file away whose name leaves no room for a counter", async () => {
  await using bench = await FileBench.open();
  const longest = "a".repeat(251) + ".hl7";
  await bench.start();
  await bench.drop(longest, adt("1"));
  await bench.waitForFiles([`.processed/${longest}`]);
  await bench.drop(longest, adt("2"));
  await bench.waitForFiles([`.processed/${"a".repeat(249)}-1.hl7`, `.processed/${longest}`]);
  assert.deepEqual(bench.texts, [adt("1"), adt("2")]);
});

Deno.test("FileSource survives the loss of its directory and its return", async () => {
  await using bench = await FileBench.open();
  await bench.start();
  await Deno.rename(bench.directory, path.join(bench.base, "away"));
  await until(() => bench.logged.includes("file.scan_failed"), "a failed scan");
  await Deno.rename(path.join(bench.base, "away"), bench.directory);
  await bench.drop("a.hl7", adt("1"));
  await bench.waitForFiles([".processed/a.hl7"]);
});

Deno.test("FileSource reads nothing while another node leads", async () => {
  let isLeader = false;
  await using bench = await FileBench.open({}, { isLeader: () => isLeader });
  await bench.drop("a.hl7", adt("1"));
  await bench.start();
  await pause(100);
  assert.deepEqual(bench.files(), ["a.hl7"]);
  assert.deepEqual(bench.logged, ["file.polling_paused"], "told once, not at each tick");
  isLeader = true;
  await bench.waitForFiles([".processed/a.hl7"]);
  assert.deepEqual(bench.logged, ["file.polling_paused", "file.polling_resumed"]);
});

Deno.test("stop() waits for the message under way and takes no further file", async () => {
  let answer: () => void = () => {};
  await using bench = await FileBench.open({}, {
    intake: () => new Promise((resolve) => answer = () => resolve(stored)),
  });
  await bench.drop("a.hl7", adt("1"));
  await bench.drop("b.hl7", adt("2"));
  await bench.start();
  await bench.waitForMessages(1);
  const stopped = bench.source.stop();
  await pause(30);
  answer();
  await within(stopped, "the stop");
  assert.deepEqual(bench.files(), [".processed/a.hl7", "b.hl7"]);
  await bench.source.stop();
  bench.intake = () => stored;
  await bench.start();
  await bench.waitForFiles([".processed/a.hl7", ".processed/b.hl7"]);
});

Deno.test("stop() leaves a file of which only a part was handed over", async () => {
  const answers: (() => void)[] = [];
  await using bench = await FileBench.open({}, {
    intake: () => new Promise((resolve) => answers.push(() => resolve(stored))),
  });
  await bench.drop("a.hl7", Array.from({ length: 100 }, (_, n) => adt(String(n))).join(""));
  await bench.start();
  await bench.waitForMessages(64);
  const stopped = bench.source.stop();
  for (const answer of answers) answer();
  await within(stopped, "the stop");
  assert.equal(bench.received.length, 64);
  assert.deepEqual(bench.files(), ["a.hl7"]);
});

Deno.test("FileSource log lines hold neither content nor names of files", async () => {
  await using bench = await FileBench.open({ pattern: "*" });
  await bench.drop("DOE_JANE.txt", "SECRET");
  await bench.drop("DOE_JOHN.txt", "SECRET");
  await bench.start();
  await bench.waitForFiles([".error/DOE_JANE.txt", ".error/DOE_JOHN.txt"]);
  // A file is moved before its line is written.
  await until(() => bench.log.length >= 2, "a line for each file", 5_000);
  assert.equal(bench.log.length, 2);
  assert.doesNotMatch(JSON.stringify(bench.log), /DOE|SECRET/);
});
