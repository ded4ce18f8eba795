/**
 * Moves messages through a store for a disk that is traced, and uses all that writes its files.
 *
 * Arguments: path, synchronous, failpoints, rounds. Says what `crash_child.ts` says.
 */
import { pause } from "../../connectors/waiting.ts";
import { openStore } from "./bench.ts";
import { Walk } from "./crash_child.ts";

/** Older than this the writer brings into the tables by itself. */
const OLD_MS = 1_100;

const [path, synchronous, failpoints, rounds] = Deno.args;

const options = { synchronous: synchronous as "normal" | "full", failpoints };
for (const isLast of [false, true]) {
  // Closed and opened again in between: the log goes, and there is another.
  await using store = await openStore(path!, options);
  const walk = new Walk(store);
  await walk.pickUp();
  for (let round = 1; round <= Number(rounds); round += 1) {
    await walk.step();
    // A read has everything brought into the tables.
    if (round % 5 === 0) await store.totals();
    if (round % 3 === 0) await store.upkeep.checkpoint({ commitLog: true });
    if (isLast && round === 7) await pause(OLD_MS);
  }
}
