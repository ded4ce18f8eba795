/**
 * `deno task bundle`: one archive that runs offline on a bare Linux machine.
 *
 * It holds the runtime, the engine as few modules without types (a start neither strips types nor
 * looks for packages), the sources that author code is held against, and an example bundle; the
 * launcher beside them needs nothing but a shell. Author modules stay outside it and are read at
 * start, as in a checkout. Two builds of one commit give equal bytes. Source: design §4.
 */
import { VERSION } from "../src/version.ts";
import { bundleEngine } from "./bundle/engine.ts";
import {
  copy,
  type FileTree,
  removeFolder,
  runProgram,
  sha256Of,
  walkFiles,
  writeText,
} from "./bundle/files.ts";
import { LAUNCHER } from "./bundle/launcher.ts";
import { stage } from "./bundle/stage.ts";

const root = new URL("..", import.meta.url).pathname.replace(/\/$/, "");

/** Name of the folder inside the archive, and of the archive without its ending. */
export const archiveName = `messagefoundry-${VERSION}-${Deno.build.os}-${Deno.build.arch}`;

/** What of the repository is the example. */
const EXAMPLE = ["graph", "codesets", "environments", "messagefoundry.toml"];

/** Makes the archive and the folder it holds, both below `dist`; returns the archive's path. */
export async function buildArchive(dist: string): Promise<string> {
  await layOut(dist);
  return await pack(dist);
}

/** Makes the folder that the archive holds, below `dist`; returns its path. */
export async function layOut(dist: string): Promise<string> {
  const target = `${dist}/${archiveName}`;
  const staged = `${dist}/.stage`;
  for (const folder of [target, staged]) await removeFolder(folder);
  await Deno.mkdir(`${target}/runtime`, { recursive: true });
  await Deno.copyFile(Deno.execPath(), `${target}/runtime/deno`);
  await Deno.chmod(`${target}/runtime/deno`, 0o755);
  const packages = await stage(root, staged);
  await bundleEngine(staged, `${target}/engine`);
  for (const name of EXAMPLE) await copy(`${root}/${name}`, `${target}/example/${name}`);
  await copyLicences(packages, `${target}/licenses`);
  await writeText(`${target}/messagefoundry`, LAUNCHER);
  await Deno.chmod(`${target}/messagefoundry`, 0o755);
  await writeText(`${target}/SHA256SUMS`, await checksums(target));
  await removeFolder(staged);
  return target;
}

/** One line a file, as `sha256sum -c` reads it. */
async function checksums(target: string): Promise<string> {
  const lines: string[] = [];
  for (const path of await walkFiles(target)) {
    lines.push(`${await sha256Of(`${target}/${path}`)}  ${path}\n`);
  }
  return lines.join("");
}

/** The packages' licences ask to go where their code goes. */
async function copyLicences(packages: FileTree, target: string): Promise<void> {
  for (const [name, folder] of packages) {
    for (const path of await walkFiles(folder)) {
      if (!/^(licen[cs]e|notice)(\.(md|txt))?$/i.test(path)) continue;
      await copy(`${folder}/${path}`, `${target}/${name.replace("/", "__")}/${path}`);
    }
  }
}

/** Order, owner, time and mode are fixed: the bytes depend on the content alone. */
async function pack(dist: string): Promise<string> {
  const archive = `${dist}/${archiveName}.tar.gz`;
  await runProgram("tar", [
    "--create",
    "--sort=name",
    "--format=ustar",
    "--mtime=@0",
    "--owner=0",
    "--group=0",
    "--numeric-owner",
    "--mode=u=rwX,go=rX",
    "--use-compress-program=gzip -n",
    `--file=${archive}`,
    `--directory=${dist}`,
    archiveName,
  ]);
  return archive;
}

if (import.meta.main) {
  const archive = await buildArchive(`${root}/dist`);
  const { size } = await Deno.stat(archive);
  console.log(
    `${await sha256Of(archive)}  dist/${archiveName}.tar.gz  ${Math.round(size / 1e6)} MB`,
  );
  console.log(`try: dist/${archiveName}/messagefoundry --version`);
}
