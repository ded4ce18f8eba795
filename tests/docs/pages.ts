/** The pages of the documentation and the blocks in them, as the tests of this folder read them. */
import { fileURLToPath } from "node:url";

export const root = fileURLToPath(new URL("../../", import.meta.url));

export interface Page {
  /** From the repository's root: `docs/authoring/state.md`. */
  readonly path: string;
  readonly text: string;
}

/** A fenced block: three backticks, a language, for some a path. */
export interface Block {
  readonly page: string;
  /** Line of the opening fence, counted from 1. */
  readonly line: number;
  readonly language: string;
  /** What stands behind the language: the file the block is, in the page's bundle. */
  readonly file: string | undefined;
  readonly text: string;
}

/** README.md and everything below docs/, sorted by path. */
export async function readPages(): Promise<readonly Page[]> {
  const paths = ["README.md"];
  await collect("docs", paths);
  return await Promise.all(
    paths.sort().map(async (path) => ({ path, text: await Deno.readTextFile(root + path) })),
  );
}

async function collect(folder: string, into: string[]): Promise<void> {
  for await (const { name, isDirectory } of Deno.readDir(root + folder)) {
    const path = `${folder}/${name}`;
    if (isDirectory) await collect(path, into);
    else if (name.endsWith(".md")) into.push(path);
  }
}

/** Returns the blocks of a page; a block in a list is indented as its list is. */
export function blocksOf({ path, text }: Page): readonly Block[] {
  const blocks: Block[] = [];
  const lines = text.split("\n");
  for (let index = 0; index < lines.length; index++) {
    const opening = /^( *)```(\w*)(?: (\S+))?$/.exec(lines[index]!);
    if (opening === null) continue;
    const [, indent = "", language = "", file] = opening;
    const start = index;
    const body: string[] = [];
    for (index++; index < lines.length && lines[index] !== `${indent}\`\`\``; index++) {
      body.push(lines[index]!.slice(indent.length));
    }
    if (index === lines.length) throw new Error(`${path}:${start + 1}: the block has no end`);
    const whole = body.map((line) => `${line}\n`).join("");
    blocks.push({ page: path, line: start + 1, language, file, text: whole });
  }
  return blocks;
}

export function placeOf({ page, line }: Block): string {
  return `${page}:${line}`;
}
