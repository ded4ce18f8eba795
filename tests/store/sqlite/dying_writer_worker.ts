/// <reference lib="deno.worker" />
/** A writer's thread that ends with its first batch, as a defect of ours would end it. */
import type { ToWriter } from "../../../src/store/sqlite/protocol.ts";
import { serveWriter } from "../../../src/store/sqlite/writer_thread.ts";

serveWriter();
const serve = self.onmessage as (event: MessageEvent<ToWriter>) => void;
self.onmessage = (event: MessageEvent<ToWriter>) => {
  if (event.data.type === "batch") throw new Error("The writer ends here");
  serve(event);
};
