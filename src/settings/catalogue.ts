/** Every section there is, in the order of the reference, and the type they add up to. */
import { ai } from "./ai.ts";
import { alerts } from "./alerts.ts";
import { api } from "./api.ts";
import { approvals } from "./approvals.ts";
import { auth } from "./auth.ts";
import { certMonitor } from "./cert_monitor.ts";
import { cluster } from "./cluster.ts";
import type { SectionSpec, ValuesOf } from "./declaration.ts";
import { delivery } from "./delivery.ts";
import { diagnostics } from "./diagnostics.ts";
import { egress } from "./egress.ts";
import { engine } from "./engine.ts";
import { environments } from "./environments.ts";
import { inbound } from "./inbound.ts";
import { logging } from "./logging.ts";
import { pipeline } from "./pipeline.ts";
import { reference } from "./reference.ts";
import { retention } from "./retention.ts";
import { security } from "./security.ts";
import { service } from "./service.ts";
import { shadow } from "./shadow.ts";
import { store } from "./store.ts";

export const catalogue: readonly SectionSpec[] = [
  store,
  api,
  inbound,
  environments,
  reference,
  auth,
  ai,
  logging,
  retention,
  delivery,
  pipeline,
  egress,
  shadow,
  alerts,
  certMonitor,
  cluster,
  approvals,
  engine,
  diagnostics,
  service,
  security,
];

export type StoreSettings = ValuesOf<typeof store.keys>;
export type ApiSettings = ValuesOf<typeof api.keys>;
export type InboundSettings = ValuesOf<typeof inbound.keys>;
export type EnvironmentsSettings = ValuesOf<typeof environments.keys>;
export type ReferenceSettings = ValuesOf<typeof reference.keys>;
export type AuthSettings = ValuesOf<typeof auth.keys>;
/** `dataClass` and `production` are derived for the built-in environment names. */
export type AiSettings = ValuesOf<typeof ai.keys>;
export type LoggingSettings = ValuesOf<typeof logging.keys>;
export type RetentionSettings = ValuesOf<typeof retention.keys>;
export type DeliverySettings = ValuesOf<typeof delivery.keys>;
export type PipelineSettings = ValuesOf<typeof pipeline.keys>;
export type EgressSettings = ValuesOf<typeof egress.keys>;
export type ShadowSettings = ValuesOf<typeof shadow.keys>;
export type AlertsSettings = ValuesOf<typeof alerts.keys>;
export type CertMonitorSettings = ValuesOf<typeof certMonitor.keys>;
export type ClusterSettings = ValuesOf<typeof cluster.keys>;
export type ApprovalsSettings = ValuesOf<typeof approvals.keys>;
export type EngineSettings = ValuesOf<typeof engine.keys>;
export type DiagnosticsSettings = ValuesOf<typeof diagnostics.keys>;
export type ServiceSettings = ValuesOf<typeof service.keys>;
export type SecuritySettings = ValuesOf<typeof security.keys>;

/** All settings, frozen; a room receives its section only. */
export interface Settings {
  readonly store: StoreSettings;
  readonly api: ApiSettings;
  readonly inbound: InboundSettings;
  readonly environments: EnvironmentsSettings;
  readonly reference: ReferenceSettings;
  readonly auth: AuthSettings;
  readonly ai: AiSettings;
  readonly logging: LoggingSettings;
  readonly retention: RetentionSettings;
  readonly delivery: DeliverySettings;
  readonly pipeline: PipelineSettings;
  readonly egress: EgressSettings;
  readonly shadow: ShadowSettings;
  readonly alerts: AlertsSettings;
  readonly certMonitor: CertMonitorSettings;
  readonly cluster: ClusterSettings;
  readonly approvals: ApprovalsSettings;
  readonly engine: EngineSettings;
  readonly diagnostics: DiagnosticsSettings;
  readonly service: ServiceSettings;
  readonly security: SecuritySettings;
}
