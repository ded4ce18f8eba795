/**
 * Keeps the graph of this node at the configuration the cluster runs: a node that loaded another
 * bundle counts the version up, and every other node loads its own folder anew. Source: spec
 * pipeline-store-cluster §6 (convergence), I59.
 */
import { EngineError, errorClass } from "../errors.ts";
import type { Logger } from "../logging/mod.ts";

export interface ConfigConvergenceOptions {
  readonly logger: Logger;
  /** The version when the graph of now was loaded. */
  readonly applied: number;
  /** Loads the graph of this node's folder again. */
  readonly load: () => Promise<void>;
  /** Reads the version now. */
  readonly read: () => Promise<number>;
  /** Counts the version up. */
  readonly bump: () => Promise<number>;
  /** Of the graph of now. */
  readonly fingerprint: () => string;
  /** Whether this node's graph is the one that runs. */
  readonly leads: () => boolean;
  /** Says which graph runs. */
  readonly tell: (fingerprint: string) => Promise<void>;
}

/** A graph that was just loaded somewhere is told of a moment later. */
const SIGHTINGS = 3;

export class ConfigConvergence {
  readonly #options: ConfigConvergenceOptions;
  #applied: number;
  #loading: Promise<void> | undefined;
  #isTelling = false;
  /** This node has loaded another graph, and the others could not be told. */
  #isUntold = false;
  /** The version that could not be loaded; told once. */
  #failed: number | undefined;
  /** Beats in a row that told of another graph than this node's. */
  #sightings = 0;

  constructor(options: ConfigConvergenceOptions) {
    this.#options = options;
    this.#applied = options.applied;
  }

  /**
   * The cluster is at `version`, and its leader runs `graph`, as a beat says; what fails is tried
   * again at the next.
   */
  heard(version: number, graph: string | undefined): void {
    this.#compare(version, graph);
    if (this.#isTelling || this.#loading !== undefined) return;
    if (version > this.#applied) void this.#load(version).catch(() => {});
    else if (this.#isUntold) void this.announce();
  }

  /** Loads what another node made current; throws when that cannot be had. */
  async converge(loadNow: () => Promise<void>): Promise<void> {
    const version = await this.#options.read();
    if (version <= this.#applied) return;
    await loadNow();
    this.#applied = version;
  }

  /** This node has loaded another graph: the others follow, now or when a beat succeeds again. */
  async announce(): Promise<void> {
    // A beat may tell of the new version before its number is back here.
    this.#isTelling = true;
    try {
      this.#applied = await this.#options.bump();
      this.#isUntold = false;
    } catch (thrown) {
      this.#isUntold = true;
      this.#options.logger.error("cluster.config_not_told", { error: errorClass(thrown) });
    } finally {
      this.#isTelling = false;
    }
  }

  /** The same number with another graph: somebody forgot this node's folder. */
  #compare(version: number, graph: string | undefined): void {
    const { fingerprint, leads, tell, logger } = this.#options;
    const own = fingerprint();
    if (leads()) {
      this.#sightings = 0;
      if (graph !== own) void tell(own).catch(() => {});
      return;
    }
    const differs = version === this.#applied && graph !== undefined && graph !== own;
    this.#sightings = differs ? this.#sightings + 1 : 0;
    if (this.#sightings === SIGHTINGS) logger.warning("cluster.graph_differs", { version });
  }

  async #load(version: number): Promise<void> {
    const { logger, load } = this.#options;
    this.#loading = load();
    try {
      await this.#loading;
      this.#applied = version;
      this.#failed = undefined;
      logger.info("cluster.config_converged", { version });
      // Nodes that were there before compare theirs with it, and need not wait for a beat.
      this.#compare(version, undefined);
    } catch (thrown) {
      if (this.#failed !== version) {
        logger.error("cluster.config_failed", {
          version,
          error: errorClass(thrown),
          code: thrown instanceof EngineError ? thrown.code : undefined,
        });
      }
      this.#failed = version;
    } finally {
      this.#loading = undefined;
    }
  }
}
