import assert from "node:assert/strict";
import {
  type Codec,
  codecFor,
  Hl7CharsetError,
  isCharsetMismatch,
  latin1View,
  msh18Names,
} from "../../src/hl7/mod.ts";
import { decodeUtf8, encodeUtf8, firstInvalidUtf8 } from "../../src/hl7/utf8.ts";
import fc from "fast-check";
import { code } from "./samples.ts";

const everyByte = Uint8Array.from({ length: 256 }, (_, byte) => byte);

Deno.test("codecFor() knows every row of spec §3.10 and the usual spellings", () => {
  const table: readonly (readonly [string, string])[] = [
    ["utf-8", "utf-8"],
    ["UTF8", "utf-8"],
    ["utf_8", "utf-8"],
    ["UNICODE UTF-8", "utf-8"],
    ["ascii", "us-ascii"],
    ["US-ASCII", "us-ascii"],
    ["latin-1", "iso-8859-1"],
    ["latin1", "iso-8859-1"],
    ["iso8859-1", "iso-8859-1"],
    ["ISO_8859_1", "iso-8859-1"],
    ["8859/1", "iso-8859-1"],
    ["8859/15", "iso-8859-15"],
    ["latin9", "iso-8859-15"],
    ["cp1252", "windows-1252"],
    ["Windows-1252", "windows-1252"],
    ["ISO IR87", "iso-2022-jp"],
    ["ISO IR159", "iso-2022-jp"],
    ["GB 18030-2000", "gb18030"],
    ["KS X 1001", "euc-kr"],
    ["BIG-5", "big5"],
    ["shift_jis", "shift-jis"],
    ["koi8-r", "koi8-r"],
    ["windows-1251", "windows-1251"],
  ];
  for (const [name, canonical] of table) {
    const codec = codecFor(name);
    assert.equal(codec.name, canonical, name);
    assert.equal(codec.decode(codec.encode("MSH|^~\\&|A\r")), "MSH|^~\\&|A\r");
  }
  for (let n = 1; n <= 16; n++) {
    if (n === 12) assert.throws(() => codecFor(`8859/${n}`), code("hl7.charset_unknown"));
    else assert.equal(codecFor(`8859/${n}`).name, `iso-8859-${n}`);
  }
});

Deno.test("codecFor() refuses UTF-16, UTF-32 and what it does not know", () => {
  for (
    const name of [
      "utf-16",
      "UTF16",
      "utf-16le",
      "UTF-16-BE",
      "UNICODE UTF-16",
      "utf-32",
      "UNICODE UTF-32",
      "ucs-2",
    ]
  ) {
    assert.throws(() => codecFor(name), code("hl7.charset_refused"), name);
  }
  for (const name of ["", "ebcdic", "utf-9", "x-user-defined", "iso-8859-17", "iso-8859-8-i"]) {
    assert.throws(() => codecFor(name), code("hl7.charset_unknown"), name);
  }
});

Deno.test("iso-8859-1 is latin-1, not windows-1252", () => {
  const codec = codecFor("iso-8859-1");
  assert.equal(codec.decode(Uint8Array.of(0x80, 0x9f, 0xe9)), "\u0080\u009fé");
  assert.deepEqual(codec.encode("é\u0080"), Uint8Array.of(0xe9, 0x80));
  assert.throws(() => codec.encode("€"), code("hl7.unencodable"));
});

Deno.test("single-byte sets round-trip every byte they have, and refuse the others", () => {
  const holes: Readonly<Record<string, readonly number[]>> = {
    "us-ascii": Array.from({ length: 128 }, (_, n) => n + 128),
    "iso-8859-1": [],
    "iso-8859-15": [],
    "windows-1252": [0x81, 0x8d, 0x8f, 0x90, 0x9d],
    "iso-8859-2": [],
    "iso-8859-5": [],
    "iso-8859-9": [],
    "windows-1251": [],
  };
  for (const [name, missing] of Object.entries(holes)) {
    const codec = codecFor(name);
    const present = everyByte.filter((byte) => !missing.includes(byte));
    const text = codec.decode(present);
    assert.equal(text.length, present.length);
    assert.equal(new Set(text).size, present.length, "one character a byte");
    assert.deepEqual(codec.encode(text), present, name);
    for (const byte of missing) {
      assert.throws(() => codec.decode(Uint8Array.of(0x41, byte)), (error: Hl7CharsetError) => {
        assert.equal(error.position, 1);
        return code("hl7.undecodable")(error);
      });
    }
  }
});

