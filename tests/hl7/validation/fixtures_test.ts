import assert from "node:assert/strict";
import { codecFor, Message, type Path, splitBatch, splitByObr } from "../../../src/hl7/mod.ts";
import { validateStrict } from "../../../src/hl7/validation/mod.ts";

const folder = new URL("../../fixtures/", import.meta.url);

function read(name: string): string {
  const bytes = Deno.readFileSync(new URL(name, folder));
  return codecFor(name.includes("latin1") ? "iso-8859-1" : "utf-8").decode(bytes);
}

const files = [...Deno.readDirSync(folder)].map(({ name }) => name).sort();

Deno.test("every fixture that is one message is valid and ends each segment with CR", () => {
  const messages = files.filter((name) => name.endsWith(".hl7") && name !== "batch_fhs_bhs.hl7");
  assert.ok(messages.length >= 10);
  for (const name of messages) {
    const text = read(name);
    assert.ok(text.endsWith("\r") && !text.includes("\n"), name);
    assert.deepEqual(validateStrict(text), { ok: true, version: "2.5.1" }, name);
  }
});

for (const name of files.filter((file) => file.endsWith(".expected.json"))) {
  const input = name.replace(".expected.json", ".hl7");
  Deno.test(`${input} reads as ${name} says`, () => {
    const message = Message.parse(read(input));
    const expected: Record<string, string | null> = JSON.parse(
      Deno.readTextFileSync(new URL(name, folder)),
    );
    for (const [path, value] of Object.entries(expected)) {
      assert.equal(message.get(path as Path) ?? null, value, path);
    }
  });
}

Deno.test("batch_fhs_bhs.hl7 holds the three messages beside it", () => {
  const { messages, mismatches } = splitBatch(read("batch_fhs_bhs.hl7"));
  const expected = [1, 2, 3].map((number) => read(`batch_fhs_bhs.message_${number}.hl7`));
  assert.deepEqual(messages, expected);
  assert.deepEqual(mismatches, []);
});

Deno.test("oru_r01_two_obr.hl7 splits into the two reports beside it", () => {
  const reports = splitByObr(Message.parse(read("oru_r01_two_obr.hl7")));
  const expected = [1, 2].map((number) => read(`oru_r01_two_obr.split_${number}.hl7`));
  assert.deepEqual(reports.map((report) => report.encode()), expected);
});

Deno.test("adt_latin1.hl7 keeps its bytes through decoding and encoding", () => {
  const bytes = Deno.readFileSync(new URL("adt_latin1.hl7", folder));
  const codec = codecFor("iso-8859-1");
  assert.deepEqual(codec.encode(codec.decode(bytes)), bytes);
  assert.throws(() => codecFor("utf-8").decode(bytes));
});
