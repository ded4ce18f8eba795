/// <reference lib="deno.worker" />
/** The thread that owns the store's one writing connection. */
import { serveWriter } from "./writer_thread.ts";

serveWriter();
