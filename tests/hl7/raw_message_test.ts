import assert from "node:assert/strict";
import { decodeCarriage, encodeCarriage, RawMessage } from "../../src/hl7/mod.ts";
import fc from "fast-check";
import { code } from "./samples.ts";

Deno.test("RawMessage gives its payload back and reads JSON", () => {
  const message = new RawMessage('{"id": 7}', "json");
  assert.equal(message.raw, '{"id": 7}');
  assert.equal(message.text, message.raw);
  assert.equal(message.encode(), message.raw);
  assert.equal(message.isBinary, false);
  assert.equal(message.contentType, "json");
  assert.deepEqual(message.json<{ id: number }>(), { id: 7 });
  assert.equal(new RawMessage("\ufeff[1]", "json").json<number[]>()[0], 1);
  assert.deepEqual(message.bytes(), new TextEncoder().encode(message.raw));
});

Deno.test("RawMessage.json() quotes nothing when it fails", () => {
  assert.throws(
    () => new RawMessage('{"name": SECRET}', "json").json(),
    (error: Error) => {
      assert.ok(!String(error.stack).includes("SECRET"));
      assert.equal(error.cause, undefined);
      return code("hl7.json_invalid")(error);
    },
  );
});

Deno.test("RawMessage.bytes() opens a carriage and refuses a corrupt one", () => {
  const bytes = Uint8Array.from({ length: 300 }, (_, n) => n % 256);
  const message = new RawMessage(encodeCarriage(bytes), "binary");
  assert.equal(message.isBinary, true);
  assert.deepEqual(message.bytes(), bytes);
  assert.equal(encodeCarriage(Uint8Array.of(1, 2)), "mfb64:v1:AQI=");
  const corrupt = [
    "AQI=",
    "mfb64:v2:AQI=",
    "mfb64:v1:AQI",
    "mfb64:v1:AQ I=",
    "mfb64:v1:AQI=\n",
    "mfb64:v1:A*I=",
    "mfb64:v1:AQJ=",
    "",
  ];
  for (const raw of corrupt) {
    assert.throws(() => new RawMessage(raw, "dicom").bytes(), code("hl7.carriage_corrupt"), raw);
  }
  assert.throws(() => new RawMessage("\ud800", "text").bytes(), code("hl7.unencodable"));
});

Deno.test("a carriage gives any bytes back", () => {
  fc.assert(fc.property(fc.uint8Array(), (bytes) => {
    assert.deepEqual(Uint8Array.from(decodeCarriage(encodeCarriage(bytes))), bytes);
  }));
});
