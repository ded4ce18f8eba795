/** What the engine says about itself, read through its API like any dashboard does. */
import { CommandFailure } from "../failure.ts";
import type { Disposition } from "./expectation.ts";

/** One connection's counters since the engine started. */
export interface ConnectionFigures {
  readonly name: string;
  readonly direction: "in" | "out";
  /** Inbounds: messages taken in. */
  readonly received: number;
  /** Inbounds: deliveries its messages became. */
  readonly routed: number;
  /** Outbounds. */
  readonly delivered: number;
  readonly queued: number;
  /** Inbounds: messages refused. Outbounds: dead letters. */
  readonly errors: number;
}

/** The part of a row of `GET /connections` that the demo reads. */
interface ConnectionRow {
  readonly role: "source" | "destination";
  readonly channel_id: string;
  readonly destination: string | null;
  readonly read: number | null;
  readonly written: number | null;
  readonly errored: number | null;
  readonly queue_depth: number | null;
}

const REQUEST_MS = 10_000;

export class EngineView {
  readonly #apiUrl: string;

  constructor(apiUrl: string) {
    this.#apiUrl = apiUrl;
  }

  /** Inbounds first, then outbounds, by name. */
  async connections(): Promise<readonly ConnectionFigures[]> {
    return figuresOf(await this.#get<readonly ConnectionRow[]>("/connections"));
  }

  /** Rows of all stages that still wait. */
  async inPipeline(): Promise<number> {
    return (await this.#get<{ in_pipeline: number }>("/stats")).in_pipeline;
  }

  /** How many messages the store holds with each disposition. */
  async dispositions(): Promise<Record<Disposition, number>> {
    const count = async (status: Disposition) =>
      (await this.#get<{ total: number }>(`/messages?status=${status}&limit=1`)).total;
    return {
      processed: await count("processed"),
      filtered: await count("filtered"),
      unrouted: await count("unrouted"),
      error: await count("error"),
    };
  }

  /** All messages in the store. */
  async messages(): Promise<number> {
    return (await this.#get<{ total: number }>("/messages?limit=1")).total;
  }

  async #get<T>(path: string): Promise<T> {
    let response: Response;
    try {
      response = await fetch(this.#apiUrl + path, { signal: AbortSignal.timeout(REQUEST_MS) });
    } catch (cause) {
      throw new CommandFailure(`The engine's API does not answer at ${this.#apiUrl}${path}`, {
        cause,
        hint: "Read the engine's log in the demo's folder",
      });
    }
    if (response.ok) return await response.json() as T;
    await response.body?.cancel();
    throw new CommandFailure(
      `The engine's API answers ${response.status} to ${this.#apiUrl}${path}`,
      {},
    );
  }
}

/** Sums the rows of `GET /connections`: one an inbound, one a pair of inbound and outbound. */
export function figuresOf(rows: readonly ConnectionRow[]): readonly ConnectionFigures[] {
  const figures = new Map<string, Mutable<ConnectionFigures>>();
  const of = (name: string, direction: "in" | "out") => {
    let one = figures.get(name);
    if (one === undefined) {
      one = { name, direction, received: 0, routed: 0, delivered: 0, queued: 0, errors: 0 };
      figures.set(name, one);
    }
    return one;
  };
  for (const row of rows) {
    const [written, queued, errors] = [row.written ?? 0, row.queue_depth ?? 0, row.errored ?? 0];
    if (row.role === "source") {
      const inbound = of(row.channel_id, "in");
      inbound.received = row.read ?? 0;
      inbound.errors = errors;
    } else {
      const outbound = of(row.destination ?? row.channel_id, "out");
      outbound.delivered += written;
      outbound.queued += queued;
      outbound.errors += errors;
      if (row.channel_id !== row.destination) {
        of(row.channel_id, "in").routed += written + queued + errors;
      }
    }
  }
  return [...figures.values()].sort((a, b) =>
    a.direction === b.direction ? compare(a.name, b.name) : compare(a.direction, b.direction)
  );
}

type Mutable<T> = { -readonly [K in keyof T]: T[K] };

function compare(a: string, b: string): number {
  return a < b ? -1 : a > b ? 1 : 0;
}
