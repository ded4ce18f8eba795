/**
 * The frame decoder against a model that looks at one byte at a time and is too slow to be wrong.
 */
import assert from "node:assert/strict";
import fc from "fast-check";
import { FrameDecoder } from "../../../src/connectors/mllp/frame_decoder.ts";

const latin1 = new TextDecoder("latin1");

function bytesOf(text: string): Uint8Array {
  return Uint8Array.from(text, (letter) => letter.charCodeAt(0));
}

/** Feeds `chunks` and returns frames as text, and signals in angle brackets. */
function decode(chunks: readonly Uint8Array[], bytesMax = Infinity): string[] {
  const decoder = new FrameDecoder(bytesMax);
  const found: string[] = [];
  for (const chunk of chunks) {
    decoder.push(chunk);
    for (let next = decoder.next(); next !== undefined; next = decoder.next()) {
      found.push(typeof next === "string" ? `<${next}>` : latin1.decode(next));
    }
  }
  return found;
}

const leads = new Set(["\x0bMSH", "\x0bFHS", "\x0bBHS"]);

/** The rules of spec §3.11, byte by byte. */
function model(stream: Uint8Array, bytesMax = Infinity): string[] {
  const found: string[] = [];
  let body: number[] | undefined;
  for (const byte of stream) {
    if (body === undefined) {
      if (byte === 0x0b) body = [];
      continue;
    }
    if (byte === 0x1c) {
      found.push(latin1.decode(Uint8Array.from(body)));
      body = undefined;
      continue;
    }
    body.push(byte);
    if (leads.has(String.fromCharCode(...body.slice(-4)))) {
      body = body.slice(-3);
      found.push("<restarted>");
    } else if (body.length > bytesMax) {
      found.push("<oversize>");
      return found;
    }
  }
  return found;
}

function cut(stream: Uint8Array, cuts: readonly number[]): Uint8Array[] {
  const at = [...new Set(cuts.map((position) => position % (stream.length + 1)))]
    .sort((a, b) => a - b);
  const chunks: Uint8Array[] = [];
  let from = 0;
  for (const until of [...at, stream.length]) {
    chunks.push(stream.slice(from, until));
    from = until;
  }
  return chunks;
}

/** Streams made of the pieces that matter, with the odd random byte. */
const streams = fc.array(
  fc.oneof(
    { weight: 6, arbitrary: fc.constantFrom("\x0b", "\x1c", "\r", "\n", "M", "S", "H", "F", "B") },
    { weight: 3, arbitrary: fc.constantFrom("MSH|", "\x0bMSH", "\x0bFHS", "\x0bBHS", "\x1c\r") },
    { weight: 1, arbitrary: fc.integer({ min: 0, max: 255 }).map((n) => String.fromCharCode(n)) },
  ),
  { maxLength: 60 },
).map((pieces) => bytesOf(pieces.join("")));

const caps = fc.oneof(fc.constant(Infinity), fc.integer({ min: 0, max: 12 }));

Deno.test("FrameDecoder finds what the byte-wise model finds, however the stream is split", () => {
  fc.assert(
    fc.property(streams, fc.array(fc.nat(200), { maxLength: 12 }), caps, (stream, cuts, cap) => {
      const expected = model(stream, cap);
      assert.deepEqual(decode([stream], cap), expected, "one chunk");
      assert.deepEqual(decode(cut(stream, cuts), cap), expected, "random cuts");
      assert.deepEqual(decode([...stream].map((byte) => Uint8Array.of(byte)), cap), expected);
    }),
    { numRuns: 3_000 },
  );
});

Deno.test("FrameDecoder finds the same when all chunks are pushed before the first is read", () => {
  fc.assert(
    fc.property(streams, fc.array(fc.nat(200), { maxLength: 12 }), (stream, cuts) => {
      const decoder = new FrameDecoder(Infinity);
      for (const chunk of cut(stream, cuts)) decoder.push(chunk);
      const found: string[] = [];
      for (let next = decoder.next(); next !== undefined; next = decoder.next()) {
        found.push(typeof next === "string" ? `<${next}>` : latin1.decode(next));
      }
      assert.deepEqual(found, model(stream));
    }),
    { numRuns: 1_000 },
  );
});

