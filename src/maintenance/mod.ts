/**
 * Chores that run by themselves, on the leader only: retention, the care for the store's files, and
 * reference sets.
 *
 * Upstream: `engine.ts` starts it when the pipeline runs. Downstream: the store, which knows what is
 * due of each row, and the audit log.
 * Not here: what a person asks for (`operations/`), and whom an advisory reaches (`alerts/`).
 */
export { type LocalMoment, localMoment } from "./local_day.ts";
export { Maintenance, type MaintenanceOptions } from "./maintenance.ts";
export { type OwnWindows } from "./pass.ts";
export { References, type Snapshot } from "./references.ts";
export { type MaintenanceFigures, type StorageAdvisory } from "./figures.ts";
