import assert from "node:assert/strict";
import path from "node:path";
import type { DeliveryError, Destination } from "../../../src/connectors/connector.ts";
import { file } from "../../../src/connectors/file/mod.ts";
import { encodeCarriage } from "../../../src/hl7/mod.ts";
import { adt } from "../mllp/bench.ts";
import { filesBelow } from "./bench.ts";

const never = new AbortController().signal;

class Bench implements AsyncDisposable {
  readonly base: string;
  readonly directory: string;
  readonly destination: Destination;

  constructor(settings: Record<string, unknown> = {}) {
    this.base = Deno.realPathSync(Deno.makeTempDirSync());
    this.directory = path.join(this.base, "out", "deep");
    const build = file.createDestination;
    if (build === undefined) throw new Error("File has no destination");
    this.destination = build(
      { settings: { directory: this.directory, ...settings }, verifyAckControlId: "lenient" },
      { name: "FILE-OUT_TEST", onEvent: () => {} },
    );
  }

  async send(text: string): Promise<void> {
    assert.deepEqual(await this.destination.send({ text }, never), { accepted: true });
  }

  read(name: string): string {
    return Deno.readTextFileSync(path.join(this.directory, name));
  }

  files(): string[] {
    return filesBelow(this.directory);
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await this.destination.close();
    await Deno.remove(this.base, { recursive: true });
  }
}

Deno.test("FileDestination writes a payload as it is, for the engine's user only", async () => {
  await using bench = new Bench();
  await bench.send(adt("42", "É"));
  assert.deepEqual(bench.files(), ["42.hl7"]);
  assert.equal(bench.read("42.hl7"), adt("42", "É"));
  const { mode } = await Deno.stat(path.join(bench.directory, "42.hl7"));
  assert.equal((mode ?? 0) & 0o777, 0o600);
  assert.equal(bench.destination.counters.bytesOut, adt("42").length + 2);
});

Deno.test("FileDestination numbers files of one name", async () => {
  await using bench = new Bench({ filename: "a.hl7" });
  for (const id of ["1", "2", "3"]) await bench.send(adt(id));
  assert.deepEqual(bench.files(), ["a-1.hl7", "a-2.hl7", "a.hl7"]);
  assert.equal(bench.read("a.hl7"), adt("1"));
  assert.equal(bench.read("a-2.hl7"), adt("3"));
  await Deno.remove(path.join(bench.directory, "a.hl7"));
  await bench.send(adt("4"));
  assert.equal(bench.read("a.hl7"), adt("4"), "a name taken away is free again");
});

Deno.test("FileDestination gives concurrent deliveries of one name a file each", async () => {
  await using bench = new Bench({ filename: "a.hl7" });
  await Promise.all(Array.from({ length: 20 }, (_, n) => bench.send(adt(String(n)))));
  const contents = bench.files().map((name) => bench.read(name));
  assert.equal(new Set(contents).size, 20);
});

Deno.test("FileDestination replaces with overwrite, never through a link", async () => {
  await using bench = new Bench({ filename: "a.hl7", overwrite: true });
  await bench.send(adt("1"));
  await bench.send(adt("2"));
  assert.deepEqual(bench.files(), ["a.hl7"]);
  assert.equal(bench.read("a.hl7"), adt("2"));

  const outside = path.join(bench.base, "outside.txt");
  await Deno.writeTextFile(outside, "untouched");
  await Deno.remove(path.join(bench.directory, "a.hl7"));
  await Deno.symlink(outside, path.join(bench.directory, "a.hl7"));
  await bench.send(adt("3"));
  assert.equal(Deno.readTextFileSync(outside), "untouched");
  assert.equal(bench.read("a.hl7"), adt("3"));
});

Deno.test("FileDestination treats a link under the name as taken without overwrite", async () => {
  await using bench = new Bench({ filename: "a.hl7" });
  const outside = path.join(bench.base, "outside.txt");
  await Deno.mkdir(bench.directory, { recursive: true });
  await Deno.symlink(outside, path.join(bench.directory, "a.hl7"));
  await bench.send(adt("1"));
  assert.equal(bench.read("a-1.hl7"), adt("1"));
  assert.throws(() => Deno.statSync(outside), Deno.errors.NotFound);
});

Deno.test("FileDestination keeps every file inside its directory", async () => {
  await using bench = new Bench();
  await bench.send(adt("../../etc/x"));
  assert.deepEqual(bench.files(), ["_.._etc_x.hl7"]);
  assert.deepEqual(filesBelow(bench.base), ["out/deep/_.._etc_x.hl7"]);
});

