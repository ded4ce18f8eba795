/**
 * `/ws/stats`: the figures of a dashboard, pushed once a second to whoever may see them.
 *
 * Whoever asked is looked up again every few seconds, without keeping the session alive: a session
 * that is over, a permission or a channel that is gone ends or narrows what is sent. Source: spec api
 * §1.7.
 */
import { Hono } from "@hono/hono";
import type { Engine } from "../engine.ts";
import { type Actor, isPermitted } from "../operations/mod.ts";
import { actorOf, allow } from "./allow.ts";
import type { ApiSocket } from "./arrival.ts";
import { type ConnectionRow, connectionRows } from "./connection_rows.ts";
import type { ApiContext, ApiEnv } from "./env.ts";
import { gives } from "./exchange.ts";
import { escaped } from "./html.ts";
import { rowFigures } from "./outbox.ts";
import { Refusal } from "./refusal.ts";
import { pathOf } from "./route_table.ts";
import { socketTokenOf } from "./token.ts";

const STATS = "/ws/stats";
const FRAME_MS = 1_000;
const LOOK_AGAIN_MS = 3_000;
/** Sockets at once; each costs a look at all connections a second. */
const SOCKETS_MAX = 64;
/** A client that does not read this much any more is given up. */
const BUFFERED_MAX = 1024 * 1024;
/** RFC 6455 §7.4.1; the last one of IANA's registry: try again later. */
const POLICY = 1008;
const FAULT = 1011;
const CROWDED = 1013;

export function liveStatsRoutes({ engine }: ApiContext): Hono<ApiEnv> {
  const viewers = new Set<Viewer>();
  return new Hono<ApiEnv>()
    .get(
      STATS,
      allow("monitoring:read", { isSocket: true }),
      gives(undefined, { status: 101 }),
      (c) => {
        if (!isUpgrade(c.req.raw)) throw new Refusal(426, "This is for WebSockets");
        if (viewers.size >= SOCKETS_MAX) throw new Refusal(503, "Too many dashboards are open");
        const token = socketTokenOf(c.req.raw, c.var.ownOrigin);
        const { actor } = c.var;
        return c.env.arrival.upgrade((socket) => {
          // Handshakes at the same moment have all seen room.
          if (viewers.size >= SOCKETS_MAX) return socket.close(CROWDED);
          const viewer = new Viewer(engine, { socket, actor, token });
          viewers.add(viewer);
          void viewer.run().finally(() => viewers.delete(viewer));
        });
      },
    );
}

/** Whether a request asks for the WebSocket. */
export function isHandshake(request: Request): boolean {
  return isUpgrade(request) && pathOf(request) === STATS;
}

function isUpgrade({ headers }: Request): boolean {
  return headers.get("upgrade")?.toLowerCase() === "websocket";
}

class Viewer {
  readonly #engine: Engine;
  readonly #socket: ApiSocket;
  readonly #token: string | undefined;
  #actor: Actor;
  /** Never: who has asked may be gone by the first frame. */
  #lookedAt = -Infinity;

  constructor(
    engine: Engine,
    { socket, actor, token }: { socket: ApiSocket; actor: Actor; token: string | undefined },
  ) {
    this.#engine = engine;
    this.#socket = socket;
    this.#actor = actor;
    this.#token = token;
  }

  /** Sends until the socket closes; never rejects. */
  async run(): Promise<void> {
    const closed = new Promise<void>((resolve) => {
      this.#socket.addEventListener("close", () => resolve());
      this.#socket.addEventListener("error", () => resolve());
    });
    try {
      while (this.#isOpen && await this.#mayStillSee()) {
        const frame = await this.#frame();
        if (!this.#isOpen) break;
        if (this.#socket.bufferedAmount > BUFFERED_MAX) return this.#close(POLICY);
        this.#socket.send(frame);
        if (await isOver(closed, FRAME_MS)) break;
      }
    } catch {
      // The store is away, or the engine stops.
      this.#close(FAULT);
    }
  }

  get #isOpen(): boolean {
    return this.#socket.readyState === WebSocket.OPEN;
  }

  async #mayStillSee(): Promise<boolean> {
    const { auth, clock } = this.#engine;
    const now = clock.monotonic();
    if (auth === undefined || now - this.#lookedAt < LOOK_AGAIN_MS) return true;
    this.#lookedAt = now;
    const identity = this.#token === undefined
      ? undefined
      : await auth.identify(this.#token, false);
    if (identity !== undefined && !identity.account.mustChangePassword) {
      this.#actor = actorOf(identity);
      if (isPermitted(this.#actor, "monitoring:read")) return true;
    }
    this.#close(POLICY);
    return false;
  }

  async #frame(): Promise<string> {
    const [{ outboxByStatus }, rows] = await Promise.all([
      rowFigures(this.#engine),
      connectionRows(this.#engine, this.#actor),
    ]);
    return JSON.stringify({ outbox_by_status: outboxByStatus, connections_html: tableOf(rows) });
  }

  #close(code: number): void {
    try {
      this.#socket.close(code);
    } catch {
      // It is closed.
    }
  }
}

/** Waits for the end, at most so long; true when it came. */
async function isOver(closed: Promise<void>, ms: number): Promise<boolean> {
  let timer: ReturnType<typeof setTimeout> | undefined;
  const passed = new Promise<false>((resolve) => timer = setTimeout(() => resolve(false), ms));
  const ended = await Promise.race([closed.then(() => true), passed]);
  clearTimeout(timer);
  return ended;
}

/** The rows as a table, every text escaped: names are whatever an author calls a connection. */
function tableOf(rows: readonly ConnectionRow[]): string {
  const cells = (row: ConnectionRow) => [
    row.name,
    row.status,
    row.method,
    row.queue_depth,
    row.read,
    row.written,
    row.errored,
    row.alerts_active,
    row.error,
  ];
  const lines = rows.map((row) =>
    `<tr data-status="${escaped(row.status)}">${
      cells(row).map((cell) => `<td>${escaped(cell ?? "")}</td>`).join("")
    }</tr>`
  );
  return `<tbody>${lines.join("")}</tbody>`;
}
