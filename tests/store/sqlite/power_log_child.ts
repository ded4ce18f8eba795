/**
 * Appends frames to a commit log of small halves for a disk that is traced, and syncs none itself.
 *
 * Arguments: path, frames. Says from which frame on the tables lack them, whenever that changes.
 */
import { Buffer } from "node:buffer";
import { CommitLog, frameHeaderBytes } from "../../../src/store/sqlite/commit_log.ts";
import { Random } from "../../../src/synthetic/random.ts";

export const tag = 7;
export const halfBytes = 4_096;

/** What frame `id` says. */
export function payloadOf(id: number): string {
  return `${id}${"x".repeat(new Random(id).int(0, 1_500))}`;
}

function main([path, frames]: readonly string[]): void {
  const log = new CommitLog({ path: path!, tag, nextId: 1, halfBytes });
  let storedTo = 1;
  say(storedTo);
  while (log.nextId <= Number(frames)) {
    const payload = payloadOf(log.nextId);
    if (log.wouldTurn(payload.length)) {
      if (log.lastIdOfOther >= storedTo) say(storedTo = log.nextId);
      log.turn();
    }
    const buffer = Buffer.alloc(frameHeaderBytes + payload.length);
    buffer.write(payload, frameHeaderBytes);
    log.append(buffer, buffer.length);
  }
  log.close();
}

function say(storedTo: number): void {
  Deno.stdout.writeSync(new TextEncoder().encode(`${storedTo}\n`));
}

if (import.meta.main) main(Deno.args);
