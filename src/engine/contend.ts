/**
 * Contends for leadership: wires what a node does in a cluster to the engine's parts, so that the
 * graph runs whenever leadership is won, over a store of that term, and all nodes run one graph.
 *
 * Upstream: `engine.ts`. Downstream: `leading.ts`, `config_convergence.ts`, `cluster/`.
 */
import type { Cluster, Term } from "../cluster/mod.ts";
import type { Logger } from "../logging/mod.ts";
import type { Maintenance, References } from "../maintenance/mod.ts";
import type { LiveGraph } from "../pipeline/live_graph.ts";
import type { Pipeline, PipelineOptions } from "../pipeline/pipeline.ts";
import type { Settings } from "../settings/mod.ts";
import type { EdgeChange, TouchedLane } from "../store/intent_results.ts";
import type { Store } from "../store/store.ts";
import { ConfigConvergence } from "./config_convergence.ts";
import { Leading } from "./leading.ts";
import { openTermStore, type StoreOptions } from "./stores.ts";
import { startSweep } from "./sweep.ts";

/** What an operator's act changed, as nodes tell each other. */
export interface Touched {
  readonly lanes: readonly TouchedLane[];
  readonly edges: readonly EdgeChange[];
}

export interface ContendOptions {
  readonly settings: Settings;
  readonly logger: Logger;
  readonly cluster: Cluster;
  readonly store: StoreOptions;
  readonly live: LiveGraph;
  readonly references: References;
  /** Loads this node's bundle again, in place of the graph of now. */
  readonly load: () => Promise<void>;
  /** Builds the graph over the store of a term; nothing of it runs yet. */
  readonly makePipeline: (
    store: Store,
    rules: Pick<PipelineOptions, "mayAct" | "mayAnswer">,
  ) => Pipeline;
  /** The pipeline that runs; undefined when none does. */
  readonly onPipeline: (pipeline: Pipeline | undefined) => void;
  /** Begins maintenance of a term. */
  readonly maintain: (store: Store, isLeader: () => boolean) => Maintenance;
  /** Another node changed rows of the graph that runs here. */
  readonly onTouched: (touched: Touched) => void;
  /** Runs acts that load or swap graphs one after the other. */
  readonly inTurn: <T>(act: () => Promise<T>) => Promise<T>;
  /** How long a graph's end may take, milliseconds; a term has less if its lease is short. */
  readonly stopMs: number;
}

/** Begins; returns what keeps this node's graph the cluster's. */
export function contend(options: ContendOptions): ConfigConvergence {
  const { settings, logger, cluster, live, references, load, inTurn } = options;
  const { leaderLeaseTtlMs, leaderFenceTimeoutMs } = settings.cluster;
  const config = new ConfigConvergence({
    logger,
    applied: cluster.status.configVersion,
    load: () => inTurn(load),
    read: () => cluster.readConfigVersion(),
    bump: () => cluster.bumpConfig(),
    fingerprint: () => live.graph.fingerprint,
    leads: () => cluster.isServing,
    tell: (fingerprint) => cluster.noteGraph(fingerprint),
  });
  const leading = new Leading({
    logger,
    forgetActs: (term) => cluster.forgetActs(term),
    openStore: (term) => openTermStore(options.store, term),
    convergeConfig: () => config.converge(load),
    convergeState: (entries) => live.convergeState(entries),
    takeOverReferences: () => references.takeOver(),
    makePipeline: (store, term) => options.makePipeline(store, rulesOf(term)),
    startChores: (chores, { store, pipeline, term }) => {
      chores.use(options.maintain(store, () => term.isCurrent));
      chores.use(startSweep({
        ...{ term, pipeline, logger, intervalMs: settings.cluster.reclaimIntervalMs },
        openLanes: () => cluster.openLanes(),
      }));
    },
    onPipeline: options.onPipeline,
    inTurn,
    stopMs: Math.min(options.stopMs, (leaderLeaseTtlMs - leaderFenceTimeoutMs) / 2),
  });
  cluster.start(leading, {
    onConfig: (version, graph) => config.heard(version, graph),
    onAct: (act) => options.onTouched(JSON.parse(act) as Touched),
  });
  return config;
}

/** What the graph of a term may do at any moment. */
function rulesOf(term: Term): Pick<PipelineOptions, "mayAct" | "mayAnswer"> {
  return { mayAct: () => term.isCurrent, mayAnswer: () => !term.isFollowed };
}
