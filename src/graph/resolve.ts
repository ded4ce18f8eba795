/**
 * Resolves a checked graph for one instance: references become values, absent keys defaults.
 *
 * Missing and unreadable values of the whole graph are reported together. Source: spec §4.3, §1.4.
 */
import {
  applyDefaults,
  checkSettings,
  isEnvironmentReference,
  type SettingDirection,
  type TransportSchema,
} from "../authoring/connectors/schema.ts";
import { quoteName } from "../authoring/names.ts";
import { type DeliverySettings, isTable, type Settings } from "../settings/mod.ts";
import type { DeclaredConnection, EnvReference } from "../sandbox/protocol.ts";
import type { Declared } from "./declared.ts";
import { type EnvironmentValues, resolveReference } from "./environment_values.ts";
import type {
  AckMode,
  BuildupDefinition,
  ContentType,
  InboundDefinition,
  InternalErrorPolicy,
  Ordering,
  OutboundDefinition,
  RetryDefinition,
} from "./graph.ts";
import { type Listener, portClashes } from "./ports.ts";
import { type GraphProblem, problemAt } from "./problems.ts";
import { transports } from "./transports.ts";
import { positionOf } from "./validate.ts";

export interface ResolveContext {
  readonly settings: Settings;
  readonly environment: EnvironmentValues;
}

export interface Resolved {
  readonly inbounds: ReadonlyMap<string, InboundDefinition>;
  readonly outbounds: ReadonlyMap<string, OutboundDefinition>;
  readonly problems: readonly GraphProblem[];
}

/** Resolves every connection; one with a problem is left out. */
export function resolveDeclared(declared: Declared, context: ResolveContext): Resolved {
  const problems: GraphProblem[] = [];
  const inbounds = new Map<string, InboundDefinition>();
  const outbounds = new Map<string, OutboundDefinition>();
  const settingsOf = (connection: DeclaredConnection, direction: SettingDirection) => {
    const result = resolveSettings(declared, { connection, direction, context });
    problems.push(...result.problems);
    return result.problems.length === 0 ? result.settings : undefined;
  };
  for (const connection of declared.inbounds) {
    const settings = settingsOf(connection, "in");
    if (settings !== undefined) inbounds.set(connection.name, inboundOf(connection, settings));
  }
  for (const connection of declared.outbounds) {
    const settings = settingsOf(connection, "out");
    if (settings === undefined) continue;
    outbounds.set(connection.name, outboundOf(connection, settings, context.settings));
  }
  problems.push(...lostAnswers(declared, { inbounds, outbounds }));
  problems.push(...portClashes(listenersOf(inbounds, context.settings)));
  return { inbounds, outbounds, problems };
}

/** Where answers go by a value of the environment; what stands in the graph was checked before. */
function lostAnswers(
  declared: Declared,
  { inbounds, outbounds }: Pick<Resolved, "inbounds" | "outbounds">,
): readonly GraphProblem[] {
  return declared.outbounds.flatMap((connection) => {
    const target = outbounds.get(connection.name)?.reingressTo;
    if (target === undefined || !isReference(connection.settings.reingress_to)) return [];
    if (inbounds.get(target)?.type === "loopback") return [];
    return [problemAt(
      positionOf(declared, connection, "reingress_to"),
      `Outbound ${quoteName(connection.name)}: "reingress_to" ${
        quoteName(target)
      } is not a loopback`,
    )];
  });
}

type Values = Readonly<Record<string, unknown>>;

function resolveSettings(
  declared: Declared,
  { connection, direction, context }: {
    connection: DeclaredConnection;
    direction: SettingDirection;
    context: ResolveContext;
  },
): { settings: Values; problems: readonly GraphProblem[] } {
  const problems: GraphProblem[] = [];
  const side = direction === "in" ? "Inbound" : "Outbound";
  const tell = (key: string, message: string) => {
    const position = positionOf(declared, connection, key);
    problems.push(problemAt(position, `${side} ${quoteName(connection.name)}: ${message}`));
  };
  const schema = transports.get(connection.type);
  if (schema === undefined) return { settings: {}, problems };
  const { values } = context.environment;
  const settings = resolveTable(schema, direction, { declared: connection.settings, values, tell });
  return { settings: Object.freeze(settings), problems };
}

/**
 * Puts values in the place of references, and defaults in that of absent keys; `tell` hears of every
 * key that is wrong, and nothing of what it holds.
 */
export function resolveTable(
  schema: TransportSchema,
  direction: SettingDirection,
  { declared, values, tell }: {
    readonly declared: Values;
    readonly values: ReadonlyMap<string, unknown>;
    readonly tell: (key: string, message: string) => void;
  },
): Values {
  const settings: Record<string, unknown> = {};
  let isWhole = true;
  for (const [key, value] of Object.entries(declared)) {
    if (!isReference(value)) {
      settings[key] = value;
      continue;
    }
    const wanted = wantedType(schema, key);
    const resolution = resolveReference(value, { values, wanted });
    if (resolution.ok) settings[key] = resolution.value;
    else {
      tell(key, `setting "${key}": environment value "${value.env}" ${resolution.reason}`);
      isWhole = false;
    }
  }
  // A literal that is wrong was reported already; what is new here came from the environment.
  if (isWhole) {
    for (const { key, message } of checkSettings(schema, direction, settings, { resolved: true })) {
      const reference = declared[key];
      const from = isReference(reference) ? ` (environment value "${reference.env}")` : "";
      tell(key, `${message.charAt(0).toLowerCase()}${message.slice(1)}${from}`);
    }
  }
  return applyDefaults(schema, direction, settings);
}

