/**
 * What needs a person: events, the rules that route them, and how people are told.
 *
 * Upstream: the engine, which hands in what stops, what it sees of lanes and files, and where
 * instances are kept. Downstream: a webhook, a mail server and the log, in the background.
 * Not here: the pipeline and the store themselves, and what an operator does about an alert
 * (`operations/`).
 */
export { Alerts, type AlertsOptions } from "./alerts.ts";
export {
  type BuildupLimits,
  BuildupMonitor,
  type BuildupOptions,
  type LaneGauge,
} from "./buildup.ts";
export {
  type CertificateFile,
  type CertificatesOptions,
  lookAtCertificates,
} from "./certificates.ts";
export {
  type AlertEvent,
  type AlertType,
  type ConnectionStopped,
  type Severity,
  type Transport,
} from "./event.ts";
export { type Raised, type WriteRaised } from "./instances.ts";
export { type Mail } from "./mail.ts";
export { startWatch, type WatchOptions } from "./watch.ts";