Deno.test("the sets differ where they are known to differ", () => {
  assert.equal(codecFor("iso-8859-15").decode(Uint8Array.of(0xa4, 0xa6, 0xbe)), "€ŠŸ");
  assert.equal(codecFor("windows-1252").decode(Uint8Array.of(0x80, 0x93, 0x94, 0x9f)), "€“”Ÿ");
  assert.equal(codecFor("iso-8859-9").decode(Uint8Array.of(0x80, 0xfd)), "\u0080ı");
  assert.equal(codecFor("iso-8859-2").decode(Uint8Array.of(0xb1)), "ą");
  assert.equal(codecFor("windows-1251").decode(Uint8Array.of(0xcf)), "П");
  assert.deepEqual(codecFor("iso-8859-15").encode("€"), Uint8Array.of(0xa4));
});

Deno.test("East Asian sets are decoded, strictly, and encoded as far as ASCII", () => {
  const samples: readonly (readonly [string, readonly number[], string])[] = [
    ["gb18030", [0xc4, 0xe3], "你"],
    ["euc-kr", [0xb0, 0xa1], "가"],
    ["big5", [0xa7, 0x41], "你"],
    ["iso-2022-jp", [0x1b, 0x24, 0x42, 0x46, 0x7c, 0x1b, 0x28, 0x42], "日"],
  ];
  for (const [name, bytes, text] of samples) {
    const codec = codecFor(name);
    assert.equal(codec.decode(Uint8Array.from(bytes)), text, name);
    assert.throws(() => codec.decode(Uint8Array.of(0xff)), code("hl7.undecodable"), name);
    assert.throws(() => codec.encode("ab" + text), (error: Hl7CharsetError) => {
      assert.equal(error.position, 2);
      return code("hl7.unencodable")(error);
    });
  }
});

Deno.test("utf-8 is strict both ways, keeps a BOM and names positions", () => {
  const codec = codecFor("utf-8");
  assert.equal(codec.decode(Uint8Array.of(0xef, 0xbb, 0xbf, 0x41)), "\ufeffA");
  // Vector 4: latin-1 on a utf-8 connection.
  assert.throws(
    () => codec.decode(Uint8Array.of(0x4d, 0x53, 0x48, 0xc9)),
    (error: Hl7CharsetError) => {
      assert.equal(error.position, 3);
      return code("hl7.undecodable")(error);
    },
  );
  assert.equal(codec.decodeLossless(Uint8Array.of(0x4d, 0xc9)), "MÉ");
  assert.throws(() => codec.encode("ab\ud800c"), (error: Hl7CharsetError) => {
    assert.equal(error.position, 2);
    return !error.message.includes("\ud800");
  });
  assert.throws(
    () => codec.encode("\u{1F600}\udc00"),
    (error: Hl7CharsetError) => error.position === 2,
  );
});

Deno.test("latin1View() loses nothing", () => {
  const view = latin1View(everyByte);
  assert.deepEqual(Uint8Array.from(view, (character) => character.charCodeAt(0)), everyByte);
  const long = new Uint8Array(10_000).fill(0x93);
  assert.equal(latin1View(long), "\u0093".repeat(10_000));
});

