/// <reference lib="deno.worker" />
/** The writer's thread with the toy cipher of these tests. */
import { serveWriter } from "../../../src/store/sqlite/writer_thread.ts";
import { toyCipher } from "../toy_cipher.ts";

serveWriter(toyCipher);
