import type { ReferenceDefinition } from "../../src/graph/graph.ts";
import { createLogger, renderRecord } from "../../src/logging/mod.ts";
import { References, type Snapshot } from "../../src/maintenance/mod.ts";
import { loadSettings } from "../../src/settings/mod.ts";
import { StoreBench } from "../contract/store/bench.ts";
import { sqliteBackend } from "../store/sqlite/bench.ts";

/** References over a real store, at whatever time a test says it is. */
export class ReferenceBench implements AsyncDisposable {
  readonly dir: string;
  readonly bench: StoreBench;
  readonly log: string[] = [];
  readonly published: Snapshot[] = [];
  definitions = new Map<string, ReferenceDefinition>();
  isLeader = true;

  constructor(bench: StoreBench, dir: string) {
    this.bench = bench;
    this.dir = dir;
  }

  static async open(): Promise<ReferenceBench> {
    const dir = await Deno.makeTempDir({ prefix: "mefor_references_" });
    return new ReferenceBench(await StoreBench.open(sqliteBackend), dir);
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await this.bench[Symbol.asyncDispose]();
    await Deno.remove(this.dir, { recursive: true });
  }

  /** Declares a set of a file of its own, which is written when there is a text for it. */
  async declare(name: string, text?: string, refreshSeconds = 60): Promise<string> {
    const path = `${this.dir}/${name}.csv`;
    if (text !== undefined) await Deno.writeTextFile(path, text);
    const more = { format: "csv", encoding: "utf-8", refreshMs: refreshSeconds * 1000 } as const;
    this.definitions.set(name, { kind: "file", name, path, ...more, position: undefined });
    return path;
  }

  references(settings = ""): Promise<References> {
    const file = { path: "messagefoundry.toml", text: `[reference]\n${settings}` };
    return References.open({
      settings: loadSettings({ file, env: {} }).settings.reference,
      store: this.bench.store,
      clock: { now: () => this.bench.now / 1000, monotonic: () => this.bench.now / 1000 },
      logger: createLogger({
        level: "info",
        sinks: [{ write: (record) => this.log.push(renderRecord(record, "text")) }],
      }),
      isLeader: () => this.isLeader,
      definitions: () => this.definitions,
      publish: (snapshot) => this.published.push(snapshot),
    });
  }

  prepare(references: References): Promise<void> {
    return references.prepare(this.definitions, (snapshot) => this.published.push(snapshot));
  }

  /** What author code was given since the last look, `"set rows"`. */
  taken(): string[] {
    return this.published.splice(0).map(({ name, entries }) => `${name} ${entries}`);
  }
}