Deno.test("FileDestination writes in the connection's character set, or fails for good", async () => {
  await using bench = new Bench({ encoding: "iso-8859-1", filename: "a.hl7" });
  await bench.send(adt("1", "É"));
  const bytes = await Deno.readFile(path.join(bench.directory, "a.hl7"));
  assert.equal(String.fromCharCode(...bytes), adt("1", "\xc9"));
  await assert.rejects(bench.send(adt("2", "č")), (error: DeliveryError) => {
    assert.equal(error.code, "delivery.unencodable");
    assert.equal(error.permanent, true);
    return true;
  });
  assert.deepEqual(bench.files(), ["a.hl7"]);
});

Deno.test("FileDestination writes carried binary bodies as the bytes they were", async () => {
  await using bench = new Bench({ filename: "a.bin" });
  const bytes = Uint8Array.of(0, 0xff, 0x0b, 0x1c, 0x0d, 0x80);
  await bench.send(encodeCarriage(bytes));
  assert.deepEqual(await Deno.readFile(path.join(bench.directory, "a.bin")), bytes);
  await assert.rejects(bench.send("mfb64:v1:not base64!"), {
    code: "delivery.corrupt_body",
    permanent: true,
  });
});

Deno.test("FileDestination reports what it cannot write, and leaves nothing half done", async () => {
  await using bench = new Bench({ filename: "{PID-5}.hl7" });
  await Deno.writeTextFile(path.join(bench.base, "out"), "a file in the way");
  await assert.rejects(bench.send(adt("1", "SECRET")), (error: DeliveryError) => {
    assert.deepEqual([error.code, error.reached, error.permanent], [
      "delivery.write_failed",
      "no",
      false,
    ]);
    assert.doesNotMatch(`${error.message} ${error.hint} ${error.cause}`, /SECRET|TEST/);
    return true;
  });
  await assert.rejects(bench.destination.probe(never), { code: "delivery.write_failed" });
  await Deno.remove(path.join(bench.base, "out"));
  await bench.send(adt("1"));
  assert.equal(bench.files().length, 1);
});

Deno.test("FileDestination fails without a trace when a name cannot be replaced", async () => {
  await using bench = new Bench({ filename: "a.hl7", overwrite: true });
  await Deno.mkdir(path.join(bench.directory, "a.hl7", "full"), { recursive: true });
  await assert.rejects(bench.send(adt("1")), { code: "delivery.write_failed" });
  assert.deepEqual(bench.files(), []);
});

Deno.test("FileDestination writes nowhere else when its directory becomes a link", async () => {
  await using bench = new Bench();
  await bench.send(adt("1"));
  const elsewhere = path.join(bench.base, "elsewhere");
  await Deno.rename(bench.directory, `${bench.directory}.old`);
  await Deno.mkdir(elsewhere);
  await Deno.symlink(elsewhere, bench.directory);
  await assert.rejects(bench.send(adt("2")), { code: "delivery.write_failed", reached: "no" });
  assert.deepEqual(filesBelow(elsewhere), []);
});

Deno.test("FileDestination removes what a process that died left unfinished", async () => {
  await using bench = new Bench();
  await Deno.mkdir(bench.directory, { recursive: true });
  const [old, fresh] = [crypto.randomUUID(), crypto.randomUUID()]
    .map((id) => path.join(bench.directory, `.mefor-${id}.part`)) as [string, string];
  await Deno.writeTextFile(old, "half");
  await Deno.writeTextFile(fresh, "another lane's");
  await Deno.writeTextFile(path.join(bench.directory, "theirs.part"), "not ours");
  const yesterday = new Date(Date.now() - 86_400_000);
  await Deno.utime(old, yesterday, yesterday);
  await bench.send(adt("1"));
  assert.deepEqual(bench.files(), [path.basename(fresh), "1.hl7", "theirs.part"].sort());
});

Deno.test("probe() creates the directory and leaves no file", async () => {
  await using bench = new Bench();
  await bench.destination.probe(never);
  assert.deepEqual(bench.files(), []);
});

Deno.test("FileDestination sends nothing once aborted or closed", async () => {
  await using bench = new Bench();
  const aborted = bench.destination.send({ text: adt("1") }, AbortSignal.abort());
  await assert.rejects(aborted, { code: "delivery.aborted", reached: "no" });
  await bench.destination.close();
  await assert.rejects(bench.send(adt("2")), { code: "delivery.aborted", reached: "no" });
  assert.deepEqual(filesBelow(bench.base), []);
});
