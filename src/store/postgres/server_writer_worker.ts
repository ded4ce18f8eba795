/** The thread of a PostgreSQL store's writer. */
import { serveWriter } from "../server/writer_thread.ts";
import { postgres } from "./dialect.ts";

serveWriter(postgres);
