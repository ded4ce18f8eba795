/**
 * `deno task bundle`: one archive that runs offline on a bare Linux machine.
 *
 * It holds the runtime, the engine's sources, the packages they use, and an example bundle; the
 * launcher beside them needs nothing but a shell. Author modules stay outside it and are read at
 * start, as in a checkout. Source: design §4.
 */
import { VERSION } from "../src/version.ts";

const root = new URL("..", import.meta.url).pathname.replace(/\/$/, "");
const target = `${root}/dist/messagefoundry-${VERSION}-${Deno.build.os}-${Deno.build.arch}`;

/** What of the repository the archive carries. */
const CARRIED = ["main.ts", "deno.lock", "src", "graph", "codesets", "environments"];
const OPTIONAL = ["README.md", "messagefoundry.toml"];

const LAUNCHER = `#!/bin/sh
# Starts the engine that lies beside this file, without a network and without an installation.
set -eu
here=$(CDPATH= cd -- "$(dirname -- "$0")" && pwd -P)
export DENO_DIR="$here/packages" DENO_NO_UPDATE_CHECK=1
exec "$here/runtime/deno" run --no-prompt --cached-only --frozen \\
  --v8-flags=--no-turboshaft-loop-unrolling --config "$here/engine/deno.json" \\
  --allow-read --allow-write --allow-env="MEFOR_*,NO_COLOR" --ignore-env \\
  --allow-run="$here/runtime/deno" "$here/engine/main.ts" "$@"
`;

await Deno.remove(target, { recursive: true }).catch(() => {});
for (const folder of ["runtime", "engine", "packages"]) {
  await Deno.mkdir(`${target}/${folder}`, { recursive: true });
}
await Deno.copyFile(Deno.execPath(), `${target}/runtime/deno`);
await Deno.chmod(`${target}/runtime/deno`, 0o755);
for (const name of CARRIED) await copy(`${root}/${name}`, `${target}/engine/${name}`);
for (const name of OPTIONAL) {
  if (await exists(`${root}/${name}`)) await copy(`${root}/${name}`, `${target}/engine/${name}`);
}
await Deno.writeTextFile(`${target}/engine/deno.json`, await runtimeConfig());
await Deno.writeTextFile(`${target}/messagefoundry`, LAUNCHER);
await Deno.chmod(`${target}/messagefoundry`, 0o755);
await run([Deno.execPath(), "install", "--frozen", "--entrypoint", "main.ts"], {
  cwd: `${target}/engine`,
  env: { DENO_DIR: `${target}/packages` },
});
const folder = target.slice(target.lastIndexOf("/") + 1);
await run(["tar", "-czf", `${target}.tar.gz`, "-C", `${root}/dist`, folder], { cwd: root });
const { size } = await Deno.stat(`${target}.tar.gz`);
console.log(`dist/${folder}.tar.gz  ${(size / 1e6).toFixed(1)} MB`);
console.log(`try: dist/${folder}/messagefoundry --version`);

/** The repository's configuration without tasks and test packages: what running needs. */
async function runtimeConfig(): Promise<string> {
  const { tasks: _tasks, permissions: _permissions, fmt: _fmt, lint: _lint, ...kept } = JSON.parse(
    await Deno.readTextFile(`${root}/deno.json`),
  );
  return `${JSON.stringify(kept, null, 2)}\n`;
}

async function copy(from: string, to: string): Promise<void> {
  const { isDirectory } = await Deno.stat(from);
  if (!isDirectory) return await Deno.copyFile(from, to);
  await Deno.mkdir(to, { recursive: true });
  for await (const entry of Deno.readDir(from)) {
    if (entry.name.endsWith("_test.ts")) continue;
    await copy(`${from}/${entry.name}`, `${to}/${entry.name}`);
  }
}

async function exists(path: string): Promise<boolean> {
  try {
    await Deno.stat(path);
    return true;
  } catch {
    return false;
  }
}

async function run(
  [command, ...args]: readonly string[],
  options: { cwd: string; env?: Record<string, string> },
): Promise<void> {
  const { success } = await new Deno.Command(command!, { args, ...options }).spawn().status;
  if (!success) throw new Error(`Cannot make the archive: "${command}" failed`);
}