Deno.test("msh18Names() maps table 0211; isCharsetMismatch() compares with the connection", () => {
  assert.deepEqual(msh18Names("8859/15"), ["iso-8859-15"]);
  assert.deepEqual(msh18Names("unicode utf-8"), ["utf-8"]);
  assert.deepEqual(msh18Names("8859/1~UNICODE UTF-8"), ["iso-8859-1"]);
  assert.deepEqual(msh18Names("UNICODE UTF-16"), ["utf-16"]);
  for (const configured of [undefined, "", "ASCII", "something else", "8859/12"]) {
    assert.equal(msh18Names(configured), undefined);
    assert.equal(isCharsetMismatch(configured, codecFor("utf-8")), false);
  }
  assert.equal(isCharsetMismatch("8859/1", codecFor("utf-8")), true);
  assert.equal(isCharsetMismatch("8859/1", codecFor("latin1")), false);
  assert.equal(isCharsetMismatch("UNICODE UTF-8", codecFor("utf-8")), false);
});

// Goal: the look at ASCII alone changes no outcome. Method: bytes at any offset of a larger buffer,
// ASCII but for a few, against the runtime's strict decoder and against each byte on its own.
Deno.test("utf-8 decodes what the runtime's strict decoder decodes, and nothing else", () => {
  const strict = new TextDecoder("utf-8", { fatal: true, ignoreBOM: true });
  const codec = codecFor("utf-8");
  fc.assert(
    fc.property(fc.oneof(nearlyAscii(), nearlyUtf8()), fc.nat(7), (bytes, offset) => {
      assert.equal(textOf(codec, viewOf(bytes, offset)), orUndefined(() => strict.decode(bytes)));
    }),
    { numRuns: 3_000 },
  );
});

Deno.test("utf-8 encodes what the runtime encodes, short texts and long ones", () => {
  const codec = codecFor("utf-8");
  const unit = fc.constantFrom("a", "é", "€", "\u{1F600}", "\ufeff", "\ud800");
  fc.assert(
    fc.property(fc.string({ unit, maxLength: 12 }), fc.nat(1_100), (text, repeats) => {
      const long = text + "b".repeat(repeats);
      const wanted = long.isWellFormed() ? new TextEncoder().encode(long) : undefined;
      let encoded: Uint8Array | undefined;
      try {
        encoded = codec.encode(long);
      } catch (error) {
        assert.ok(code("hl7.unencodable")(error));
      }
      assert.deepEqual(encoded, wanted);
    }),
    { numRuns: 1_000 },
  );
});

Deno.test("single-byte sets decode a text as they decode each of its bytes", () => {
  const names = ["us-ascii", "iso-8859-1", "iso-8859-15", "windows-1252", "iso-8859-2", "koi8-r"];
  fc.assert(
    fc.property(
      fc.constantFrom(...names),
      nearlyAscii(),
      fc.nat(7),
      (name, bytes, offset) => {
        const codec = codecFor(name);
        const letters = Array.from(bytes, (byte) => textOf(codec, Uint8Array.of(byte)));
        const wanted = letters.includes(undefined) ? undefined : letters.join("");
        assert.equal(textOf(codec, viewOf(bytes, offset)), wanted);
        assert.equal(
          latin1View(viewOf(bytes, offset)),
          Array.from(bytes, (byte) => String.fromCharCode(byte)).join(""),
        );
      },
    ),
    { numRuns: 2_000 },
  );
});

function textOf(codec: Codec, bytes: Uint8Array): string | undefined {
  return orUndefined(() => codec.decode(bytes));
}

function orUndefined(read: () => string): string | undefined {
  try {
    return read();
  } catch {
    return undefined;
  }
}

/** The same bytes, not alone in their buffer. */
function viewOf(bytes: Uint8Array, offset: number): Uint8Array {
  const larger = new Uint8Array(bytes.length + 16).fill(0xe9);
  larger.set(bytes, offset);
  return larger.subarray(offset, offset + bytes.length);
}

/** ASCII with at most three bytes of any kind in it. */
function nearlyAscii(): fc.Arbitrary<Uint8Array> {
  const ascii = fc.uint8Array({ max: 0x7f, maxLength: 80 });
  const spots = fc.array(fc.tuple(fc.nat(), fc.nat(255)), { maxLength: 3 });
  return fc.tuple(ascii, spots).map(([bytes, changes]) => {
    const copy = Uint8Array.from(bytes);
    for (const [at, byte] of changes) if (copy.length > 0) copy[at % copy.length] = byte;
    return copy;
  });
}

