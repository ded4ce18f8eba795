// Goal: what the load processes read off bytes is what stands there, however the stream is cut.
import assert from "node:assert/strict";
import { Buffer } from "node:buffer";
import fc from "fast-check";
import {
  CONTROL_ID_BYTES,
  controlKey,
  readControlKey,
  SEQUENCES_MAX,
  SOURCES_MAX,
  writeControlId,
  writeSequence,
} from "../../bench/control_id.ts";
import { messagePool } from "../../bench/messages.ts";
import {
  acknowledgement,
  frame,
  FrameReader,
  headerField,
  positiveAcknowledgement,
} from "../../bench/mllp.ts";

Deno.test("readControlKey() reads back what writeControlId() wrote", () => {
  fc.assert(fc.property(
    fc.nat(SOURCES_MAX - 1),
    fc.nat(SEQUENCES_MAX - 1),
    fc.nat(SEQUENCES_MAX - 1),
    (source, sequence, next) => {
      const bytes = new Uint8Array(CONTROL_ID_BYTES + 4);
      writeControlId(bytes, 2, { source, sequence });
      assert.equal(readControlKey(bytes, 2), controlKey(source, sequence));
      writeSequence(bytes, 2, next);
      assert.equal(readControlKey(bytes, 2), controlKey(source, next));
      assert.deepEqual([bytes[1], bytes[CONTROL_ID_BYTES + 2]], [0, 0], "writes nothing beside it");
    },
  ));
});

Deno.test("readControlKey() knows a control ID that is not ours", () => {
  const read = (text: string, at = 0) => readControlKey(new TextEncoder().encode(text), at);

  assert.equal(read("B00010000000021|"), controlKey(1, 2));
  assert.equal(read("X0001000000002|"), -1);
  assert.equal(read("B000100000000|P"), -1);
  assert.equal(read("B0001"), -1);
  assert.equal(read("B0001000000002", -1), -1);
});

Deno.test("FrameReader finds the same frames wherever the stream is cut", () => {
  const body = fc.string({ unit: fc.constantFrom("M", "|", "\r", "é"), maxLength: 30 });
  const junk = fc.constantFrom("", "\r", "\r\n", "noise");
  fc.assert(fc.property(
    fc.array(fc.tuple(body, junk), { maxLength: 8 }),
    fc.array(fc.nat(12), { maxLength: 40 }),
    (messages, cuts) => {
      const stream = Buffer.concat(messages.flatMap(([text, after]) => [
        frame(Buffer.from(text)),
        Buffer.from(after),
      ]));
      const reader = new FrameReader();
      const found: string[] = [];
      let at = 0;
      for (const size of [...cuts, stream.length]) {
        reader.push(stream.subarray(at, at + size), (bytes, start, end) => {
          found.push(bytes.toString("utf8", start, end));
        });
        at += size;
      }
      assert.deepEqual(found, messages.map(([text]) => text));
    },
  ));
});

Deno.test("FrameReader refuses a frame without end", () => {
  const reader = new FrameReader();
  const megabyte = Buffer.alloc(1024 * 1024, 0x41);
  reader.push(Buffer.from("\x0b"), () => assert.fail());

  assert.throws(() => {
    for (let pushed = 0; pushed < 5; pushed++) reader.push(megabyte, () => assert.fail());
  }, /no end/);
});

Deno.test("headerField() finds a field and stops at the end of the header", () => {
  const bytes = Buffer.from("MSH|^~\\&|A|B|C|D|20240101||ADT^A01|ID7|P|2.5.1\rPID|1|2|3|4|5");
  const at = headerField(bytes, 0, 10);

  assert.equal(bytes.toString("latin1", at, at + 3), "ID7");
  assert.equal(bytes[headerField(bytes, 0, 4)], "B".charCodeAt(0));
  assert.equal(headerField(bytes, 0, 13), -1, "the PID segment is not part of the header");
});

Deno.test("acknowledgement() reads what positiveAcknowledgement() builds", () => {
  const id = Buffer.from("|B0003000000009|");
  const reply = positiveAcknowledgement(id, 1, 1 + CONTROL_ID_BYTES);
  const fields = acknowledgement(reply, 1, reply.length - 2);

  assert.equal(fields?.isPositive, true);
  assert.equal(readControlKey(reply, fields.controlIdAt), controlKey(3, 9));
  assert.equal(readControlKey(reply, headerField(reply, 1, 10)), controlKey(3, 9));
});

Deno.test("acknowledgement() takes no other code for a positive one", () => {
  const read = (msa: string) => {
    const bytes = Buffer.from(`MSH|^~\\&|MSA|AA\r${msa}\r`);
    return acknowledgement(bytes, 0, bytes.length);
  };

  assert.equal(read("MSA|CA|1")?.isPositive, true);
  for (const code of ["AE", "AR", "CE", "CR", "XA"]) {
    assert.equal(read(`MSA|${code}|1`)?.isPositive, false, code);
  }
  assert.equal(read("MSA|AA")?.controlIdAt, -1);
  assert.equal(read("ERR|AA|1"), undefined);
});

Deno.test("messagePool() gives framed messages of the wanted size that differ", () => {
  for (const bytes of [1_800, 2_000, 20_000]) {
    const pool = messagePool({ count: 4, bytes });
    for (const message of pool) {
      assert.equal(readControlKey(message.bytes, message.controlIdAt), 0);
      assert.ok(Math.abs(message.bytes.length - bytes) <= 32);
    }
    assert.equal(new Set(pool.map((message) => message.bytes.toString())).size, 4);
  }
});
