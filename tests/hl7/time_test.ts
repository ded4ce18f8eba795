import assert from "node:assert/strict";
import { hl7Time } from "../../src/hl7/mod.ts";
import { compareTimestamps, parseTimestamp } from "../../src/hl7/time.ts";
import fc from "fast-check";
import { code } from "./samples.ts";

Deno.test("hl7Time.parse() keeps the precision it finds", () => {
  const table: readonly (readonly [string, string])[] = [
    ["2026", "year"],
    ["202601", "month"],
    ["20260102", "day"],
    ["2026010203", "hour"],
    ["202601020304", "minute"],
    ["20260102030405", "second"],
    ["20260102030405.1", "fraction"],
    ["20260102030405.1234+0100", "fraction"],
    ["2026-0500", "year"],
    ["20240229", "day"],
  ];
  for (const [text, precision] of table) {
    const timestamp = hl7Time.parse(text);
    assert.ok(timestamp);
    assert.equal(timestamp.precision, precision, text);
    assert.equal(hl7Time.format(timestamp), text);
  }
  assert.deepEqual(hl7Time.parse("20260102030405.06-0330"), {
    precision: "fraction",
    year: 2026,
    month: 1,
    day: 2,
    hour: 3,
    minute: 4,
    second: 5,
    fraction: "06",
    offsetMinutes: -210,
  });
});

Deno.test("hl7Time takes a missing value and HL7 null for missing", () => {
  for (const missing of [undefined, "", '""']) {
    assert.equal(hl7Time.parse(missing), undefined);
    assert.equal(hl7Time.convert(missing, { to: "UTC" }), undefined);
    assert.equal(hl7Time.age(missing, "2026"), undefined);
    assert.equal(hl7Time.age("2026", missing), undefined);
    assert.equal(hl7Time.lengthOfStay(missing, "2026"), undefined);
    assert.equal(hl7Time.lengthOfStay("2026", missing), undefined);
  }
});

Deno.test("hl7Time.parse() refuses malformed timestamps and dates that are none", () => {
  const malformed = [
    "202",
    "20261",
    "2026013",
    "20261301",
    "20260001",
    "20260100",
    "20260230",
    "20250229",
    "19000229",
    "2026010224",
    "202601020360",
    "20260102030460",
    "20260102.5",
    "20260102030405.",
    "2026-01-02",
    "20260102+1",
    "20260102+1500",
    "20260102+0160",
    "20260102Z",
    " 2026",
    "2026 ",
    "0000",
    "abc",
    "2026010203040506",
    "20260102\n",
  ];
  for (const text of malformed) {
    assert.throws(() => hl7Time.parse(text), code("hl7.timestamp_invalid"), text);
    assert.throws(() => hl7Time.age(text, "2026"), code("hl7.timestamp_invalid"), text);
  }
  assert.throws(
    () => hl7Time.parse("1980SECRET"),
    (error: Error) => !error.message.includes("SECRET"),
  );
});

Deno.test("hl7Time.convert() moves instants between zones and keeps precision", () => {
  const table: readonly (readonly [string, Parameters<typeof hl7Time.convert>[1], string])[] = [
    ["202601020304+0000", { to: "Europe/Berlin" }, "202601020404+0100"],
    ["202607020304+0000", { to: "Europe/Berlin" }, "202607020504+0200"],
    ["202601020304", { from: "America/New_York", to: "Europe/Berlin" }, "202601020904"],
    ["202601020304", { from: "UTC", to: "Europe/Berlin", withOffset: true }, "202601020404+0100"],
    ["20260102030405.678+0100", { to: "UTC", withOffset: false }, "20260102020405.678"],
    // The offset of the timestamp wins over "from".
    ["202601020304+0100", { from: "America/New_York", to: "UTC" }, "202601020204+0000"],
    ["20251231235959-0500", { to: "Asia/Kolkata" }, "20260101102959+0530"],
    ["2026010203+0000", { to: "Europe/Berlin" }, "2026010204+0100"],
    // An hour cannot hold half an hour.
    ["2026010203+0000", { to: "Asia/Kolkata" }, "202601020830+0530"],
    // Dates are no instants.
    ["20260102", { to: "Asia/Tokyo" }, "20260102"],
    ["2026+0000", { to: "Asia/Tokyo" }, "2026+0000"],
  ];
  for (const [text, options, wanted] of table) {
    assert.equal(hl7Time.convert(text, options), wanted, text);
  }
});

Deno.test("hl7Time.convert() needs to know where a timestamp stands, and zones that exist", () => {
  assert.throws(() => hl7Time.convert("202601020304", { to: "UTC" }), code("hl7.zone_missing"));
  assert.throws(
    () => hl7Time.convert("202601020304+0000", { to: "Mars/Olympus" }),
    code("hl7.zone_unknown"),
  );
  assert.throws(
    () => hl7Time.convert("202601020304", { from: "x", to: "UTC" }),
    code("hl7.zone_unknown"),
  );
  assert.throws(() => hl7Time.convert("2026x", { to: "UTC" }), code("hl7.timestamp_invalid"));
});

