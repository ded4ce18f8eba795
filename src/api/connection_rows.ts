/**
 * The rows of the dashboard: one an inbound, one an (inbound, outbound) edge that carried traffic,
 * one a lone outbound that wants attention. Reads memory; the store is asked only for the age of
 * rows that memory does not hold, and for open alerts. Source: spec api §1.3.
 */
import type { Engine } from "../engine.ts";
import {
  type Actor,
  type Inbound,
  isDrained,
  isInScope,
  type Outbound,
} from "../operations/mod.ts";
import { secondsOf } from "./env.ts";

export interface ConnectionRow {
  readonly role: "source" | "destination";
  readonly channel_id: string;
  readonly channel_name: string;
  readonly destination: string | null;
  readonly name: string;
  readonly status: string;
  readonly direction: "in" | "out";
  readonly method: string;
  readonly peer: string | null;
  readonly port: number | null;
  readonly queue_depth: number | null;
  readonly idle_seconds: number | null;
  readonly alerts_active: number;
  readonly errored: number | null;
  readonly read: number | null;
  readonly written: number | null;
  readonly backlog_seconds: number | null;
  readonly delivered_age_seconds: number | null;
  readonly simulated: boolean | null;
  readonly paused: boolean;
  readonly error: string | null;
}

/** Before its alerts are counted. */
type Row = Omit<ConnectionRow, "alerts_active">;
type Edge = ReturnType<Engine["pipeline"]["statistics"]["edges"]>[number];
type Definition = Inbound["definition"] | Outbound["definition"];

const METHODS: Readonly<Record<string, string>> = {
  mllp: "MLLP",
  file: "File",
  tcp: "TCP",
  soap: "SOAP",
  rest: "REST",
  http: "HTTP",
  sftp: "SFTP",
  db: "Database",
};

/** Rows of what the actor may see: whoever is held to channels sees their inbounds alone. */
export async function connectionRows(
  engine: Engine,
  actor: Actor,
): Promise<readonly ConnectionRow[]> {
  const { inbounds, outbounds, statistics } = engine.pipeline;
  const alerts = await openAlerts(engine);
  const counted = (row: Row) => ({ ...row, alerts_active: alerts.get(connectionOf(row)) ?? 0 });
  if (actor.channels !== undefined) {
    const seen = [...inbounds.values()].filter(({ name }) => isInScope(actor, name));
    return seen.map((inbound) => counted(sourceRow(engine, inbound)));
  }
  const edges = statistics.edges().filter((edge) => outbounds.has(edge.outbound) || edge.depth > 0);
  const ages = await oldestOf(engine, edges);
  const byInbound = Map.groupBy(edges, ({ inbound }) => inbound);
  const edgeRows = (inbound: string) =>
    (byInbound.get(inbound) ?? []).map((edge) => edgeRow(engine, edge, ages.get(edge)));
  const rows: Row[] = [];
  for (const inbound of inbounds.values()) {
    rows.push(sourceRow(engine, inbound), ...edgeRows(inbound.name));
  }
  // Rows can outlive the inbound they came from.
  for (const inbound of byInbound.keys()) {
    if (!inbounds.has(inbound)) rows.push(...edgeRows(inbound));
  }
  const carried = new Set(edges.map((edge) => edge.outbound));
  for (const outbound of outbounds.values()) {
    const wantsAttention = outboundStatus(outbound) !== "running";
    if (!carried.has(outbound.name) && wantsAttention) rows.push(loneRow(engine, outbound));
  }
  return rows.map(counted);
}

/** Alerts that nobody has acknowledged, by connection; those of the engine itself have no row. */
async function openAlerts(engine: Engine): Promise<ReadonlyMap<string, number>> {
  const rows = await engine.store.register("alertsOpen");
  return new Map(rows.map(({ connection, open }) => [String(connection), Number(open)]));
}

function connectionOf({ channel_id, destination }: Row): string {
  return destination ?? channel_id;
}

/** `failed` before everything else. */
export function inboundStatus(inbound: Inbound): "failed" | "running" | "stopped" {
  return inbound.haltedFor === undefined ? inbound.state : "failed";
}

/** Why an inbound is `failed`: its source cannot listen, or its routing stopped at a message. */
export function inboundError({ error, haltedFor }: Inbound): string | null {
  if (error) return error.message;
  return haltedFor === undefined ? null : `Routing stopped after an error: ${classOf(haltedFor)}`;
}

/** `stopping`: paused while its last delivery is on the wire. */
export function outboundStatus(
  outbound: Outbound,
): "failed" | "running" | "stopping" | "stopped" {
  if (outbound.haltedFor !== undefined) return "failed";
  if (!outbound.isPaused) return "running";
  return outbound.isBusy ? "stopping" : "stopped";
}

export function outboundError({ haltedFor }: Outbound): string | null {
  return haltedFor === undefined ? null : `Delivery stopped after an error: ${haltedFor}`;
}

