/** What an edit is asked with: one JSON object, of `--data` or of standard input. */
import { CommandFailure } from "./failure.ts";

/** Most that is read from standard input, bytes. */
const DATA_BYTES_MAX = 4 * 1024 * 1024;

/**
 * Reads the object; `what` names it to the operator.
 *
 * @throws {CommandFailure} it is none.
 */
export async function readData(
  given: string | undefined,
  what: string,
): Promise<Readonly<Record<string, unknown>>> {
  const text = given ?? await readInput(what);
  let value: unknown;
  try {
    value = JSON.parse(text);
  } catch {
    // What the parser says quotes the text.
    throw new CommandFailure(`Cannot read the ${what}: it is no JSON`, {
      hint: "Give it with --data, or on standard input",
    });
  }
  if (typeof value === "object" && value !== null && !Array.isArray(value)) {
    return value as Readonly<Record<string, unknown>>;
  }
  throw new CommandFailure(`Cannot read the ${what}: it is no JSON object`, {});
}

async function readInput(what: string): Promise<string> {
  const chunks: Uint8Array<ArrayBuffer>[] = [];
  let length = 0;
  for await (const chunk of Deno.stdin.readable) {
    chunks.push(chunk);
    length += chunk.length;
    if (length > DATA_BYTES_MAX) throw new CommandFailure(`The ${what} is too long`, {});
  }
  return await new Blob(chunks).text();
}
