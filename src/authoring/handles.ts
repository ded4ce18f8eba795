/**
 * What a declaration returns: a small, frozen handle that sends, routes and wiring take.
 *
 * Handles are nominal: their private field keeps an outbound from passing for a router, and a
 * handler of one payload type from passing for one of another.
 */
import type { Message } from "../hl7/surface.ts";
import type { HandlerFunction, Payload, RouterFunction } from "./results.ts";

/**
 * How a source comes by its messages: partners connect to it, it reads again and again, or the
 * engine itself gives it some.
 */
export type SourceKind = "listen" | "poll" | "inert";

/** A declared inbound connection; `K` says how its source comes by its messages. */
export class InboundRef<K extends SourceKind = SourceKind> {
  readonly kind = "inbound";
  readonly #name: string;
  // Never read: it carries the type parameter, so only a loopback can be sent to.
  readonly #source: K | undefined;

  constructor(name: string) {
    this.#name = name;
    Object.freeze(this);
  }

  get name(): string {
    return this.#name;
  }

  static is(value: unknown): value is InboundRef {
    return typeof value === "object" && value !== null && #name in value;
  }
}

/** A declared outbound connection. */
export class OutboundRef {
  readonly kind = "outbound";
  readonly #name: string;

  constructor(name: string) {
    this.#name = name;
    Object.freeze(this);
  }

  get name(): string {
    return this.#name;
  }

  static is(value: unknown): value is OutboundRef {
    return typeof value === "object" && value !== null && #name in value;
  }
}

/** A declared router; `M` is what it reads. */
export class RouterRef<M extends Payload = Message> {
  readonly kind = "router";
  readonly #name: string;
  readonly #route: RouterFunction<M>;

  constructor(name: string, route: RouterFunction<M>) {
    this.#name = name;
    this.#route = route;
    Object.freeze(this);
  }

  get name(): string {
    return this.#name;
  }

  static is(value: unknown): value is RouterRef<Payload> {
    return typeof value === "object" && value !== null && #route in value;
  }
}

/** A declared handler; `M` is what it reads. */
export class HandlerRef<M extends Payload = Message> {
  readonly kind = "handler";
  readonly #name: string;
  readonly #handle: HandlerFunction<M>;

  constructor(name: string, handle: HandlerFunction<M>) {
    this.#name = name;
    this.#handle = handle;
    Object.freeze(this);
  }

  get name(): string {
    return this.#name;
  }

  static is(value: unknown): value is HandlerRef<Payload> {
    return typeof value === "object" && value !== null && #handle in value;
  }
}
