/**
 * What one message costs in the pure HL7 room: a 2 KB ADT of 20 segments.
 *
 * Run: `deno bench --allow-read bench/hl7_bench.ts`. Targets: peekHeader under 2 µs, the typical
 * handler (parse, five reads, two writes, encode) under 15 µs.
 */
import {
  buildAcknowledgement,
  codecFor,
  Message,
  normaliseText,
  peekHeader,
  readAcknowledgement,
} from "../src/hl7/mod.ts";
import { adtOf20Segments } from "../tests/hl7/samples.ts";

const text = adtOf20Segments;
const bytes = new TextEncoder().encode(text);
const crlf = text.replaceAll("\r", "\r\n");
const peek = peekHeader(text);
const header = peek.ok ? peek.header : undefined;
const acknowledgement = buildAcknowledgement({
  header,
  rawStart: "",
  code: "AA",
  mode: "original",
  now: 0,
});

Deno.bench("peekHeader", { group: "intake", baseline: true }, () => {
  peekHeader(text);
});

Deno.bench("normaliseText, nothing to do", { group: "intake" }, () => {
  normaliseText(text);
});

Deno.bench("normaliseText, CRLF", { group: "intake" }, () => {
  normaliseText(crlf);
});

Deno.bench("buildAcknowledgement", { group: "intake" }, () => {
  buildAcknowledgement({ header, rawStart: "", code: "AA", mode: "original", now: 1e12 });
});

Deno.bench("readAcknowledgement", { group: "intake" }, () => {
  readAcknowledgement(acknowledgement);
});

Deno.bench("router: parse and three header reads", { group: "author" }, () => {
  const message = Message.parse(text);
  keep(message.messageCode, message.triggerEvent, message.controlId);
});

Deno.bench("handler: parse, 5 gets, 2 sets, encode", { group: "author", baseline: true }, () => {
  const message = Message.parse(text);
  message.get("MSH-4");
  message.get("PID-3.1");
  message.get("PID-5.1");
  message.get("PV1-3.1");
  message.get("OBX[2]-5");
  message.set("MSH-4", "ACMEHOSP").set("PID-5.1", "O'Brien & Sons");
  keep(message.encode());
});

Deno.bench("parse and encode, untouched", { group: "author" }, () => {
  keep(Message.parse(text).encode());
});

Deno.bench("copy of a parsed message, one set", { group: "author" }, () => {
  keep(parsed.copy().set("PID-8", "F").encode());
});

/** Flattens texts as a consumer would, so that no cost hides in a rope. */
function keep(...values: readonly (string | undefined)[]): void {
  for (const value of values) if (value?.includes("\u0000")) throw new Error("NUL in a sample");
}

const parsed = Message.parse(text);
parsed.get("PID-3.1");

for (const name of ["utf-8", "iso-8859-1", "windows-1252"]) {
  const codec = codecFor(name);
  Deno.bench(`${name} decode`, { group: "charset" }, () => {
    codec.decode(bytes);
  });
  Deno.bench(`${name} encode`, { group: "charset" }, () => {
    codec.encode(text);
  });
}
