/**
 * Reads a text cell as it was stored.
 *
 * The runtime's SQLite binding ends a text at its first NUL character, so a body is selected as
 * `CAST(body AS BLOB)` and decoded here.
 */

const utf8 = new TextDecoder("utf-8", { ignoreBOM: true });

/** Returns the text of a cell, or undefined for NULL. */
export function textOf(cell: string | number | null | Uint8Array | undefined): string | undefined {
  if (cell === null || cell === undefined) return undefined;
  return cell instanceof Uint8Array ? utf8.decode(cell) : String(cell);
}

/** The same for any cell that is read as it may come. */
export function plainCell(cell: unknown): string | number | null {
  return cell instanceof Uint8Array ? utf8.decode(cell) : cell as string | number | null;
}
