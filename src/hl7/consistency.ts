/**
 * Checks between the fields of one message, for authors to act on.
 *
 * Each returns what is violated, naming rule and path and never a value, so the result may be
 * logged. A path without an occurrence is checked in every segment of its id.
 */
import { Hl7PathError, Hl7SyntaxError } from "./errors.ts";
import type { Message } from "./message.ts";
import { parsePath, type Path } from "./path.ts";
import { compareTimestamps, hl7Time, type Hl7Timestamp } from "./time.ts";

export type ConsistencyRule =
  | "required"
  | "same_across"
  | "valid_date"
  | "dates_in_order"
  | "matches";

export interface Violation {
  readonly rule: ConsistencyRule;
  /** Where: `PID-7`, `OBX[2]-14`. */
  readonly path: string;
}

/** One place a path leads to, and what stands there. */
interface Reading {
  readonly path: string;
  readonly value: string | undefined;
}

export const consistency = Object.freeze({
  /** Every path has a value, in every segment of its id; a missing segment is a violation too. */
  required(message: Message, paths: readonly Path[]): readonly Violation[] {
    return paths.flatMap((path) => {
      const readings = readAll(message, path);
      if (readings.length === 0) return [{ rule: "required", path }];
      return readings.filter(({ value }) => value === undefined || value === '""')
        .map((reading) => violation("required", reading));
    });
  },

  /** All values found at the paths are equal; where there is none, nothing is compared. */
  sameAcross(message: Message, paths: readonly Path[]): readonly Violation[] {
    const present = paths.flatMap((path) => readAll(message, path))
      .filter(({ value }) => value !== undefined);
    return present.filter(({ value }) => value !== present[0]?.value)
      .map((reading) => violation("same_across", reading));
  },

  /** Every value at the paths is a timestamp of a date that exists. */
  validDate(message: Message, paths: readonly Path[]): readonly Violation[] {
    return paths.flatMap((path) => readAll(message, path))
      .filter(({ value }) => readTimestamp(value) === "malformed")
      .map((reading) => violation("valid_date", reading));
  },

  /**
   * The timestamps at the paths do not go back in time. Missing ones are passed over, malformed
   * ones are `valid_date` violations, and the path named is the one that came too early.
   */
  datesInOrder(message: Message, paths: readonly Path[]): readonly Violation[] {
    const violations: Violation[] = [];
    let latest: Hl7Timestamp | undefined;
    for (const path of paths) {
      const timestamp = readTimestamp(message.get(path));
      if (timestamp === "malformed") violations.push({ rule: "valid_date", path });
      if (timestamp === "malformed" || timestamp === undefined) continue;
      if (latest !== undefined && (compareTimestamps(latest, timestamp) ?? 0) > 0) {
        violations.push({ rule: "dates_in_order", path });
      } else {
        latest = timestamp;
      }
    }
    return violations;
  },

  /** Every value at the path matches `pattern`; anchor it to match the whole value. */
  matches(message: Message, path: Path, pattern: RegExp): readonly Violation[] {
    if (!(pattern instanceof RegExp)) {
      throw new Hl7PathError("hl7.path_unsuitable", `Cannot match "${path}": want a RegExp`);
    }
    // A copy without g and y, which would remember where the last match ended.
    const stateless = new RegExp(pattern.source, pattern.flags.replace(/[gy]/g, ""));
    return readAll(message, path)
      .filter(({ value }) => value !== undefined && !stateless.test(value))
      .map((reading) => violation("matches", reading));
  },
});

function readAll(message: Message, path: Path): readonly Reading[] {
  const address = parsePath(path);
  const count = message.count(address.segment);
  if (address.hasOccurrence || count === 1) {
    return count === 0 ? [] : [{ path, value: message.get(path) }];
  }
  const [id, rest] = [path.slice(0, 3), path.slice(3)];
  return Array.from({ length: count }, (_, index) => {
    const each = `${id}[${index + 1}]${rest}`;
    return { path: each, value: message.get(each as Path) };
  });
}

function violation(rule: ConsistencyRule, { path }: Reading): Violation {
  return { rule, path };
}

function readTimestamp(value: string | undefined): Hl7Timestamp | "malformed" | undefined {
  try {
    return hl7Time.parse(value);
  } catch (error) {
    if (error instanceof Hl7SyntaxError) return "malformed";
    throw error;
  }
}
