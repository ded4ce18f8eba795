/** What file connections have written: whole files only, told by the message inside. */
import { controlIdOf } from "./expectation.ts";

/** Names of the finished files of a directory; none when it is missing. */
export async function fileNames(directory: string): Promise<readonly string[]> {
  const names: string[] = [];
  try {
    for await (const { name, isFile } of Deno.readDir(directory)) {
      if (isFile && !name.startsWith(".")) names.push(name);
    }
  } catch (thrown) {
    if (!(thrown instanceof Deno.errors.NotFound)) throw thrown;
  }
  return names.sort();
}

/** MSH-10 of every file that was not there `before`. */
export async function archivedControlIds(
  directory: string,
  { before }: { readonly before: ReadonlySet<string> },
): Promise<readonly string[]> {
  const controlIds: string[] = [];
  for (const name of await fileNames(directory)) {
    if (before.has(name)) continue;
    controlIds.push(controlIdOf(await Deno.readTextFile(`${directory}/${name}`)));
  }
  return controlIds;
}
