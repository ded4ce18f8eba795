/**
 * Finds a name that no file has: `a.hl7`, `a-1.hl7`, `a-2.hl7`.
 *
 * Where every file has the same name, counting from 1 each time would cost more with each file, so
 * the last counter of recent names is remembered. It is a hint only: the claim decides.
 */
import { numberedName } from "./filename.ts";

const namesRemembered = 512;

/** More files of one name than this is a fault of the template, not a queue. */
const countersMax = 1_000_000;

export class FreeNames {
  readonly #next = new Map<string, number>();

  /**
   * Calls `claim` with one name after the other until it returns true, and returns that name.
   * `claim` returns false when the name is taken, and throws for anything else.
   *
   * `key` tells names of different directories apart.
   */
  async find(
    key: string,
    name: string,
    claim: (name: string) => Promise<boolean>,
  ): Promise<string> {
    // The plain name may be free again, as when its reader takes files away.
    if (await claim(name)) return name;
    for (let counter = this.#next.get(key) ?? 1; counter <= countersMax; counter++) {
      const candidate = numberedName(name, counter);
      if (!await claim(candidate)) continue;
      this.#remember(key, counter + 1);
      return candidate;
    }
    throw new Error(`More than ${countersMax} files have one name`);
  }

  #remember(key: string, counter: number): void {
    this.#next.delete(key);
    this.#next.set(key, counter);
    if (this.#next.size <= namesRemembered) return;
    const [oldest] = this.#next.keys();
    this.#next.delete(oldest as string);
  }
}
