/** What a person may ask of the demo. */
import { parseArgs } from "node:util";
import { CommandFailure, exitCodes } from "../failure.ts";

export interface DemoOptions {
  readonly messages: number;
  /** Messages a second over all senders; 0: each sends as soon as its last one is answered. */
  readonly ratePerSecond: number;
  /** Undefined: the same story each time, another one with `keep`. */
  readonly seed: string | undefined;
  /** Print nothing but the summary, as JSON. */
  readonly json: boolean;
  /** Go on with the data of the last run. */
  readonly keep: boolean;
  /** Leave the engine running at the end, until Ctrl-C. */
  readonly stay: boolean;
  readonly freePorts: boolean;
  readonly dataDir: string;
}

const MESSAGES_MAX = 20_000;
const RATE_MAX = 10_000;

export const usage = `usage: deno task demo [options]

Starts the engine on this folder's graph, plays synthetic traffic into it, receives what it
delivers, and checks that nothing was lost, doubled or out of order.

  --messages N    messages to send, 1 to ${MESSAGES_MAX} (default 400)
  --rate R        messages a second; 0 sends each as soon as the last is answered (default 20)
  --seed TEXT     another story; the same seed repeats the same messages
  --json          print the summary only, as JSON
  --keep          keep the data of the last run and add to it
  --stay          leave the engine running at the end, until Ctrl-C
  --free-ports    take any free ports instead of 2575-2577, 6661, 6662 and 8765
  --data DIR      folder of store and archive (default demo-data)
  --help          this text`;

/**
 * Reads the command line; undefined when help was asked for.
 *
 * @throws {CommandFailure} with exit code 2.
 */
export function readOptions(args: readonly string[]): DemoOptions | undefined {
  const values = parse(args);
  if (values.help) return undefined;
  return {
    messages: wholeNumber("messages", values.messages, { min: 1, max: MESSAGES_MAX }),
    ratePerSecond: wholeNumber("rate", values.rate, { min: 0, max: RATE_MAX }),
    seed: values.seed,
    json: values.json,
    keep: values.keep,
    stay: values.stay,
    freePorts: values["free-ports"],
    dataDir: values.data,
  };
}

function parse(args: readonly string[]) {
  try {
    return parseArgs({
      args: [...args],
      options: {
        messages: { type: "string", default: "400" },
        rate: { type: "string", default: "20" },
        seed: { type: "string" },
        json: { type: "boolean", default: false },
        keep: { type: "boolean", default: false },
        stay: { type: "boolean", default: false },
        "free-ports": { type: "boolean", default: false },
        data: { type: "string", default: "demo-data" },
        help: { type: "boolean", short: "h", default: false },
      },
    }).values;
  } catch (cause) {
    const [sentence = "unknown option"] = (cause as Error).message.split(". ");
    throw refused(sentence, cause);
  }
}

function wholeNumber(
  name: string,
  text: string,
  { min, max }: { readonly min: number; readonly max: number },
): number {
  const value = Number(text);
  if (/^\d+$/.test(text) && value >= min && value <= max) return value;
  throw refused(`Option "--${name}" wants a whole number from ${min} to ${max}`);
}

function refused(sentence: string, cause?: unknown): CommandFailure {
  return new CommandFailure(sentence, {
    exitCode: exitCodes.refused,
    hint: '"deno task demo --help" lists the options',
    cause,
  });
}
