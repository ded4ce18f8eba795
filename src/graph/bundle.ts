/**
 * Reads a bundle: `graph/*.ts`, `codesets/*.csv|toml` and `connections.toml` of one directory.
 *
 * Only reads. Every file is checked for trust and for leading outside before its text is used;
 * nothing of it is executed or parsed here.
 */
import { resolve } from "node:path";
import { isGraphModule } from "../sandbox/mod.ts";
import { compareText, type GraphProblem, problemAt, readFault, warningAt } from "./problems.ts";
import { distrust, isWithin, ownUid } from "./source_trust.ts";

export interface BundleFile {
  /** Relative to the bundle, with `/`. */
  readonly path: string;
  readonly bytes: Uint8Array;
  readonly text: string;
}

export interface Bundle {
  /** Absolute, as named by the operator. */
  readonly dir: string;
  /** The same with symbolic links resolved. */
  readonly realDir: string;
  /** Modules in load order. */
  readonly modules: readonly BundleFile[];
  /** `_*` and `*.json` files: imported by modules, never loaded for themselves. */
  readonly helpers: readonly BundleFile[];
  readonly codeSets: readonly BundleFile[];
  readonly connections: BundleFile | undefined;
}

export interface ReadBundleOptions {
  /** Unsafe sources warn instead of refusing: `MEFOR_ALLOW_INSECURE_CONFIG_SOURCE=1`. */
  readonly allowInsecureSource?: boolean;
  /** Whom files may belong to, beside root; by default the user this process runs as. */
  readonly uid?: number;
  /** An edit that is tried before it is made. */
  readonly edit?: BundleEdit;
}

/**
 * Texts that stand in place of files, by path relative to the bundle; undefined: the file is gone.
 * Whom the former file belongs to says nothing of such a text.
 */
export type BundleEdit = ReadonlyMap<string, string | undefined>;

/** Largest module or `connections.toml`, and largest code set, in bytes. */
const SOURCE_BYTES_MAX = 4 * 1024 * 1024;
const CODE_SET_BYTES_MAX = 64 * 1024 * 1024;

const SOURCE = /^[^.].*\.(ts|mts|js|json)$/;
const NOT_A_SOURCE = /(_test\.(ts|mts|js)|\.d\.(ts|mts))$/;
const CODE_SET = /^[^.].*\.(csv|toml)$/;

/** Reads everything it can and returns it with every problem met; undefined without a directory. */
export async function readBundle(
  dir: string,
  options: ReadBundleOptions = {},
): Promise<{ bundle: Bundle | undefined; problems: readonly GraphProblem[] }> {
  const absolute = resolve(dir);
  const none = (message: string) => ({
    bundle: undefined,
    problems: [problemAt(undefined, message)],
  });
  let root: string | undefined;
  try {
    root = await realPathOf(absolute);
    if (root === undefined || !(await Deno.stat(root)).isDirectory) {
      return none(`No directory "${absolute}"`);
    }
  } catch (thrown) {
    const fault = readFault(thrown);
    if (fault === undefined) throw thrown;
    return none(`Cannot read directory "${absolute}": ${fault}`);
  }
  const reader = new BundleReader(root, options);
  const bundle = await reader.read(absolute);
  return { bundle, problems: reader.problems };
}

class BundleReader {
  readonly problems: GraphProblem[] = [];
  readonly #root: string;
  readonly #allowInsecure: boolean;
  readonly #edit: BundleEdit;
  #uid: number | undefined;

  constructor(
    root: string,
    { allowInsecureSource = false, uid = ownUid(), edit = new Map() }: ReadBundleOptions,
  ) {
    this.#root = root;
    this.#edit = edit;
    this.#allowInsecure = allowInsecureSource;
    this.#uid = uid;
  }

