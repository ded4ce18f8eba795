/// <reference lib="deno.worker" />
/** The thread that owns the store's one writing connection. */
import { identityCipher } from "../../crypto/cells.ts";
import { serveWriter } from "./writer_thread.ts";

serveWriter(identityCipher);
