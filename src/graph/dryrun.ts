/**
 * Runs messages through a graph without sending, storing or connecting anything.
 *
 * Each message starts with empty transform state; a handler sees what earlier handlers of the same
 * message wrote. Rows have the shape of spec api §5.2 and hide content unless told otherwise.
 * Source: spec connectors-and-graph §6.1.
 */
import { countSegments, type Header, normaliseText, peekHeader, summaryOf } from "../hl7/mod.ts";
import { safeText } from "../logging/mod.ts";
import type { RunRequest, RunResult } from "../sandbox/protocol.ts";
import type { Declared } from "./declared.ts";
import { diffPayloads, type FieldDifference } from "./diff.ts";
import { type Fixture, type FixtureMessage, messagesOf } from "./fixtures.ts";
import type { ContentType } from "./graph.ts";

/** What a dry run needs of an inbound; connection settings are not resolved. */
export interface DryRunInbound {
  readonly name: string;
  readonly router: string;
  readonly contentType: ContentType;
  readonly strict: boolean;
  readonly hl7Version: string | undefined;
  readonly encoding: string;
}

/** Runs one message with empty state; `sandbox/` in an envelope of the caller, or a stand-in. */
export interface DryRunSandbox {
  run(request: RunRequest): Promise<RunResult>;
}

export interface DryRunOptions {
  readonly sandbox: DryRunSandbox;
  /** Epoch seconds given to every message. */
  readonly ingestTime: number;
  /** Show payloads, state and messages as they are. */
  readonly showPhi: boolean;
  /** Add what each delivery changed; needs `showPhi`. */
  readonly diff: boolean;
}

export type DryRunDisposition = "received" | "unrouted" | "filtered" | "error";

export interface DryRunDelivery {
  readonly to: string;
  readonly payload: string;
  /** null for a payload that is not HL7. */
  readonly diff?: readonly FieldDifference[] | null;
}

export interface DryRunRow {
  readonly source: string;
  readonly path: string;
  readonly inbound: string;
  readonly disposition: DryRunDisposition;
  readonly message_type: string | null;
  readonly control_id: string | null;
  readonly summary: string | null;
  readonly handlers: readonly string[];
  readonly deliveries: readonly DryRunDelivery[];
  readonly state_ops: readonly {
    readonly namespace: string;
    readonly key: string;
    readonly value: string;
  }[];
  readonly error: string | null;
  readonly raw: string;
}

/** Returns the inbounds of a declared graph in the form a dry run takes. */
export function dryRunInbounds({ inbounds }: Declared): readonly DryRunInbound[] {
  return inbounds.map(({ name, settings, options }) => ({
    name,
    router: String(options.router),
    contentType: (options.content_type ?? "hl7v2") as ContentType,
    strict: options.strict === true,
    hl7Version: options.hl7_version as string | undefined,
    encoding: typeof settings.encoding === "string" ? settings.encoding : "utf-8",
  }));
}

/** Runs every message of every file against one inbound, in order. */
export async function dryRun(
  fixtures: readonly Fixture[],
  inbound: DryRunInbound,
  options: DryRunOptions,
): Promise<readonly DryRunRow[]> {
  const rows: DryRunRow[] = [];
  for (const fixture of fixtures) {
    for (const message of readMessages(fixture, inbound)) {
      const outcome = "fault" in message
        ? { handlers: [], outcomes: [], error: message.fault }
        : await runOne(message, inbound, options);
      rows.push(rowOf({ fixture, inbound, message, outcome }, options));
    }
  }
  return rows;
}

type ReadMessage = FixtureMessage | (FixtureMessage & { readonly fault: string });

function readMessages(fixture: Fixture, inbound: DryRunInbound): readonly ReadMessage[] {
  try {
    return messagesOf(fixture, inbound);
  } catch {
    const source = fixture.path.replace(/^.*[/\\]/, "");
    return [{ source, text: "", fault: "decode error" }];
  }
}

/** Intake's own limit; see spec connectors-and-graph §1.2. */
const SEGMENTS_MAX = 10_000;

async function runOne(
  { text }: FixtureMessage,
  inbound: DryRunInbound,
  { sandbox, ingestTime }: DryRunOptions,
): Promise<RunResult> {
  const { contentType } = inbound;
  const refused = contentType === "hl7v2" ? await refusal(text, inbound) : undefined;
  if (refused !== undefined) return { handlers: [], outcomes: [], error: refused };
  const input = contentType === "hl7v2" ? normaliseText(text) : text;
  return await sandbox.run({
    inbound: inbound.name,
    router: inbound.router,
    text: input,
    contentType,
    ingestTime,
  });
}

/** Why intake would refuse a message: it cannot be read, or strict validation fails. */
async function refusal(text: string, inbound: DryRunInbound): Promise<string | undefined> {
  const peek = peekHeader(text);
  if (!peek.ok) return peek.failure;
  if (countSegments(normaliseText(text), SEGMENTS_MAX) > SEGMENTS_MAX) return "too many segments";
  if (!inbound.strict) return undefined;
  const { validateStrict } = await import("../hl7/validation/mod.ts");
  const verdict = validateStrict(text, { hl7Version: inbound.hl7Version });
  return verdict.ok ? undefined : verdict.error;
}

function rowOf(
  { fixture, inbound, message, outcome }: {
    fixture: Fixture;
    inbound: DryRunInbound;
    message: FixtureMessage;
    outcome: RunResult;
  },
  { showPhi, diff }: DryRunOptions,
): DryRunRow {
  const { text, source } = message;
  const hide = (content: string) => showPhi ? content : placeholder(content);
  const header = inbound.contentType === "hl7v2" ? headerOf(text) : undefined;
  const failed = outcome.error ?? outcome.outcomes.find(({ error }) => error !== undefined)?.error;
  const sends = outcome.outcomes.flatMap((one) => one.sends);
  const state = outcome.outcomes.flatMap((one) => one.state);
  return {
    source,
    path: fixture.path,
    inbound: inbound.name,
    disposition: dispositionOf(outcome, failed),
    message_type: header?.messageType ?? null,
    control_id: header?.controlId ?? null,
    summary: showPhi && header !== undefined ? summaryOf(text) : null,
    handlers: outcome.handlers,
    deliveries: sends.map(({ to, payload = text }) => ({
      to,
      payload: hide(payload),
      ...(diff && showPhi ? { diff: diffPayloads(text, payload) ?? null } : {}),
    })),
    state_ops: state.map(({ namespace, key, value }) => ({
      namespace,
      key: hide(key),
      value: hide(value),
    })),
    error: failed === undefined ? null : safeText(failed),
    raw: hide(text),
  };
}

/** Length only; the words are those of the published shape, so that editors recognise them. */
function placeholder(content: string): string {
  return `<redacted ${content.length} chars; pass --show-phi>`;
}

function dispositionOf(outcome: RunResult, failed: string | undefined): DryRunDisposition {
  if (failed !== undefined) return "error";
  if (outcome.handlers.length === 0) return "unrouted";
  return outcome.outcomes.some(({ sends }) => sends.length > 0) ? "received" : "filtered";
}

function headerOf(text: string): Header | undefined {
  const peek = peekHeader(text);
  return peek.ok ? peek.header : undefined;
}
