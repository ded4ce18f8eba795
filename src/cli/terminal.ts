/**
 * Standard output and error of one run: text in, bytes out, colour only where a person looks.
 *
 * Everything is written at once and in full, so an exit right after loses nothing. A reader that is
 * gone (`| head`) is not an error.
 */

export interface Terminal {
  /** Writes a line to standard output. */
  out(line: string): void;
  /** Writes a line to standard error. */
  err(line: string): void;
  /** Writes to standard error as it is, for progress. */
  progress(text: string): void;
  /** True when standard error is a terminal, so that progress may be drawn. */
  readonly isInteractive: boolean;
  /** Styles text for standard output; returns it unchanged where colour is unwanted. */
  style(style: Style, text: string): string;
  /** The same for standard error. */
  styleError(style: Style, text: string): string;
}

export type Style = "good" | "bad" | "caution" | "quiet";

const CODES: Readonly<Record<Style, string>> = {
  good: "32",
  bad: "31",
  caution: "33",
  quiet: "2",
};

/** The terminal of this process; NO_COLOR is heeded (no-color.org). */
export function processTerminal(): Terminal {
  const styler = (isTerminal: boolean) => (style: Style, text: string) =>
    !Deno.noColor && isTerminal ? `\x1b[${CODES[style]}m${text}\x1b[0m` : text;
  const isInteractive = Deno.stderr.isTerminal();
  return {
    out: (line) => writeAll(Deno.stdout, `${line}\n`),
    err: (line) => writeAll(Deno.stderr, `${line}\n`),
    progress: (text) => writeAll(Deno.stderr, text),
    isInteractive,
    style: styler(Deno.stdout.isTerminal()),
    styleError: styler(isInteractive),
  };
}

/** Lone surrogates become U+FFFD, so no text can fail to be written. */
function writeAll(stream: { writeSync(bytes: Uint8Array): number }, text: string): void {
  const bytes = new TextEncoder().encode(text);
  try {
    for (let done = 0; done < bytes.length;) done += stream.writeSync(bytes.subarray(done));
  } catch (thrown) {
    if (!(thrown instanceof Deno.errors.BrokenPipe)) throw thrown;
  }
}
