/**
 * Reads resolved settings with the types their table declares, and refuses what does not fit it.
 *
 * Every connector builds its options through this, so a setting changed by a resolved environment
 * value is checked as strictly as one written in the graph.
 */
import {
  applyDefaults,
  checkSettings,
  type SettingDirection,
  type TransportSchema,
} from "../authoring/connectors/schema.ts";
import { type Codec, codecFor } from "../hl7/mod.ts";
import { ConnectorError, type ConnectorSettings } from "./connector.ts";

/** Settings of one connection, checked against their table and with its defaults filled in. */
export class SettingReader {
  readonly #values: Readonly<Record<string, unknown>>;

  /** @throws {ConnectorError} `connector.bad_settings`, naming every setting that is wrong. */
  constructor(schema: TransportSchema, direction: SettingDirection, settings: ConnectorSettings) {
    const problems = checkSettings(schema, direction, settings, { resolved: true });
    if (problems.length > 0) {
      throw new ConnectorError(
        "connector.bad_settings",
        `Cannot build connection: ${problems.map((problem) => problem.message).join("; ")}`,
      );
    }
    this.#values = applyDefaults(schema, direction, settings);
  }

  text(key: string): string {
    return this.#values[key] as string;
  }

  /** Undefined for an absent or null setting. */
  optionalText(key: string): string | undefined {
    return (this.#values[key] as string | null | undefined) ?? undefined;
  }

  number(key: string): number {
    return this.#values[key] as number;
  }

  flag(key: string): boolean {
    return this.#values[key] === true;
  }

  /** A cap: Infinity when it is switched off by null or 0. */
  cap(key: string): number {
    return (this.#values[key] as number | null | undefined) || Infinity;
  }

  /** Seconds of a setting as milliseconds. */
  milliseconds(key: string): number {
    return this.number(key) * 1_000;
  }

  /** Seconds of a cap as milliseconds; Infinity when it is off. */
  capMilliseconds(key: string): number {
    return this.cap(key) * 1_000;
  }

  /** @throws {ConnectorError} `connector.bad_encoding` for a character set we cannot carry. */
  codec(key: string): Codec {
    const encoding = this.text(key);
    try {
      return codecFor(encoding);
    } catch (cause) {
      throw new ConnectorError(
        "connector.bad_encoding",
        `Cannot build connection: "${encoding}" is not a character set it can carry`,
        { cause, hint: (cause as { hint?: string }).hint },
      );
    }
  }
}
