/**
 * Words that the T-SQL of this folder has in common.
 *
 * Tables stand behind `mefor.`, which a connection replaces by the schema it uses; values are `@p1`,
 * `@p2`, … by their position, and a list is the JSON text of an array.
 */

/**
 * Texts compare by their UTF-16 units, whatever the database's collation is. Where a text of a JSON
 * list meets a column it has to be said, for such a text has the database's.
 */
export const BIN = "COLLATE Latin1_General_100_BIN2";

/** Names of connections, handlers and the like; two of them fit the 1,700 bytes of an index key. */
export const NAME = `nvarchar(400) ${BIN}`;
/** Of the program's own: stages, statuses, ids. */
export const WORD = `nvarchar(100) ${BIN}`;
export const TEXT = `nvarchar(max) ${BIN}`;

/** Open rows: the filtered index `queue_lane_open` serves every lane walk, so this stays a literal. */
export const OPEN = "status IN (N'pending', N'inflight')";

/** The numbers of a list. */
export function numbersOf(list: string): string {
  return `(SELECT CAST(j.value AS bigint) FROM OPENJSON(${list}) AS j)`;
}

/** The texts of a list, comparable with a column. */
export function textsOf(list: string): string {
  return `(SELECT j.value ${BIN} FROM OPENJSON(${list}) AS j)`;
}

/**
 * Whether a column has a value to the last character: the server takes texts that differ in spaces
 * at their end for equal.
 */
export function same(column: string, value: string): string {
  return `${column} = ${value} AND DATALENGTH(${column}) = DATALENGTH(${value})`;
}

/** The hash that stands for a text of any length in a key. */
export function hashOf(text: string): string {
  return `CAST(HASHBYTES('SHA2_256', CAST(${text} AS nvarchar(max))) AS binary(32))`;
}

/**
 * Puts the tables of a text into a schema.
 *
 * @param schema As it stands in a statement; undefined: the database user's own.
 */
export function inSchema(text: string, schema: string | undefined): string {
  return text.replaceAll(/\bmefor\./g, schema === undefined ? "" : `${schema}.`);
}

/** A name as a statement takes it. */
export function bracketed(name: string): string {
  return `[${name.replaceAll("]", "]]")}]`;
}
