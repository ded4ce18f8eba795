/** What every route is given. */
import type { Auth, Identity } from "../auth/mod.ts";
import type { Engine } from "../engine.ts";
import type { Act, Actor } from "../operations/mod.ts";
import type { Arrival } from "./arrival.ts";

export interface ApiContext {
  readonly engine: Engine;
}

/** A body that was received whole, before anybody was asked who they are. */
export interface Body {
  readonly isEmpty: boolean;
  /** Whether it says of itself that it is JSON, and is. */
  readonly isJson: boolean;
  readonly value: unknown;
}

export interface ApiEnv {
  Bindings: {
    readonly client: string;
    /** The way to a WebSocket. */
    readonly arrival: Arrival;
  };
  Variables: {
    /** Who asks; nobody until the route has let them in. */
    actor: Actor;
    /** Of whoever has a session. */
    identity: Identity | undefined;
    /** Undefined while nobody signs in. */
    auth: Auth | undefined;
    /** Address of whoever asks. */
    client: string;
    /** `[api] public_origin`: how browsers reach this API. */
    ownOrigin: string | undefined;
    /** The body as it came. */
    body: Body | undefined;
  };
}

/** The act of a request, for `operation.perform()`. */
export function actOf(
  engine: Engine,
  c: { readonly var: ApiEnv["Variables"] },
): Act {
  return { engine, actor: c.var.actor };
}

/** Whoever asks, where the route has seen to it that there is a session. */
export function identityOf(c: { readonly var: ApiEnv["Variables"] }): Identity {
  const { identity } = c.var;
  if (identity === undefined) throw new Error("A route for sessions was reached without one");
  return identity;
}

/** Seconds since the epoch, as every answer shows times. */
export function secondsOf(micros: number): number {
  return micros / 1e6;
}
