import assert from "node:assert/strict";
import {
  escape,
  makeDelimiters,
  Message,
  standardDelimiters,
  unescape,
} from "../../src/hl7/mod.ts";
import { code, lines } from "./samples.ts";

Deno.test("unescape() reads by the table of spec §3.5", () => {
  const table: readonly (readonly [string, string])[] = [
    ["\\F\\", "|"],
    ["\\S\\", "^"],
    ["\\R\\", "~"],
    ["\\T\\", "&"],
    ["\\E\\", "\\"],
    ["a\\E\\F\\E\\b", "a\\F\\b"],
    // bytes: UTF-8 when they are, else one character a byte
    ["\\X41\\", "A"],
    ["\\X4142\\", "AB"],
    ["\\XC389\\", "É"],
    ["\\xC389\\", ""],
    ["\\XC3\\\\X89\\", "É"],
    ["\\XE9\\", "é"],
    ["\\XE2\\\\X82\\\\XAC\\!", "€!"],
    ["\\X0D0A\\", "\r\n"],
    ["\\Xf09f9880\\", "\u{1F600}"],
    // formatting
    ["a\\.br\\b", "a\nb"],
    ["a\\.br3\\b", "a\n\n\nb"],
    ["\\.sp\\\\.sp2\\", "\n\n\n"],
    ["\\.ce\\", "\n"],
    ["\\.in\\x", "    x"],
    ["\\.in2\\x", "        x"],
    ["\\.in+2\\x", "        x"],
    ["\\.ti\\x", "    x"],
    ["\\.sk\\x", " x"],
    ["\\.sk3\\x", "   x"],
    ["\\.fi\\\\.nf\\x", "x"],
    ["\\.br0\\x", "x"],
    // highlighting has no text
    ["\\H\\loud\\N\\ quiet", "loud quiet"],
    // dropped
    ["a\\C2842\\b", "ab"],
    ["a\\M2442\\b", "ab"],
    ["a\\Zlocal\\b", "ab"],
    ["a\\unknown\\b", "ab"],
    ["a\\\\b", "ab"],
    ["a\\X4\\b", "ab"],
    ["a\\X4G\\b", "ab"],
    ["a\\X\\b", "ab"],
    ["a\\.brx\\b", "ab"],
    ["a\\.in-2\\b", "ab"],
    ["a\\.zz\\b", "ab"],
    ["a\\.\\b", "ab"],
    ["a\\f\\b", "ab"],
    // an escape character that opens nothing is data
    ["C:\\temp", "C:\\temp"],
    ["a\\S\\b\\", "a^b\\"],
    ["\\", "\\"],
    ["a\\X41", "a\\X41"],
    ["plain", "plain"],
    ["", ""],
  ];
  for (const [raw, wanted] of table) {
    assert.equal(unescape(raw, standardDelimiters), wanted, raw);
  }
});

// Vector 12.
Deno.test("unescape() drops counts above 512, instantly", () => {
  assert.equal(unescape("a\\.in2000000000\\b", standardDelimiters), "ab");
  assert.equal(unescape("a\\.in513\\b", standardDelimiters), "ab");
  assert.equal(unescape("\\.in512\\", standardDelimiters).length, 2048);
  assert.equal(unescape("\\.br00000000000001\\", standardDelimiters), "");
});

Deno.test("a message may not grow beyond 16 MiB by its escapes, in one read or in many", () => {
  const bomb = "\\.in512\\".repeat(8_300); // 66 KB that would become 17 MB
  assert.throws(() => unescape(bomb, standardDelimiters), code("hl7.escape_growth"));

  const half = "\\.in512\\".repeat(4_200);
  const message = Message.parse(lines("MSH|^~\\&|A", `ZZZ|x^${half}|x^${half}`));
  assert.equal(message.get("ZZZ-1.2")?.length, 4_200 * 2048);
  assert.throws(() => message.get("ZZZ-2.2"), code("hl7.escape_growth"));
  assert.equal(message.get("ZZZ-2")?.length, half.length + 2, "raw reads stay possible");
});

Deno.test("escape() protects exactly the five delimiters, escape character first", () => {
  assert.equal(escape("|^~&\\", standardDelimiters), "\\F\\\\S\\\\R\\\\T\\\\E\\");
  assert.equal(escape("a|b", standardDelimiters), "a\\F\\b");
  assert.equal(escape("\\F\\", standardDelimiters), "\\E\\F\\E\\");
  const plain = "nothing # to $ do";
  assert.equal(escape(plain, standardDelimiters), plain);
  const own = makeDelimiters("#", "@~!&");
  assert.equal(escape("a#b@c!d|^\\", own), "a!F!b!S!c!E!d|^\\");
  assert.equal(unescape("a!F!b!S!c!E!d|^\\", own), "a#b@c!d|^\\");
});
