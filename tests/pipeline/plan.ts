/** What author code makes of a message: a pure function of its text, so a model can tell the end. */
import type { HandlerOutcome, RunResult } from "../../src/sandbox/protocol.ts";
import type { Author } from "./fake_runner.ts";
import { spread } from "./random.ts";

export const HANDLERS = ["h0", "h1", "h2"] as const;
/** Counts what handlers of an inbound did; a lost or doubled write shows in it. */
export const COUNTER = "counter";

export interface PlannedHandler {
  readonly handler: string;
  readonly fails: boolean;
  readonly counts: boolean;
  readonly sends: readonly string[];
  /** A loopback it sends to, or none; what comes out of one goes to none. */
  readonly loops: readonly string[];
}

export interface Plan {
  readonly routerFails: boolean;
  readonly handlers: readonly PlannedHandler[];
}

/** The text of one message; `id` says everything about it. */
export function textOf(id: string, bytes: number): string {
  const head = JSON.stringify({ id });
  return head.slice(0, -1) + `,"pad":"${"x".repeat(Math.max(0, bytes - head.length - 9))}"}`;
}

export function idOf(text: string): string {
  return (JSON.parse(text) as { id: string }).id;
}

/** Names one delivery of one message. */
export function deliveryKey(id: string, handler: string, index: number): string {
  return `${id}|${handler}|${index}`;
}

/** The delivery an outbound payload belongs to. */
export function keyOf(payload: string): string {
  return payload.startsWith("{") ? deliveryKey(idOf(payload), "h0", 0) : payload;
}

/** The message that a handler sends to a loopback. */
export function childOf(id: string, handler: string): string {
  return `${id}~${handler}`;
}

/** The message that a partner's answer is; undefined when it answers nothing that is taken in. */
export function replyTo(payload: string): string | undefined {
  return payload.includes("~") ? undefined : `re:${keyOf(payload)}~`;
}

export function planOf(id: string, outbounds: number, loopbacks = 0): Plan {
  const dice = (what: string) => spread(`${id} ${what}`);
  const count = Math.floor(dice("handlers") * 10);
  // Most messages go to one handler, some to more, some to none.
  const names = HANDLERS.slice(0, count < 1 ? 0 : count < 7 ? 1 : count - 6);
  return {
    routerFails: dice("router") < 0.04,
    handlers: names.map((handler) => ({
      handler,
      fails: dice(`${handler} fails`) < 0.06,
      counts: dice(`${handler} counts`) < 0.4,
      sends: Array.from(
        { length: Math.floor(dice(`${handler} sends`) * 3.4) },
        (_, index) => `OB_${Math.floor(dice(`${handler} to ${index}`) * outbounds)}`,
      ),
      loops: loopbacks === 0 || id.includes("~") || dice(`${handler} loops`) < 0.5
        ? []
        : [`LP_${Math.floor(dice(`${handler} loop`) * loopbacks)}`],
    })),
  };
}

export interface AuthorOptions {
  readonly outbounds: number;
  readonly loopbacks: number;
  /** False: an author has mended whatever failed. */
  readonly mayFail: () => boolean;
  /** Handlers take longer than the pipeline waits for in one transaction. */
  readonly isSlow: () => boolean;
}

export function authorOf({ outbounds, loopbacks, mayFail, isSlow }: AuthorOptions): Author {
  return ({ text, inbound, handlers, routeOnly }, read): RunResult => {
    const id = idOf(text);
    const plan = planOf(id, outbounds, loopbacks);
    const tookMs = isSlow() ? 90 : 0.2;
    if (handlers === undefined && plan.routerFails && mayFail()) {
      return { handlers: [], outcomes: [], error: "Error: no route", tookMs };
    }
    const names = handlers ?? plan.handlers.map(({ handler }) => handler);
    if (routeOnly) return { handlers: names, outcomes: [], tookMs };
    let count = Number(read(COUNTER, inbound) ?? "0");
    const outcomes = names.map((name): HandlerOutcome => {
      const planned = plan.handlers.find((h) => h.handler === name)!;
      const { handler, fails, counts, sends, loops } = planned;
      if (fails && mayFail()) return { handler, sends: [], state: [], error: "Error: no luck" };
      if (counts) count += 1;
      return {
        handler,
        sends: [
          ...sends.map((to, index) => ({
            to,
            payload: handler === "h0" && index === 0 ? undefined : deliveryKey(id, handler, index),
          })),
          ...loops.map((to) => ({ to, payload: textOf(childOf(id, handler), 0) })),
        ],
        state: counts ? [{ namespace: COUNTER, key: inbound, value: String(count) }] : [],
      };
    });
    return { handlers: names, outcomes, tookMs };
  };
}
