/** A clock that stands, settings from lines of TOML, and a log that can be read. */
import { createLogger, type Logger, renderRecord } from "../../src/logging/mod.ts";
import { type AlertsSettings, loadSettings, type Settings } from "../../src/settings/mod.ts";

export class StandingClock {
  /** Milliseconds; the wall clock starts at `start`. */
  #passed = 0;
  #start: number;

  constructor(start = Date.UTC(2026, 0, 2)) {
    this.#start = start;
  }

  now = (): number => this.#start + this.#passed;
  monotonic = (): number => this.#passed;

  pass(ms: number): void {
    this.#passed += ms;
  }

  /** Sets the wall clock alone. */
  step(ms: number): void {
    this.#start += ms;
  }
}

export function settingsOf(text: string, env: Record<string, string> = {}): Settings {
  return loadSettings({ file: { path: "messagefoundry.toml", text }, env }).settings;
}

export function alertsOf(text = "", env: Record<string, string> = {}): AlertsSettings {
  return settingsOf(text, env).alerts;
}

export function readableLog(): { readonly logger: Logger; readonly lines: string[] } {
  const lines: string[] = [];
  const logger = createLogger({
    level: "debug",
    sinks: [{ write: (record) => lines.push(renderRecord(record, "text")) }],
  });
  return { logger, lines };
}