/** The first word of `"<class>: <text>"`; the text stays with the message. */
function classOf(reason: string): string {
  return reason.split(":", 1)[0] ?? "";
}

/** True when deliveries of an outbound only pretend. */
export function isSimulated({ settings }: Engine, { definition }: Outbound): boolean {
  return definition.simulate || settings.shadow.simulateAllEgress;
}

function sourceRow({ clock, pipeline }: Engine, inbound: Inbound): Row {
  const statistics = pipeline.statistics.inbound(inbound.name);
  const { read, errored } = statistics.shown;
  return {
    role: "source",
    channel_id: inbound.name,
    channel_name: inbound.name,
    destination: null,
    name: `${inbound.name} ▸ in`,
    status: inboundStatus(inbound),
    direction: "in",
    ...endpointOf(inbound.definition),
    queue_depth: null,
    idle_seconds: sinceSeconds(clock.now(), statistics.lastAt),
    errored,
    read,
    written: null,
    backlog_seconds: null,
    delivered_age_seconds: null,
    simulated: null,
    paused: false,
    error: inboundError(inbound),
  };
}

function edgeRow(engine: Engine, edge: Edge, oldest: number | undefined): Row {
  const now = engine.clock.now();
  const outbound = engine.pipeline.outbounds.get(edge.outbound);
  const { written, dead } = edge.shown;
  return {
    role: "destination",
    channel_id: edge.inbound,
    channel_name: edge.inbound,
    destination: edge.outbound,
    name: `${edge.inbound} ▸ ${edge.outbound}`,
    ...outboundPart(engine, outbound),
    queue_depth: edge.depth,
    idle_seconds: sinceSeconds(now, edge.lastDoneAt),
    errored: dead,
    written,
    backlog_seconds: backlogSeconds(edge.depth, edge.recentDone(now)),
    delivered_age_seconds: oldest === undefined ? null : Math.max(0, now / 1e3 - secondsOf(oldest)),
  };
}

/** An outbound that no message has reached yet. */
function loneRow(engine: Engine, outbound: Outbound): Row {
  return {
    role: "destination",
    channel_id: outbound.name,
    channel_name: outbound.name,
    destination: outbound.name,
    name: `${outbound.name} ▸ out`,
    ...outboundPart(engine, outbound),
    queue_depth: null,
    idle_seconds: null,
    errored: null,
    written: null,
    backlog_seconds: null,
    delivered_age_seconds: null,
  };
}

/** What a destination row says of its outbound; undefined is one the graph no longer has. */
function outboundPart(engine: Engine, outbound: Outbound | undefined) {
  const common = { direction: "out" as const, read: null };
  if (outbound === undefined) {
    const nowhere = { method: "—", peer: null, port: null };
    return {
      ...common,
      ...nowhere,
      status: "draining",
      simulated: null,
      paused: false,
      error: null,
    };
  }
  return {
    ...common,
    ...endpointOf(outbound.definition),
    status: outboundStatus(outbound),
    simulated: isSimulated(engine, outbound),
    paused: isDrained(outbound),
    error: outboundError(outbound),
  };
}

/** Peer and port are told for MLLP and files only. */
function endpointOf({ type, settings }: Definition) {
  const method = METHODS[type] ?? type.toUpperCase();
  const { host, port, directory } = settings;
  if (type === "file") {
    return { method, peer: typeof directory === "string" ? directory : null, port: null };
  }
  if (type !== "mllp") return { method, peer: null, port: null };
  return {
    method,
    peer: typeof host === "string" ? host : null,
    port: typeof port === "number" ? port : null,
  };
}

function sinceSeconds(now: number, then: number | undefined): number | null {
  return then === undefined ? null : Math.max(0, (now - then) / 1e3);
}

/** How long the queue lasts at the pace of the last minute; null when nothing left it. */
function backlogSeconds(depth: number, doneLastMinute: number): number | null {
  if (depth === 0) return 0;
  return doneLastMinute === 0 ? null : depth * 60 / doneLastMinute;
}

/** When the oldest queued row of each edge was made, epoch microseconds. */
export async function oldestOf(
  engine: Engine,
  edges: readonly Edge[],
): Promise<ReadonlyMap<Edge, number>> {
  const oldest = new Map<Edge, number>();
  const unknown = new Map<string, Edge[]>();
  for (const edge of edges) {
    if (edge.depth === 0) continue;
    const known = engine.pipeline.outbounds.get(edge.outbound)?.oldestOf(edge.inbound);
    if (known !== undefined) oldest.set(edge, known);
    else unknown.set(edge.outbound, [...unknown.get(edge.outbound) ?? [], edge]);
  }
  await Promise.all([...unknown].map(async ([destination, ofLane]) => {
    const found = await engine.store.oldestOpen(destination);
    for (const edge of ofLane) {
      const at = found.get(edge.inbound);
      if (at !== undefined) oldest.set(edge, at);
    }
  }));
  return oldest;
}
