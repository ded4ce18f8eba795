/** Where a proof takes place: a directory with bundle and store, the partners, the engine's lives. */
import { DatabaseSync } from "node:sqlite";
import { freePort } from "../connectors/waiting.ts";
import { EngineChild } from "./engine_child.ts";
import { type Evidence, readEvidence } from "./evidence.ts";
import { type InboundName, inbounds, type LaneName, lanes } from "./expectation.ts";
import { graphText } from "./graph_text.ts";
import { type Exchange, Witness } from "./witness.ts";

export class Site implements AsyncDisposable {
  readonly dir: string;
  readonly ports: Readonly<Record<InboundName, number>>;
  readonly #apiPort: number;
  readonly #witnesses: readonly Witness[];
  #child: EngineChild | undefined;
  #lives = 0;

  private constructor(
    dir: string,
    { ports, apiPort, witnesses }: {
      ports: Readonly<Record<InboundName, number>>;
      apiPort: number;
      witnesses: readonly Witness[];
    },
  ) {
    this.dir = dir;
    this.ports = ports;
    this.#apiPort = apiPort;
    this.#witnesses = witnesses;
  }

  /** `seed` is what the partners' answers are drawn from. */
  static async open(seed: string, synchronous: "normal" | "full"): Promise<Site> {
    const dir = await Deno.realPath(await Deno.makeTempDir({ prefix: "mefor_crash_" }));
    const witnesses = await Promise.all(lanes.map((lane) => Witness.start(lane, seed)));
    const ports: Partial<Record<InboundName, number>> = {};
    for (const name of inbounds) ports[name] = await freePort();
    const lanePorts = witnesses.map(({ lane, port }) => [lane, port] as const);
    const apiPort = await freePort();
    const site = new Site(dir, { ports: ports as Record<InboundName, number>, apiPort, witnesses });
    const graph = graphText({
      inbounds: site.ports,
      lanes: Object.fromEntries(lanePorts) as Record<LaneName, number>,
    });
    const settings = settingsText(dir, { synchronous, apiPort: site.#apiPort });
    // Nobody else may write what becomes code.
    await Deno.chmod(dir, 0o755);
    await Deno.mkdir(`${dir}/graph`, { mode: 0o755 });
    await Deno.writeTextFile(`${dir}/graph/proof.ts`, graph, { mode: 0o644 });
    await Deno.writeTextFile(`${dir}/messagefoundry.toml`, settings, { mode: 0o644 });
    return site;
  }

  /** The engine that lives now, or lived last. */
  get child(): EngineChild {
    if (this.#child === undefined) throw new Error("No engine was started here");
    return this.#child;
  }

  /** Starts the engine's next life. */
  spawn(failpoints?: string, env?: Readonly<Record<string, string>>): EngineChild {
    this.#lives += 1;
    for (const witness of this.#witnesses) witness.life = this.#lives;
    return this.#child = new EngineChild({ dir: this.dir, failpoints, env });
  }

  partner(lane: LaneName): Witness {
    return this.#witnesses.find((witness) => witness.lane === lane)!;
  }

  get exchanges(): ReadonlyMap<LaneName, readonly Exchange[]> {
    return new Map(this.#witnesses.map(({ lane, exchanges }) => [lane, exchanges]));
  }

  /** Only while no engine lives. */
  evidence(): Evidence {
    return readEvidence(`${this.dir}/store.db`, this.dir);
  }

  /** Waits until no row is open, those of `except` aside; returns how many are at last. */
  async flowsOff(ms: number, except?: LaneName): Promise<number> {
    const deadline = performance.now() + ms;
    for (;;) {
      const open = await this.#openRows(except);
      if (open === 0 || performance.now() > deadline || this.child.status) return open;
      await new Promise((resolve) => setTimeout(resolve, 50));
    }
  }

  async #openRows(except: LaneName | undefined): Promise<number> {
    await this.#settle();
    using db = new DatabaseSync(`${this.dir}/store.db`, { readOnly: true, timeout: 1_000 });
    const row = db.prepare(`
      SELECT count(*) AS open FROM queue
       WHERE status IN ('pending', 'inflight') AND lane IS NOT ?`).get(except ?? null);
    return Number(row?.open);
  }

  /** A read over the API has the engine bring what is answered into the tables. */
  async #settle(): Promise<void> {
    try {
      const signal = AbortSignal.timeout(2_000);
      await (await fetch(`http://127.0.0.1:${this.#apiPort}/stats`, { signal })).body?.cancel();
    } catch {
      // It is starting, or gone: what its tables lack is counted the next time.
    }
  }

  async [Symbol.asyncDispose](): Promise<void> {
    this.#child?.signal("SIGKILL");
    await this.#child?.ended;
    await Promise.all(this.#witnesses.map((witness) => witness[Symbol.asyncDispose]()));
    await Deno.remove(this.dir, { recursive: true });
  }
}

function settingsText(
  dir: string,
  { synchronous, apiPort }: { synchronous: "normal" | "full"; apiPort: number },
): string {
  return `[store]
path = "${dir}/store.db"
synchronous = "${synchronous}"

[api]
port = ${apiPort}

[auth]
enabled = false

[environments]
base_dir = "${dir}"
`;
}