Deno.test("hl7Time.now() stamps in a zone", () => {
  const before = Date.now();
  const stamped = hl7Time.now({ zone: "UTC", withOffset: true });
  const after = Date.now();
  const match = /^(\d{4})(\d\d)(\d\d)(\d\d)(\d\d)(\d\d)\+0000$/.exec(stamped);
  assert.ok(match);
  const [year, month, day, hour, minute, second] = match.slice(1).map(Number) as [
    number,
    number,
    number,
    number,
    number,
    number,
  ];
  const at = Date.UTC(year, month - 1, day, hour, minute, second);
  assert.ok(at >= before - 1000 && at <= after);
  assert.match(hl7Time.now(), /^\d{14}$/);
  assert.match(hl7Time.now({ precision: "day" }), /^\d{8}$/);
  assert.match(
    hl7Time.now({ precision: "minute", zone: "Asia/Kolkata", withOffset: true }),
    /^\d{12}\+0530$/,
  );
  assert.throws(() => hl7Time.now({ zone: "nowhere" }), code("hl7.zone_unknown"));
});

Deno.test("hl7Time.age() counts whole years", () => {
  const table: readonly (readonly [string, string, number])[] = [
    ["19800229", "20260228", 45],
    ["19800229", "20260301", 46],
    ["19800102", "20260102", 46],
    ["19800103", "20260102", 45],
    ["20260102", "20260102", 0],
    ["1980", "20260101", 46],
    ["198006", "20260601120000+0100", 46],
    ["19800102235959", "20260102000000", 46],
  ];
  for (const [birth, at, years] of table) {
    assert.equal(hl7Time.age(birth, at), years, `${birth} ${at}`);
  }
  assert.throws(() => hl7Time.age("20260103", "20260102"), code("hl7.timestamps_reversed"));
});

Deno.test("hl7Time.lengthOfStay() counts dates and, where it can, minutes", () => {
  const table:
    readonly (readonly [string, string, { days: number; minutes: number | undefined }])[] = [
      ["20260101", "20260104", { days: 3, minutes: undefined }],
      ["202601012330", "202601020030", { days: 1, minutes: 60 }],
      ["202601010800", "202601011700", { days: 0, minutes: 540 }],
      ["202601010800+0000", "202601010900+0100", { days: 0, minutes: 0 }],
      ["202601010800", "202601030800+0100", { days: 2, minutes: undefined }],
      ["20251231", "202601010800", { days: 1, minutes: undefined }],
      ["20240228120000", "20240301120000", { days: 2, minutes: 2880 }],
      ["20260102", "202601020000", { days: 0, minutes: undefined }],
    ];
  for (const [from, to, wanted] of table) {
    assert.deepEqual(hl7Time.lengthOfStay(from, to), wanted, `${from} ${to}`);
  }
  assert.throws(
    () => hl7Time.lengthOfStay("20260102", "20260101"),
    code("hl7.timestamps_reversed"),
  );
  assert.throws(
    () => hl7Time.lengthOfStay("202601020801", "202601020800"),
    code("hl7.timestamps_reversed"),
  );
  assert.throws(
    () => hl7Time.lengthOfStay("202601020800+0000", "202601020859+0100"),
    code("hl7.timestamps_reversed"),
  );
});

Deno.test("compareTimestamps() says no more than the timestamps do", () => {
  const compare = (a: string, b: string) => compareTimestamps(parseTimestamp(a), parseTimestamp(b));
  assert.equal(compare("2026", "20260102"), 0);
  assert.equal(compare("2025", "20260102"), -1);
  assert.equal(compare("20260102030405.2", "20260102030405.15"), 1);
  assert.equal(compare("20260102030405.5", "20260102030405"), 0);
  assert.equal(compare("202601020800+0000", "202601020900+0100"), 0);
  assert.equal(compare("20260102080030+0000", "20260102090031+0100"), -1);
  assert.equal(compare("202601020800", "202601020900+0100"), undefined);
  assert.equal(compare("202601020800", "202601050900+0100"), -1);
  assert.equal(compare("0099", "0100"), -1);
});

Deno.test("hl7Time.parse() and format() are inverse on every timestamp", () => {
  const pad = (value: number, size: number) => String(value).padStart(size, "0");
  const timestamp = fc.tuple(
    fc.integer({ min: 1, max: 9999 }),
    fc.integer({ min: 1, max: 12 }),
    fc.integer({ min: 1, max: 28 }),
    fc.integer({ min: 0, max: 23 }),
    fc.integer({ min: 0, max: 59 }),
    fc.integer({ min: 0, max: 59 }),
    fc.integer({ min: 0, max: 9999 }),
    fc.integer({ min: 1, max: 7 }),
    fc.option(fc.integer({ min: -839, max: 839 })),
  ).map(([year, month, day, hour, minute, second, fraction, parts, offset]) => {
    const all = [
      pad(year, 4),
      pad(month, 2),
      pad(day, 2),
      pad(hour, 2),
      pad(minute, 2),
      pad(second, 2),
      `.${fraction}`,
    ];
    const size = Math.abs(offset ?? 0);
    const sign = (offset ?? 0) < 0 ? "-" : "+";
    const zone = offset === null ? "" : sign + pad(Math.trunc(size / 60), 2) + pad(size % 60, 2);
    return all.slice(0, parts).join("") + zone;
  });
  fc.assert(fc.property(timestamp, (text) => {
    const parsed = hl7Time.parse(text);
    assert.ok(parsed);
    assert.equal(hl7Time.format(parsed), text);
  }));
});
