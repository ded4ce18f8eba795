/** How far a long command has got, for whoever looks on. */
import type { Terminal } from "./terminal.ts";

/** One line on a terminal, nothing anywhere else. */
export class ProgressBar {
  readonly #terminal: Terminal;
  readonly #total: number;

  constructor(terminal: Terminal, total: number) {
    this.#terminal = terminal;
    this.#total = total;
  }

  show(done: number, total = this.#total): void {
    if (!this.#terminal.isInteractive) return;
    const width = 30;
    const filled = Math.floor((total === 0 ? 1 : done / total) * width);
    const bar = `${"#".repeat(filled)}${".".repeat(width - filled)}`;
    this.#terminal.progress(`\r[${bar}] ${done}/${total}`);
  }

  /** Says what goes on before there is anything to count. */
  say(text: string): void {
    if (this.#terminal.isInteractive) this.#terminal.progress(`\r${text} …`);
  }

  clear(): void {
    if (this.#terminal.isInteractive) this.#terminal.progress("\r\x1b[K");
  }
}