/** True for `{ env: "key" }`, as the declarations write it. */
export function isReference(value: unknown): value is EnvReference {
  return isEnvironmentReference(value);
}

function wantedType(schema: TransportSchema, key: string) {
  return schema.settings.find((spec) => spec.key === key)?.type;
}

function inboundOf(connection: DeclaredConnection, settings: Values): InboundDefinition {
  const { options } = connection;
  const contentType = (options.content_type ?? "hl7v2") as ContentType;
  return Object.freeze({
    name: connection.name,
    type: connection.type,
    settings,
    declaredSettings: connection.settings,
    router: String(options.router),
    contentType,
    ackMode: (options.ack_mode ?? defaultAckMode(connection)) as AckMode,
    strict: options.strict === true,
    hl7Version: options.hl7_version as string | undefined,
    bindAddress: options.bind_address as string | undefined,
    sourceIpAllowlist: (options.source_ip_allowlist ?? []) as readonly string[],
    messagesDays: options.messages_days as number | undefined,
    captureConnectionErrors: options.capture_connection_errors as boolean | undefined,
    metadata: tableOf(options.metadata),
    position: connection.position,
  });
}

/** Only HL7 has acknowledgements to give, and only partners wait for them. */
export function defaultAckMode({ type, options }: DeclaredConnection): AckMode {
  const isHl7 = (options.content_type ?? "hl7v2") === "hl7v2";
  return isHl7 && type !== "loopback" ? "original" : "none";
}

function outboundOf(
  connection: DeclaredConnection,
  values: Values,
  { delivery, shadow }: Settings,
): OutboundDefinition {
  const { options } = connection;
  const { reingress_to: target } = values;
  const reingressTo = typeof target === "string" ? target : undefined;
  return Object.freeze({
    name: connection.name,
    type: connection.type,
    settings: values,
    declaredSettings: connection.settings,
    retry: retryOf(tableOf(options.retry), delivery),
    ordering: (options.ordering ?? delivery.ordering) as Ordering,
    internalError: (options.internal_error ?? delivery.internalError) as InternalErrorPolicy,
    buildup: buildupOf(tableOf(options.buildup), delivery),
    simulate: shadow.simulateAllEgress || options.simulate === true,
    captureResponse: values.capture_response === true || reingressTo !== undefined,
    reingressTo,
    verifyAckControlId: values.verify_ack_control_id === "strict" ? "strict" : "lenient",
    deadLetterDays: options.dead_letter_days as number | undefined,
    metadata: tableOf(options.metadata),
    position: connection.position,
  });
}

/** Each key falls back for itself, so a graph can raise one and inherit the others. */
function retryOf(retry: Values, delivery: DeliverySettings): RetryDefinition {
  return Object.freeze({
    maxAttempts: offOr(retry.max_attempts, delivery.retryMaxAttempts),
    backoffMs: millisecondsOr(retry.backoff_seconds, delivery.retryBackoffMs),
    multiplier: numberOr(retry.backoff_multiplier, delivery.retryBackoffMultiplier),
    maxBackoffMs: millisecondsOr(retry.max_backoff_seconds, delivery.retryMaxBackoffMs),
  });
}

function buildupOf(buildup: Values, delivery: DeliverySettings): BuildupDefinition {
  const oldest = buildup.max_oldest_seconds;
  return Object.freeze({
    maxDepth: offOr(buildup.max_depth, delivery.buildupMaxDepth),
    maxOldestMs: offOr(
      typeof oldest === "number" ? oldest * 1000 : oldest,
      delivery.buildupMaxOldestMs,
    ),
  });
}

/** null and 0 switch off, absence inherits. */
function offOr(value: unknown, inherited: number | undefined): number | null {
  const chosen = value === undefined ? inherited : value;
  return typeof chosen === "number" && chosen > 0 ? chosen : null;
}

function numberOr(value: unknown, inherited: number): number {
  return typeof value === "number" ? value : inherited;
}

function millisecondsOr(value: unknown, inherited: number): number {
  return typeof value === "number" ? value * 1000 : inherited;
}

function tableOf(value: unknown): Values {
  return isTable(value) ? value : {};
}

/** Every listener with its resolved port and interface, the API first. */
export function listenersOf(
  inbounds: ReadonlyMap<string, InboundDefinition>,
  { api, inbound }: Settings,
): readonly Listener[] {
  const listeners: Listener[] = [
    { label: "The API", host: api.host, port: api.port, position: undefined },
  ];
  for (const { name, type, settings, bindAddress, position } of inbounds.values()) {
    if (transports.get(type)?.listen !== true || typeof settings.port !== "number") continue;
    listeners.push({
      label: `Inbound ${quoteName(name)}`,
      host: bindAddress ?? inbound.bindHost,
      port: settings.port,
      position,
    });
  }
  return listeners;
}
