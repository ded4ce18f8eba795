/**
 * The wall clock of one process as a whole, moved while it runs: Debian's faketime, loaded before the
 * program. Monotonic time and timers stay those of the machine.
 */

/** Below the machine's own folder of libraries. */
const LIBRARY = "faketime/libfaketimeMT.so.1";

function libraryPath(): string | undefined {
  try {
    for (const { name } of Deno.readDirSync("/usr/lib")) {
      const path = `/usr/lib/${name}/${LIBRARY}`;
      if (name.includes("-linux-") && isFile(path)) return path;
    }
  } catch (cause) {
    if (!(cause instanceof Deno.errors.NotFound)) throw cause;
  }
  return undefined;
}

/** True when clocks can be moved; skipped aloud on a laptop, failed in CI. */
export function hasFakeClocks(): boolean {
  if (libraryPath() !== undefined) return true;
  const message = "No clock can be moved: install Debian's package faketime";
  if (Deno.env.get("CI") === "true") throw new Error(`${message}, and CI=true`);
  console.warn(`SKIPPED: ${message}`);
  return false;
}

export class FakeClock {
  readonly #file: string;
  #steps = 0;

  /** Right until it is set; `dir` is the test's. */
  static async make(dir: string, name: string): Promise<FakeClock> {
    const clock = new FakeClock(`${dir}/${name}.clock`);
    await clock.set(0);
    return clock;
  }

  private constructor(file: string) {
    this.#file = file;
  }

  /** For the environment of the process. */
  get env(): Readonly<Record<string, string>> {
    return {
      LD_PRELOAD: libraryPath()!,
      FAKETIME_TIMESTAMP_FILE: this.#file,
      FAKETIME_NO_CACHE: "1",
      FAKETIME_DONT_FAKE_MONOTONIC: "1",
    };
  }

  /** Sets it to so many seconds before or after the right time, from one moment to the next. */
  async set(seconds: number): Promise<void> {
    const next = `${this.#file}.${this.#steps += 1}`;
    await Deno.writeTextFile(next, `${seconds < 0 ? "" : "+"}${seconds}\n`);
    await Deno.rename(next, this.#file);
  }
}

function isFile(path: string): boolean {
  try {
    return Deno.statSync(path).isFile;
  } catch {
    return false;
  }
}
