/** Where progress goes: a picture that is redrawn, a line now and then, or nowhere. */
import type { Terminal } from "../terminal.ts";
import { type Progress, progressLine, tableLines } from "./table.ts";

export interface Screen {
  /** How often `show` is worth calling. */
  readonly intervalMs: number;
  show(progress: Progress): void;
  /** Says something that happened; a picture shows it in its own place. */
  note(text: string): void;
  /** Leaves the last picture standing. */
  end(progress: Progress): void;
}

export function openScreen(terminal: Terminal, { json }: { readonly json: boolean }): Screen {
  if (json) return { intervalMs: 500, show: () => {}, note: () => {}, end: () => {} };
  return Deno.stdout.isTerminal() ? new DrawnScreen(terminal) : new PlainScreen(terminal);
}

const NOTES_SHOWN = 3;

/** Goes back over its own lines, so that what stood above stays. */
class DrawnScreen implements Screen {
  readonly intervalMs = 250;
  readonly #terminal: Terminal;
  #height = 0;

  constructor(terminal: Terminal) {
    this.#terminal = terminal;
  }

  show(progress: Progress): void {
    // A line that wraps would be two, and the next picture would begin in the wrong place.
    const columns = columnsOf();
    const notes = progress.notes.slice(-NOTES_SHOWN);
    while (notes.length < NOTES_SHOWN) notes.push("");
    const lines = tableLines({ ...progress, notes }).map((line) => line.slice(0, columns));
    const up = this.#height === 0 ? "" : `\x1b[${this.#height}A`;
    this.#terminal.out(`${up}${lines.map((line) => `\x1b[2K${line}`).join("\n")}`);
    this.#height = lines.length;
  }

  note(): void {}

  end(progress: Progress): void {
    this.show(progress);
  }
}

class PlainScreen implements Screen {
  readonly intervalMs = 2_000;
  readonly #terminal: Terminal;

  constructor(terminal: Terminal) {
    this.#terminal = terminal;
  }

  show(progress: Progress): void {
    this.#terminal.out(progressLine(progress));
  }

  note(text: string): void {
    this.#terminal.out(`  ${text}`);
  }

  end(progress: Progress): void {
    for (const line of tableLines({ ...progress, notes: [] })) {
      this.#terminal.out(line.trimEnd());
    }
  }
}

function columnsOf(): number {
  try {
    return Math.max(40, Deno.consoleSize().columns - 1);
  } catch {
    return 120;
  }
}
