/** Writes conformant HL7 v2.5.1 messages of one type: what the command line's `generate` calls. */

import { parts } from "./parts.ts";
import { hashSeed, Random, type Seed } from "./random.ts";
import { recipes, structures } from "./recipes.ts";
import { type Scene, setScene } from "./scene.ts";
import { message, msh } from "./segments.ts";

export interface GenerateOptions {
  /** Message type, MSH-9.1: one of `listTypes()`. */
  readonly type: string;
  /** Trigger events to take in turn; all of the type when left out. */
  readonly triggers?: readonly string[];
  /** How many messages in all. */
  readonly count: number;
  readonly seed: Seed;
}

export interface GeneratedMessage {
  readonly trigger: string;
  readonly text: string;
}

/** Names the trigger events of every message type that can be generated, in alphabetical order. */
export function listTypes(): Record<string, string[]> {
  return Object.fromEntries(
    Object.entries(structures).map(([type, events]) => {
      return [type, Object.values(events).flatMap((list) => list.split(" ")).sort()];
    }),
  );
}

/**
 * Yields `count` messages, the trigger events taking turns; the same options yield the same bytes.
 *
 * @throws {RangeError} on an unknown type or trigger event and on a count below 0.
 */
export function generateMessages(options: GenerateOptions): Generator<GeneratedMessage, void> {
  const { type, count } = options;
  const types = listTypes();
  const known = Object.hasOwn(types, type) ? types[type] : undefined;
  if (known === undefined) throw new RangeError(`Cannot generate messages of type "${type}"`);
  const { triggers = known } = options;
  const unknown = triggers.find((trigger) => !known.includes(trigger));
  if (unknown !== undefined) throw new RangeError(`Cannot generate "${type}^${unknown}"`);
  if (!Number.isInteger(count) || count < 0 || triggers.length === 0) {
    throw new RangeError("Cannot generate: name a count of 0 or more and at least one trigger");
  }
  return generate({ ...options, triggers });
}

function* generate(
  { type, triggers, count, seed }: GenerateOptions & { triggers: readonly string[] },
): Generator<GeneratedMessage, void> {
  const prefix = hashSeed(`${seed}/${type}`).toString(36).toUpperCase().padStart(7, "0");
  for (let index = 0; index < count; index++) {
    const trigger = triggers[index % triggers.length] as string;
    const controlId = `${prefix}-${String(index + 1).padStart(9, "0")}`;
    const scene = setScene({ seed: `${seed}/${type}`, index, trigger, controlId });
    yield { trigger, text: write(type, scene) };
  }
}

function write(type: string, scene: Scene): string {
  const { trigger, controlId, sentMs } = scene;
  const structure = structureOf(type, trigger);
  const choices = new Random(`${controlId}/${structure}`);
  const segments = [msh({ code: type, trigger, structure, controlId, sentMs })];
  for (const token of (recipes[structure] as string).split(" ")) {
    const [, name, second, optional] = /^(\w+)(@2)?(\?)?$/.exec(token) as unknown as string[];
    if (optional === "?" && !choices.chance(65)) continue;
    const part = parts[name as string];
    if (part === undefined) throw new TypeError(`Recipe ${structure} names no part "${name}"`);
    segments.push(...[part(second === undefined ? scene : { ...scene, ...scene.other })].flat());
  }
  return message(segments);
}

function structureOf(type: string, trigger: string): string {
  for (const [structure, triggers] of Object.entries(structures[type] ?? {})) {
    if (triggers.split(" ").includes(trigger)) return structure;
  }
  throw new RangeError(`Cannot generate "${type}^${trigger}"`);
}
