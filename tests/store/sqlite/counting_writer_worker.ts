/// <reference lib="deno.worker" />
/** The writer's thread that enters uses of its key a few at a time, so that tests see it do so. */
import { cellCipherOf } from "../../../src/crypto/sealed_cells.ts";
import { serveWriter } from "../../../src/store/sqlite/writer_thread.ts";
import { fewUses } from "./few_uses.ts";

serveWriter(cellCipherOf, fewUses);
