/**
 * The one place with state: the load that collects declarations, and the run that is under way.
 *
 * A realm loads one graph, so there is one session in it; a process that runs authors' unit tests
 * has one too. Upstream: `src/sandbox` and `testing.ts` open and close it. Authors never see it.
 */
import type { CodeSetTables } from "./code_sets.ts";
import { GraphError } from "./errors.ts";
import type { Position } from "./position.ts";
import type { ReferenceDeclaration } from "./references.ts";
import type { HandlerFunction, Payload, RouterFunction } from "./results.ts";

/** A connection as declared; keys are snake_case, environment references are plain. */
export interface ConnectionDeclaration {
  readonly name: string;
  readonly type: string;
  readonly settings: Readonly<Record<string, unknown>>;
  readonly options: Readonly<Record<string, unknown>>;
  readonly position: Position | undefined;
}

export interface FunctionDeclaration<F> {
  readonly name: string;
  readonly run: F;
  readonly position: Position | undefined;
}

type Declared<F> = Map<string, FunctionDeclaration<F>>;

/** Everything the modules of one load declared, in order. */
export class Declarations {
  readonly inbounds: Map<string, ConnectionDeclaration> = new Map();
  readonly outbounds: Map<string, ConnectionDeclaration> = new Map();
  readonly routers: Declared<RouterFunction<Payload>> = new Map();
  readonly handlers: Declared<HandlerFunction<Payload>> = new Map();
  /** Names asked of `codeSet()`. */
  readonly codeSets: Set<string> = new Set();
  readonly references: Map<string, ReferenceDeclaration> = new Map();
  /** Names asked of `reference()` without a declaration. */
  readonly referencesRead: Set<string> = new Set();
}

/** What a run lets author code read. */
export interface RunContext {
  /** Epoch seconds. */
  readonly ingestTime: number;
  /** JSON of `LineageData`; undefined for a message that a partner sent. */
  readonly lineage: string | undefined;
  /** JSON text of a state value, or undefined. */
  readState(namespace: string, key: string): string | undefined;
}

export interface SessionOptions {
  readonly codeSets: CodeSetTables;
  readonly environment: string | undefined;
  /** True lets a code set be named before it is known; its first use decides. Unit tests only. */
  readonly lateCodeSets?: boolean;
}

export interface Session {
  readonly declarations: Declarations;
  codeSets: CodeSetTables;
  /** Snapshots, by name; one of them is replaced as a whole, between two batches. */
  references: Map<string, ReadonlyMap<string, unknown>>;
  environment: string | undefined;
  readonly lateCodeSets: boolean;
  isLoading: boolean;
}

let session: Session | undefined;
let run: RunContext | undefined;

/** Begins a load: from here on declarations are collected. */
export function openSession(options: SessionOptions): Session {
  session = {
    declarations: new Declarations(),
    codeSets: options.codeSets,
    references: new Map(),
    environment: options.environment,
    lateCodeSets: options.lateCodeSets ?? false,
    isLoading: true,
  };
  return session;
}

/** Ends the load: from here on a declaration throws. */
export function closeLoad(): void {
  if (session !== undefined) session.isLoading = false;
}

export function currentSession(): Session | undefined {
  return session;
}

/** The declarations of the load under way. @throws {GraphError} `graph.outside_load` */
export function loading(what: string): Declarations {
  if (session?.isLoading && run === undefined) return session.declarations;
  throw new GraphError(
    "graph.outside_load",
    `Cannot ${what}: declarations are made while a graph module loads`,
    { hint: "Declare at the top level of a module in the bundle's graph folder" },
  );
}

export function currentRun(): RunContext | undefined {
  return run;
}

/** Sets what author code reads from here on; undefined ends the run. */
export function setRun(context: RunContext | undefined): void {
  run = context;
}
