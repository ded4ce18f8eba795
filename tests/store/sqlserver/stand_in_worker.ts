/** The writer's thread of a store that stands in for a SQL Server's. */
import { serveWriter } from "../../../src/store/server/writer_thread.ts";
import { standIn } from "./stand_in.ts";

serveWriter(standIn);
