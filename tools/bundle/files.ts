/** Files and programs, as building an archive needs them. */

/** Folders by a name of their own. */
export type FileTree = ReadonlyMap<string, string>;

/** Copies a file, or a folder without the tests in it. */
export async function copy(from: string, to: string): Promise<void> {
  const { isDirectory } = await Deno.stat(from);
  if (!isDirectory) {
    await makeParent(to);
    return await Deno.copyFile(from, to);
  }
  await Deno.mkdir(to, { recursive: true });
  for await (const entry of Deno.readDir(from)) {
    if (entry.name.endsWith("_test.ts")) continue;
    await copy(`${from}/${entry.name}`, `${to}/${entry.name}`);
  }
}

export async function writeText(path: string, text: string): Promise<void> {
  await makeParent(path);
  await Deno.writeTextFile(path, text);
}

/** Returns every file below `folder`, relative to it, in the order of their names. */
export async function walkFiles(folder: string, below = ""): Promise<string[]> {
  const files: string[] = [];
  for await (const { name, isDirectory } of Deno.readDir(`${folder}/${below}`)) {
    const path = `${below}${name}`;
    if (isDirectory) files.push(...await walkFiles(folder, `${path}/`));
    else files.push(path);
  }
  return below === "" ? files.sort() : files;
}

/** Hexadecimal. */
export async function sha256Of(path: string): Promise<string> {
  const digest = await crypto.subtle.digest("SHA-256", await Deno.readFile(path));
  return new Uint8Array(digest).toHex();
}

/** Runs a program to its end and returns what it printed; its errors go where ours go. */
export async function runProgram(
  program: string,
  args: readonly string[],
  options: { readonly cwd?: string; readonly env?: Readonly<Record<string, string>> } = {},
): Promise<string> {
  const command = new Deno.Command(program, {
    args: [...args],
    ...options,
    stdin: "null",
    stdout: "piped",
    stderr: "inherit",
  });
  const { success, stdout } = await command.output();
  if (!success) throw new Error(`Cannot go on: "${program} ${args[0]}" failed`);
  return new TextDecoder().decode(stdout);
}

export async function removeFolder(path: string): Promise<void> {
  try {
    await Deno.remove(path, { recursive: true });
  } catch (thrown) {
    if (!(thrown instanceof Deno.errors.NotFound)) throw thrown;
  }
}

async function makeParent(path: string): Promise<void> {
  await Deno.mkdir(path.slice(0, path.lastIndexOf("/")), { recursive: true });
}
