/**
 * `console` for author code: counts and says nothing, for what it is given may be patient data.
 */

const methods = [
  "assert",
  "count",
  "countReset",
  "debug",
  "dir",
  "dirxml",
  "error",
  "group",
  "groupCollapsed",
  "groupEnd",
  "info",
  "log",
  "table",
  "time",
  "timeEnd",
  "timeLog",
  "trace",
  "warn",
] as const;

let calls = 0;

export function installConsole(): void {
  const silent: Record<string, () => void> = {};
  for (const name of methods) silent[name] = () => void calls++;
  Object.defineProperty(globalThis, "console", {
    value: silent,
    writable: false,
    enumerable: false,
    configurable: false,
  });
}

/** How often author code called any method of `console` in this realm. */
export function consoleCallCount(): number {
  return calls;
}
