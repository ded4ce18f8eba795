/**
 * The engine's figures for scrapers, Prometheus text format 0.0.4.
 *
 * Counters count since the process began and no reset touches them. Labels hold names of
 * connections, sets, statuses and the version, never anything of a message. Source: spec api §1.6.
 */
import type { ConnectionCounters } from "../connectors/connector.ts";
import type { Engine } from "../engine.ts";
import type { PurgeKind } from "../store/purge.ts";
import { VERSION } from "../version.ts";
import { oldestOf } from "./connection_rows.ts";
import { rowFigures } from "./outbox.ts";

export const METRICS_TYPE = "text/plain; version=0.0.4; charset=utf-8";

type Labels = Readonly<Record<string, string>>;
type Sample = readonly [labels: Labels, value: number];

export async function metricsText(engine: Engine): Promise<string> {
  const { statistics } = engine.pipeline;
  const edges = statistics.edges();
  const [rows, oldest] = await Promise.all([rowFigures(engine), oldestOf(engine, edges)]);
  const now = engine.clock.now();
  const inbounds = [...engine.pipeline.inbounds.keys()];
  const ofInbounds = (value: (inbound: ReturnType<typeof statistics.inbound>) => number) =>
    inbounds.map((name): Sample => [{ connection: name }, value(statistics.inbound(name))]);
  const ofEdges = (value: (edge: typeof edges[number]) => number) =>
    edges.map((edge): Sample => [labelsOf(edge), value(edge)]);
  const ages = ofEdges((edge) => {
    const at = oldest.get(edge);
    return at === undefined ? 0 : Math.max(0, now / 1e3 - at / 1e6);
  });
  return [
    metric("build_info", "gauge", "The running version.", [[{ version: VERSION }, 1]]),
    metric(
      "messages_received_total",
      "counter",
      "Messages taken in.",
      ofInbounds(({ read }) => read),
    ),
    metric(
      "messages_errored_total",
      "counter",
      "Messages refused at intake.",
      ofInbounds(({ errored }) => errored),
    ),
    metric("deliveries_total", "counter", "Messages delivered.", ofEdges(({ written }) => written)),
    metric("deliveries_dead_total", "counter", "Deliveries given up.", ofEdges(({ dead }) => dead)),
    metric("retries_total", "counter", "Sends tried again.", ofEdges(({ retries }) => retries)),
    metric(
      "naks_received_total",
      "counter",
      "Negative answers of partners.",
      ofEdges(({ naksReceived }) => naksReceived),
    ),
    metric(
      "naks_sent_total",
      "counter",
      "Negative acknowledgements given.",
      ofInbounds(({ naksSent }) => naksSent),
    ),
    ...connections(engine),
    metric("queue_depth", "gauge", "Deliveries waiting.", ofEdges(({ depth }) => depth)),
    metric("oldest_pending_age_seconds", "gauge", "Age of the oldest delivery waiting.", ages),
    metric(
      "outbox_status",
      "gauge",
      "Deliveries by status.",
      Object.entries(rows.outboxByStatus).map(([status, count]): Sample => [{ status }, count]),
    ),
    metric(
      "log_records_dropped_total",
      "counter",
      "Log records lost because their reader was slow or away.",
      Object.entries(engine.logDropped()).map(([sink, records]): Sample => [{ sink }, records]),
    ),
    ...retention(engine),
    ...references(engine),
    metric(
      "alert_notices_lost_total",
      "counter",
      "Alerts and mails that a receiver did not get.",
      Object.entries(engine.alerts.lost).map(([transport, lost]): Sample => [{ transport }, lost]),
    ),
    metric("connection_events_lost_total", "counter", "Connection events that were not stored.", [
      [{}, engine.pipeline.events.dropped],
    ]),
    metric("in_pipeline", "gauge", "Rows open at any stage.", [[{}, rows.inPipeline]]),
    latency(engine),
  ].join("");
}

