/** What every route is given. */
import type { Engine } from "../engine.ts";
import type { Act, Actor } from "../operations/mod.ts";
import type { Arrival } from "./arrival.ts";

export interface ApiContext {
  readonly engine: Engine;
}

export interface ApiEnv {
  Bindings: {
    /** What is known of the request beside its text; the way to a WebSocket. */
    arrival: Arrival;
  };
  Variables: {
    /** Who asks. */
    actor: Actor;
  };
}

/** The act of a request, for `operation.perform()`. */
export function actOf(
  engine: Engine,
  c: { readonly var: ApiEnv["Variables"] },
): Act {
  return { engine, actor: c.var.actor };
}

/** Seconds since the epoch, as every answer shows times. */
export function secondsOf(micros: number): number {
  return micros / 1e6;
}
