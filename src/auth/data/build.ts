/**
 * Builds the list of common passwords in this folder from npm `@zxcvbn-ts/language-common`.
 *
 * `deno run --allow-write=src/auth/data src/auth/data/build.ts` writes it; a test compares it with
 * what it would write. Nothing at run time imports this file. The most common come first; of the
 * package's list we keep ten thousand, for the longer tail adds little to a length of fifteen.
 */
import { dictionary } from "@zxcvbn-ts/language-common";

const PASSWORDS_KEPT = 10_000;
const LINE_CHARS_MAX = 90;

/** The file's text: lines of passwords with a blank between them, for none holds one. */
export function commonPasswordsFile(): string {
  const kept = dictionary["passwords-common"].slice(0, PASSWORDS_KEPT).map(String);
  const lines: string[] = [];
  let line = "";
  for (const password of kept) {
    if (line !== "" && line.length + password.length >= LINE_CHARS_MAX) {
      lines.push(line);
      line = "";
    }
    line += line === "" ? password : ` ${password}`;
  }
  lines.push(line);
  const file = {
    source: "npm @zxcvbn-ts/language-common 4.1.3, its first 10,000 passwords, most common first",
    licence: "MIT. Copyright (c) 2012-2016 Dan Wheeler and Dropbox, Inc.; (c) 2021 @zxcvbn-ts",
    passwords: lines,
  };
  return `${JSON.stringify(file, null, 2)}\n`;
}

if (import.meta.main) {
  await Deno.writeTextFile(
    new URL("common_passwords.json", import.meta.url),
    commonPasswordsFile(),
  );
}
