/**
 * Strict validation of HL7 v2 messages and the schema of v2.5.1, from tables that ship with us.
 * Upstream are a worker that validates for strict inbounds, `generate` and `hl7schema`; it asks nothing of anyone.
 * Acknowledgements, dispositions and rules of one site or partner do not belong here; import it lazily, for its
 * tables take up about a megabyte.
 */

export { supportedVersions } from "./definitions.ts";
export { type Hl7Schema, hl7Schema, type SchemaElement, type SchemaField } from "./schema.ts";
export { type StrictOptions, type StrictResult, validateStrict } from "./strict.ts";
