import assert from "node:assert/strict";
import fc from "fast-check";
import {
  isDate,
  isDateTime,
  shapes,
  universalIdShapes,
} from "../../../src/hl7/validation/shapes.ts";

// Goal: exactly the days of the calendar. Method: the runtime's own calendar is the judge.
Deno.test("isDate() accepts exactly the days that exist", () => {
  fc.assert(
    fc.property(
      fc.integer({ min: 1, max: 9999 }),
      fc.integer({ min: 0, max: 13 }),
      fc.integer({ min: 0, max: 32 }),
      (year, month, day) => {
        const iso = [
          String(year).padStart(4, "0"),
          String(month).padStart(2, "0"),
          String(day).padStart(2, "0"),
        ];
        const date = new Date(`${iso.join("-")}T00:00:00Z`);
        const exists = !Number.isNaN(date.getTime()) && date.getUTCDate() === day;
        assert.equal(isDate(iso.join("")), exists, iso.join(""));
      },
    ),
    { numRuns: 2_000 },
  );
});

Deno.test("shapes accept and refuse as chapter 2A says", () => {
  const cases: Record<string, [good: string[], bad: string[]]> = {
    NM: [["0", "+1", "-1.5", ".5", "5.", "007"], ["", "-", ".", "1,5", "1e3", " 1", "1 ", "NaN"]],
    SI: [["0", "1", "9999"], ["", "-1", "1.0", "x", "+1"]],
    DT: [["2024", "202402", "20240229"], ["", "24", "202413", "20230229", "2024-01", "202402290"]],
    TM: [
      ["00", "2359", "235959", "235959.1", "235959.1234", "12+0100", "1200-1400"],
      ["", "24", "1260", "120060", "12.5", "120000.12345", "1200+9999", "12:00"],
    ],
    DTM: [
      ["2024", "20240229", "2024022923", "202402292359", "20240229235959.1234-0500", "2024+0000"],
      ["", "20240229T12", "2024022924", "20230229", "20240229235959.", "20240229+05", "20240101 "],
    ],
  };
  for (const [type, [good, bad]] of Object.entries(cases)) {
    const shape = shapes[type] as (value: string) => boolean;
    for (const value of good) assert.equal(shape(value), true, `${type} "${value}"`);
    for (const value of bad) assert.equal(shape(value), false, `${type} "${value}"`);
  }
});

Deno.test("isDateTime() accepts every instant the runtime can write", () => {
  fc.assert(
    fc.property(
      fc.date({ min: new Date(0), max: new Date("2999-12-31"), noInvalidDate: true }),
      (date) => {
        const digits = date.toISOString().replace(/[-T:Z]/g, "");
        for (const text of [digits, digits.slice(0, 14), digits.slice(0, 12), `${digits}+0130`]) {
          assert.equal(isDateTime(text), true, text);
        }
      },
    ),
  );
});

Deno.test("universal IDs have the shape of their type", () => {
  const cases: [type: string, good: string, bad: string][] = [
    ["ISO", "2.16.840.1.113883", "2.16.0840"],
    ["ISO", "0.0", "3.1"],
    ["UUID", "123e4567-e89b-12d3-a456-426614174000", "123e4567e89b12d3a456426614174000"],
    ["GUID", "123E4567-E89B-12D3-A456-426614174000", "{}"],
    ["DNS", "lab-1.example.test", "-lab.example"],
  ];
  for (const [type, good, bad] of cases) {
    assert.equal(universalIdShapes[type]?.(good), true, good);
    assert.equal(universalIdShapes[type]?.(bad), false, bad);
  }
});
