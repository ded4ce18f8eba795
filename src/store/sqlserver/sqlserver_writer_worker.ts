/** The thread of a SQL Server store's writer. */
import { serveWriter } from "../server/writer_thread.ts";
import { sqlserver } from "./dialect.ts";

serveWriter(sqlserver);
