/**
 * What routers and handlers take and give back.
 *
 * Absence is `undefined`, a decision is `null`: a forgotten `return` neither compiles nor runs.
 * Source: spec connectors-and-graph §5.1, §5.4.
 */
import type { Message, RawMessage } from "../hl7/surface.ts";
import type { Send, SetState } from "./effects.ts";
import type { HandlerRef } from "./handles.ts";

/** A message as the author sees it: HL7 v2 or anything else. */
export type Payload = Message | RawMessage;

export type Json = string | number | boolean | null | readonly Json[] | JsonObject;

/** An entry that is `undefined` is left out of the JSON text. */
export interface JsonObject {
  readonly [key: string]: Json | undefined;
}

/** What can be sent. Bytes travel base64-carried, objects and arrays as JSON. */
export type Body = Payload | string | Uint8Array | JsonObject | readonly Json[];

export type Maybe<T> = T | false | null | undefined;
export type Effect = Send | SetState;

/** Falsy entries vanish, so `[send(a, msg), fresh && setState(…)]` is a whole conditional. */
export type HandlerResult = Effect | readonly Maybe<Effect>[] | null;

export type RouterResult<M extends Payload> =
  | HandlerRef<M>
  | string
  | readonly Maybe<HandlerRef<M> | string>[]
  | null;

export type HandlerFunction<M extends Payload> = (
  message: M,
) => HandlerResult | Promise<HandlerResult>;

export type RouterFunction<M extends Payload> = (message: M) => RouterResult<M>;
