/**
 * One hash over everything a graph is made of, to tell whether two nodes run the same.
 *
 * SHA-256 over `mefor-cfg-fp:v1\n`, then for each file in the order of its path: path, NUL, the 32
 * bytes of its own SHA-256, NUL. Source: spec api §6.4.
 */
import { createHash } from "node:crypto";
import type { EnvironmentsSettings } from "../settings/mod.ts";
import { type Bundle, readBundle } from "./bundle.ts";
import { environmentsDir } from "./environment_values.ts";
import { compareText, readFault } from "./problems.ts";

export interface FingerprintFile {
  /** Relative to the bundle, with `/`. */
  readonly path: string;
  readonly bytes: Uint8Array;
}

/** Returns the fingerprint in lower-case hexadecimal. */
export function fingerprint(files: readonly FingerprintFile[]): string {
  const whole = createHash("sha256").update("mefor-cfg-fp:v1\n", "ascii");
  for (const { path, bytes } of [...files].sort((a, b) => compareText(a.path, b.path))) {
    whole.update(path, "utf8").update("\0");
    whole.update(createHash("sha256").update(bytes).digest()).update("\0");
  }
  return whole.digest("hex");
}

/** Returns the files a graph's fingerprint covers: the bundle's, and all value files. */
export async function fingerprintFiles(
  bundle: Bundle,
  environmentsDir: string,
): Promise<readonly FingerprintFile[]> {
  const { modules, helpers, codeSets, connections } = bundle;
  const files: FingerprintFile[] = [...modules, ...helpers, ...codeSets];
  if (connections !== undefined) files.push(connections);
  return [...files, ...await valueFiles(environmentsDir)];
}

/** The fingerprint of a bundle as it lies on the disk now; undefined when it cannot be read. */
export async function readFingerprint(
  bundleDir: string,
  environments: EnvironmentsSettings,
): Promise<string | undefined> {
  try {
    const { bundle } = await readBundle(bundleDir, { allowInsecureSource: true });
    if (bundle === undefined) return undefined;
    return fingerprint(await fingerprintFiles(bundle, environmentsDir(environments)));
  } catch {
    return undefined;
  }
}

/** Files that cannot be read are left out, as a node without access would leave them out. */
async function valueFiles(dir: string): Promise<readonly FingerprintFile[]> {
  const files: FingerprintFile[] = [];
  try {
    for await (const { name, isDirectory } of Deno.readDir(dir)) {
      if (isDirectory || !/^[^.].*\.toml$/.test(name)) continue;
      const bytes = await readIfReadable(`${dir}/${name}`);
      if (bytes !== undefined) files.push({ path: `environments/${name}`, bytes });
    }
  } catch (thrown) {
    if (readFault(thrown) === undefined) throw thrown;
  }
  return files;
}

async function readIfReadable(path: string): Promise<Uint8Array | undefined> {
  try {
    return await Deno.readFile(path);
  } catch {
    return undefined;
  }
}
