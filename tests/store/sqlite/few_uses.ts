/** Uses of a key that are entered a few at a time, and the writer's thread that does it. */
import type { UseBudget } from "../../../src/store/counted_cells.ts";

export const fewUses: UseBudget = { block: 20, margin: 8 };

export const countingWriter = new URL("./counting_writer_worker.ts", import.meta.url);
