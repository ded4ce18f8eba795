/** The transport types a graph may name, each with its table of settings. */
import { fileSchema } from "../authoring/connectors/file.ts";
import { loopbackSchema } from "../authoring/connectors/loopback.ts";
import { mllpSchema } from "../authoring/connectors/mllp.ts";
import type { TransportSchema } from "../authoring/connectors/schema.ts";

export const transports: ReadonlyMap<string, TransportSchema> = new Map(
  [mllpSchema, fileSchema, loopbackSchema].map((schema: TransportSchema) => [schema.type, schema]),
);
