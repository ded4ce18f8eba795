/**
 * One edit of a folder at a time: each reads a file, tries the new one and writes it whole, so of two
 * at once one would be lost. The lock is the operating system's, and goes with the process.
 */
import { CommandFailure } from "./failure.ts";

const LOCK_WAIT_MS = 10_000;
const LOOK_MS = 25;

/**
 * Waits for the folder and holds it until disposed. A folder that is not there, or cannot be locked,
 * is nobody's: what is done to it next says what is wrong.
 *
 * @throws {CommandFailure} another edit takes too long.
 */
export async function lockFolder(dir: string): Promise<Disposable> {
  const stack = new DisposableStack();
  let folder: Deno.FsFile;
  try {
    folder = stack.use(Deno.openSync(dir, { read: true }));
  } catch {
    return stack;
  }
  const until = performance.now() + LOCK_WAIT_MS;
  while (!takes(folder)) {
    if (performance.now() > until) {
      stack.dispose();
      throw new CommandFailure(`Another edit of "${dir}" is under way`, {
        hint: "Try again when it has ended",
      });
    }
    await new Promise((resolve) => setTimeout(resolve, LOOK_MS));
  }
  return stack;
}

function takes(folder: Deno.FsFile): boolean {
  try {
    return folder.tryLockSync(true);
  } catch {
    // A file system without locks of folders.
    return true;
  }
}