Deno.test("FrameDecoder takes a frame split after every byte for one frame", () => {
  const stream = bytesOf("\x0bMSH|^~\\&|A\rPID|1\r\x1c\r");
  assert.deepEqual(
    decode([...stream].map((byte) => Uint8Array.of(byte))),
    ["MSH|^~\\&|A\rPID|1\r"],
  );
});

Deno.test("FrameDecoder drops keep-alives and junk between frames", () => {
  const stream = bytesOf("\r\n\x0bMSH|1\x1c\r\r\n \x1c junk\x0bMSH|2\x1c\x0bMSH|3\x1c\r");
  assert.deepEqual(decode([stream]), ["MSH|1", "MSH|2", "MSH|3"]);
});

Deno.test("FrameDecoder gives up an open frame when the next message begins", () => {
  assert.deepEqual(
    decode([bytesOf("\x0bMSH|lost"), bytesOf("\x0bMSH|kept\x1c\r")]),
    ["<restarted>", "MSH|kept"],
  );
});

Deno.test("FrameDecoder keeps a start byte that no segment ID follows as content", () => {
  assert.deepEqual(decode([bytesOf("\x0bMSH|a\x0bPID\x0b\x1c\r")]), ["MSH|a\x0bPID\x0b"]);
});

Deno.test("FrameDecoder yields empty frames", () => {
  assert.deepEqual(decode([bytesOf("\x0b\x1c\r\x0b\x1c")]), ["", ""]);
});

Deno.test("FrameDecoder stops for good at a frame over the cap, before its end arrives", () => {
  const decoder = new FrameDecoder(8);
  decoder.push(bytesOf("\x0b12345678\x1c\r\x0b123456"));
  assert.equal(latin1.decode(decoder.next() as Uint8Array), "12345678");
  assert.equal(decoder.next(), undefined);
  assert.equal(decoder.isOpen, true);
  decoder.push(bytesOf("789"));
  assert.equal(decoder.next(), "oversize");
  decoder.push(bytesOf("\x1c\r\x0bMSH|next\x1c\r"));
  assert.equal(decoder.next(), undefined);
});

Deno.test("FrameDecoder returns a view of the chunk for a frame within it", () => {
  const chunk = bytesOf("\x0bMSH|1\x1c\r");
  const decoder = new FrameDecoder(Infinity);
  decoder.push(chunk);
  const frame = decoder.next();
  assert.ok(frame instanceof Uint8Array);
  assert.equal(frame.buffer, chunk.buffer);
});

Deno.test("FrameDecoder hasUnread tells a trailing CR LF from bytes nobody asked for", () => {
  const decoder = new FrameDecoder(Infinity);
  decoder.push(bytesOf("\x0bMSA\x1c\r\n"));
  decoder.next();
  assert.equal(decoder.hasUnread, false);
  decoder.push(bytesOf("\x0b"));
  assert.equal(decoder.hasUnread, true);
  decoder.reset();
  assert.equal(decoder.hasUnread, false);
});

// Goal: a peer cannot buy quadratic work: each byte of a chunk is searched once.
Deno.test("FrameDecoder reads a megabyte of restarts in linear time", () => {
  const small = timeOf(bytesOf("\x0bMSH".repeat(16_384)));
  const large = timeOf(bytesOf("\x0bMSH".repeat(262_144)));
  assert.ok(large < 64 * Math.max(small, 1), `16 times the bytes took ${large} ms, not ${small}`);
});

function timeOf(stream: Uint8Array): number {
  const began = performance.now();
  const decoder = new FrameDecoder(Infinity);
  decoder.push(stream);
  while (decoder.next() !== undefined);
  return performance.now() - began;
}
