/** The thread of a PostgreSQL store's writer. */
import { serveWriter } from "./writer_thread.ts";

serveWriter();
