/// <reference lib="deno.worker" />
/** The writer's thread with a cipher that cannot seal one text. */
import { serveWriter } from "../../../src/store/sqlite/writer_thread.ts";
import { refusingCipher } from "../ciphers.ts";

serveWriter(refusingCipher);