/** What connectors count of themselves; a connection that a reload built anew counts from 0. */
function connections({ pipeline }: Engine): string[] {
  const counted = [
    ...[...pipeline.inbounds.values()].map(({ name, source }) => [name, source.counters] as const),
    ...[...pipeline.outbounds.values()].map((lane) =>
      [lane.name, lane.destination.counters] as const
    ),
  ];
  const of = (key: keyof ConnectionCounters) =>
    counted.map(([connection, counters]): Sample => [{ connection }, counters[key]]);
  return [
    metric("connections_open", "gauge", "Connections of partners.", of("connectionsOpen")),
    metric(
      "connections_refused_total",
      "counter",
      "Connections refused at accept.",
      of("connectionsRefused"),
    ),
    metric("bytes_in_total", "counter", "Bytes taken from partners.", of("bytesIn")),
    metric("bytes_out_total", "counter", "Bytes given to partners.", of("bytesOut")),
  ];
}

function retention({ maintenance }: Engine): string[] {
  if (maintenance === undefined) return [];
  const { purged, failures, isRunning, lastDoneAt } = maintenance;
  const counted = (Object.keys(purged) as PurgeKind[]).map((kind) =>
    metric(
      `retention_${kind}_total`,
      "counter",
      `Purged by retention: ${kind.replace("_", " ")}.`,
      [[{}, purged[kind]]],
    )
  );
  return [
    ...counted,
    metric("retention_failures_total", "counter", "Chores of retention that failed.", [
      [{}, failures],
    ]),
    metric("retention_running", "gauge", "1 while a pass runs.", [[{}, isRunning ? 1 : 0]]),
    metric(
      "retention_last_success_timestamp_seconds",
      "gauge",
      "End of the last pass without a failure.",
      lastDoneAt === undefined ? [] : [[{}, lastDoneAt / 1e3]],
    ),
  ];
}

/** Of each reference set; a leader's failures, since nobody else reads sources. */
function references({ references }: Engine): string[] {
  const sets = references.freshness();
  if (sets.length === 0) return [];
  return [
    metric(
      "reference_failures",
      "gauge",
      "Reads of a reference set's source that failed in a row.",
      sets.map(({ name, failures }): Sample => [{ set: name }, failures]),
    ),
    metric(
      "reference_last_read_timestamp_seconds",
      "gauge",
      "When a reference set's source was last read.",
      sets.flatMap(({ name, readAt }): Sample[] =>
        readAt === undefined ? [] : [[{ set: name }, readAt / 1e3]]
      ),
    ),
  ];
}

function labelsOf({ inbound, outbound }: { inbound: string; outbound: string }): Labels {
  return { connection: inbound, destination: outbound };
}

function metric(name: string, type: string, help: string, samples: readonly Sample[]): string {
  const lines = samples.map(([labels, value]) => line(name, labels, value));
  return head(name, type, help) + lines.join("");
}

function latency({ pipeline: { statistics } }: Engine): string {
  const name = "delivery_latency_seconds";
  let text = head(name, "histogram", "From the row to its delivery.");
  for (const edge of statistics.edges()) {
    const labels = labelsOf(edge);
    let below = 0;
    for (const [index, count] of edge.latency.entries()) {
      below += count;
      const bound = statistics.latencyBuckets[index];
      const le = bound === undefined ? "+Inf" : String(bound);
      text += line(`${name}_bucket`, { ...labels, le }, below);
    }
    text += line(`${name}_sum`, labels, edge.latencySumSeconds);
    text += line(`${name}_count`, labels, below);
  }
  return text;
}

function head(name: string, type: string, help: string): string {
  return `# HELP messagefoundry_${name} ${help}\n# TYPE messagefoundry_${name} ${type}\n`;
}

function line(name: string, labels: Labels, value: number): string {
  const pairs = Object.entries(labels).map(([label, text]) => `${label}="${escaped(text)}"`);
  const shown = pairs.length === 0 ? "" : `{${pairs.join(",")}}`;
  return `messagefoundry_${name}${shown} ${value}\n`;
}

function escaped(text: string): string {
  return text.replaceAll("\\", "\\\\").replaceAll('"', '\\"').replaceAll("\n", "\\n");
}