  async read(dir: string): Promise<Bundle> {
    const info = await Deno.stat(this.#root);
    this.#uid ??= info.uid ?? undefined;
    this.#checkTrust(".", info);
    const sources = await this.#readAll("graph", SOURCE, SOURCE_BYTES_MAX);
    if (sources === undefined) {
      this.problems.push(problemAt({ file: "graph" }, 'The bundle has no directory "graph"'));
    }
    const isHelper = ({ path }: BundleFile) => !isGraphModule(path.slice("graph/".length));
    const connections = await this.#readOne("connections.toml", SOURCE_BYTES_MAX);
    return {
      dir,
      realDir: this.#root,
      modules: (sources ?? []).filter((file) => !isHelper(file)),
      helpers: (sources ?? []).filter(isHelper),
      codeSets: await this.#readAll("codesets", CODE_SET, CODE_SET_BYTES_MAX) ?? [],
      connections,
    };
  }

  /** Reads the matching files of one directory, sorted by name; undefined when it is missing. */
  async #readAll(
    folder: string,
    pattern: RegExp,
    bytesMax: number,
  ): Promise<BundleFile[] | undefined> {
    const names = await this.#trying(folder, () => this.#namesIn(folder), []);
    if (names === undefined) return undefined;
    const files: BundleFile[] = [];
    for (const name of names.sort(compareText)) {
      if (!pattern.test(name) || NOT_A_SOURCE.test(name)) continue;
      const file = await this.#readOne(`${folder}/${name}`, bytesMax);
      if (file !== undefined) files.push(file);
    }
    return files;
  }

  /** With those an edit adds. */
  async #namesIn(folder: string): Promise<string[] | undefined> {
    const before = `${folder}/`;
    const added = [...this.#edit].flatMap(([path, text]) =>
      text !== undefined && path.startsWith(before) ? [path.slice(before.length)] : []
    );
    const real = await this.#inside(folder);
    if (real === undefined) return added.length === 0 ? undefined : added;
    this.#checkTrust(folder, await Deno.stat(real));
    const names = new Set(added);
    for await (const { name } of Deno.readDir(real)) names.add(name);
    return [...names];
  }

  async #readOne(path: string, bytesMax: number): Promise<BundleFile | undefined> {
    if (this.#edit.has(path)) return this.#edited(path, bytesMax);
    return await this.#trying(path, () => this.#readFile(path, bytesMax), undefined);
  }

  async #readFile(path: string, bytesMax: number): Promise<BundleFile | undefined> {
    const real = await this.#inside(path);
    if (real === undefined) return undefined;
    const info = await Deno.stat(real);
    if (!info.isFile) return undefined;
    this.#checkTrust(path, info);
    if (info.size > bytesMax) return this.#tooLarge(path, bytesMax);
    const bytes = await Deno.readFile(real);
    try {
      return { path, bytes, text: new TextDecoder("utf-8", { fatal: true }).decode(bytes) };
    } catch {
      this.problems.push(problemAt({ file: path }, "The file is not UTF-8 text"));
      return undefined;
    }
  }

  #edited(path: string, bytesMax: number): BundleFile | undefined {
    const text = this.#edit.get(path);
    if (text === undefined) return undefined;
    const bytes = new TextEncoder().encode(text);
    return bytes.length > bytesMax ? this.#tooLarge(path, bytesMax) : { path, bytes, text };
  }

  #tooLarge(path: string, bytesMax: number): undefined {
    this.problems.push(problemAt({ file: path }, `The file is larger than ${bytesMax} bytes`));
  }

  /** What may not be read is one problem beside all others; `otherwise` stands in for it. */
  async #trying<T>(path: string, read: () => Promise<T>, otherwise: T): Promise<T> {
    try {
      return await read();
    } catch (thrown) {
      const fault = readFault(thrown);
      if (fault === undefined) throw thrown;
      this.problems.push(problemAt({ file: path }, `Cannot read it: ${fault}`));
      return otherwise;
    }
  }

  /** Returns the real path of something in the bundle, or undefined when missing or outside. */
  async #inside(path: string): Promise<string | undefined> {
    const real = await realPathOf(`${this.#root}/${path}`);
    if (real === undefined || isWithin(this.#root, real)) return real;
    this.problems.push(problemAt({ file: path }, "The link leads outside the bundle"));
    return undefined;
  }

  #checkTrust(path: string, info: Deno.FileInfo): void {
    const reason = distrust(info, { uid: this.#uid });
    if (reason === undefined) return;
    const message = `Cannot trust the source: ${reason}`;
    this.problems.push(
      this.#allowInsecure
        ? warningAt({ file: path }, message)
        : problemAt({ file: path }, `${message}; only its owner may write it`),
    );
  }
}

async function realPathOf(path: string): Promise<string | undefined> {
  try {
    return await Deno.realPath(path);
  } catch (thrown) {
    if (thrown instanceof Deno.errors.NotFound || thrown instanceof Deno.errors.NotADirectory) {
      return undefined;
    }
    throw thrown;
  }
}
