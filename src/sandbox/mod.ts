/**
 * Runs routers and handlers in a worker without permissions, so that author code reaches nothing.
 *
 * Upstream `graph/` loads it and `pipeline/` hands it batches; downstream stands the worker, inside
 * it the realm with `authoring/` and the author's modules. Files, settings, the store and what
 * becomes of a result do not belong here.
 */
export { isGraphModule, isImportable } from "../authoring/graph_files.ts";
export type { AuthorModule } from "./author_modules.ts";
export * from "./protocol.ts";
export { type LoadedSandbox, Sandbox, SandboxError, type SandboxOptions } from "./sandbox.ts";
export { sandboxV8Flags } from "./v8_flags.ts";
