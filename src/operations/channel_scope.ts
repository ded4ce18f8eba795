/**
 * Who may see which inbounds. Whoever is held to some sees nothing of the others, and no outbound,
 * for those are shared. Source: spec api §3.
 */
import type { Engine } from "../engine.ts";
import type { MessageDetail } from "../store/store.ts";
import { type Connection, findConnection } from "./connection.ts";
import { type Actor, ChannelDenied, messageNotFound } from "./operation.ts";

export function isInScope({ channels }: Actor, channel: string): boolean {
  return channels === undefined || channels.has(channel);
}

/** The channels a list is held to; undefined: all. */
export function scopeOf({ channels }: Actor): readonly string[] | undefined {
  return channels && [...channels];
}

/** @throws {ChannelDenied} for an inbound outside the scope, and every outbound and unknown name. */
export function requireInScope(actor: Actor, name: string): void {
  if (!isInScope(actor, name)) throw new ChannelDenied(name);
}

/**
 * A connection the actor may act on: whoever is held to channels acts on none that is shared.
 * @throws {ChannelDenied}
 * @throws {OperationError} `connection.not_found`.
 */
export function findInScope(engine: Engine, name: string, actor: Actor): Connection {
  requireInScope(actor, name);
  const found = findConnection(engine, name);
  if (found.direction === "outbound") requireUnscoped(actor, name);
  return found;
}

/** For what concerns every channel. @throws {ChannelDenied} */
export function requireUnscoped({ channels }: Actor, name?: string): void {
  if (channels !== undefined) throw new ChannelDenied(name);
}

/**
 * A message the actor may see. One outside of the channels is not found, as one that is not there.
 * @throws {OperationError} `message.not_found`.
 */
export async function findMessage(
  engine: Engine,
  id: string,
  actor: Actor,
): Promise<MessageDetail> {
  const message = await engine.store.message(id);
  if (message === undefined) throw messageNotFound();
  if (isInScope(actor, message.channel)) return message;
  const { code, message: text } = messageNotFound();
  throw new ChannelDenied(message.channel, code, text);
}
