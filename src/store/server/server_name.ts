/** Where a store on a server is, for people. */
import type { ServerOptions } from "./dialect.ts";

/** `db.internal:5432/messagefoundry`, and the schema if it has one. */
export function nameOf({ host, port, database, schema }: ServerOptions): string {
  const place = `${host.includes(":") ? `[${host}]` : host}:${port}/${database}`;
  return schema === undefined ? place : `${place}/${schema}`;
}