Deno.test("our UTF-8 decoder holds the limits of RFC 3629", () => {
  const table: readonly (readonly [readonly number[], number])[] = [
    [[0xc0, 0x80], 0], // overlong NUL
    [[0xc1, 0xbf], 0],
    [[0xe0, 0x9f, 0xbf], 0], // overlong
    [[0xf0, 0x8f, 0xbf, 0xbf], 0],
    [[0x41, 0xed, 0xa0, 0x80], 1], // a surrogate
    [[0xed, 0xbf, 0xbf], 0],
    [[0xf4, 0x90, 0x80, 0x80], 0], // above U+10FFFF
    [[0xf5, 0x80, 0x80, 0x80], 0],
    [[0xff], 0],
    [[0x80], 0],
    [[0x41, 0xe2, 0x82], 1], // cut short
    [[0xe2, 0x82, 0x41], 0],
    [[0xf0, 0x9f, 0x98], 0],
  ];
  for (const [bytes, at] of table) {
    assert.deepEqual(decodeUtf8(Uint8Array.from(bytes)), { ok: false, at });
    assert.equal(firstInvalidUtf8(Uint8Array.from(bytes)), at);
  }
  const edges = "\u007f\u0080\u07ff\u0800\ud7ff\ue000\uffff\u{10000}\u{10ffff}";
  assert.deepEqual(decodeUtf8(new TextEncoder().encode(edges)), { ok: true, text: edges });
});

Deno.test("our UTF-8 decoder agrees with the runtime's on any bytes", () => {
  const strict = new TextDecoder("utf-8", { fatal: true, ignoreBOM: true });
  fc.assert(
    fc.property(nearlyUtf8(), (bytes) => {
      let wanted: string | undefined;
      try {
        wanted = strict.decode(bytes);
      } catch {
        wanted = undefined;
      }
      const result = decodeUtf8(bytes);
      assert.equal(result.ok ? result.text : undefined, wanted);
      assert.equal(firstInvalidUtf8(bytes), result.ok ? -1 : result.at);
    }),
    { numRuns: 2_000 },
  );
});

Deno.test("our UTF-8 encoder agrees with the runtime's on any text", () => {
  fc.assert(
    fc.property(fc.string({ unit: "binary" }), (text) => {
      const bytes = encodeUtf8(text);
      if (text.isWellFormed()) assert.deepEqual(bytes, new TextEncoder().encode(text));
      else assert.equal(typeof bytes, "number");
    }),
    { numRuns: 1_000 },
  );
  assert.equal(encodeUtf8("a\ud800"), 1);
  const long = "é€\u{1F600}a".repeat(5_000);
  const decoded = decodeUtf8(new TextEncoder().encode(long));
  assert.equal(decoded.ok && decoded.text === long, true);
});

Deno.test("codecs throw nothing but Hl7CharsetError on any bytes", () => {
  const names = [
    "utf-8",
    "us-ascii",
    "iso-8859-1",
    "iso-8859-15",
    "windows-1252",
    "gb18030",
    "iso-2022-jp",
  ];
  fc.assert(
    fc.property(fc.constantFrom(...names), fc.uint8Array({ maxLength: 200 }), (name, bytes) => {
      const codec = codecFor(name);
      try {
        codec.decode(bytes);
      } catch (error) {
        assert.ok(error instanceof Hl7CharsetError);
      }
    }),
  );
});

/** Well-formed text as bytes, with a byte changed now and then: the interesting neighbourhood. */
function nearlyUtf8(): fc.Arbitrary<Uint8Array> {
  const text = fc.string({ unit: "binary", maxLength: 20 })
    .map((each) => new TextEncoder().encode(each.toWellFormed()));
  const broken = fc.tuple(text, fc.nat(), fc.nat(255)).map(([bytes, at, byte]) => {
    const copy = Uint8Array.from(bytes);
    if (copy.length > 0) copy[at % copy.length] = byte;
    return copy;
  });
  return fc.oneof(text, broken, fc.uint8Array({ maxLength: 12 }));
}
