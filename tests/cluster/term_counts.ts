/** What many terms of one engine add up to; `terms_test.ts` asks for some, `terms_proof.ts` for more. */
import { pause } from "../connectors/waiting.ts";
import type { EngineTerms, Held } from "./engine_terms.ts";

/** The first terms load what stays: code, statements, threads of the runtime's own. */
const WARM_UP = 6;
/** What garbage adds up to between two collections, and what the runtime keeps of threads that ended. */
const GARBAGE_MB = 60;
const MEMORY_MB_EACH = 0.15;
const LOOKS = 20;
const LOOK_MS = 150;

export interface TermCounts {
  readonly before: Held;
  readonly after: Held;
  readonly terms: number;
}

/** Runs so many terms, each with a message, and counts before and after them. */
export async function runTerms(terms: EngineTerms, count: number): Promise<TermCounts> {
  for (let term = 0; term < WARM_UP; term += 1) await turn(terms);
  const before = await terms.held();
  for (let term = 0; term < count; term += 1) await turn(terms);
  let after = await terms.held();
  // What ends by itself a moment later is no leak.
  for (let look = 0; look < LOOKS && !isAtRest(before, after); look += 1) {
    await pause(LOOK_MS);
    after = await terms.held();
  }
  return { before, after, terms: count };
}

async function turn(terms: EngineTerms): Promise<void> {
  await terms.follow();
  await terms.exchange();
}

function isAtRest(before: Held, after: Held): boolean {
  return after.files <= before.files && after.threads <= before.threads &&
    after.timers <= before.timers && after.sessions <= before.sessions;
}

/** What there is more of after the terms than before; one of each is chance, for terms overlap. */
export function leaksOf({ before, after, terms }: TermCounts): readonly string[] {
  const leaks: string[] = [];
  for (const kind of ["files", "threads", "timers", "sessions"] as const) {
    const more = after[kind] - before[kind];
    if (more > 1) leaks.push(`${more} ${kind} more after ${terms} terms`);
  }
  const memoryMb = after.memoryMb - before.memoryMb;
  if (memoryMb > GARBAGE_MB + terms * MEMORY_MB_EACH) {
    leaks.push(`${memoryMb} MB more after ${terms} terms`);
  }
  return leaks;
}
