/**
 * Reference sets as a register: of each set one whole version, replaced in one commit.
 *
 * Rows are kept in parts, keys and values sealed together: a key may be a patient's number.
 */

export const referenceChanges = [
  /** `name`: takes away every part of a set. */
  "referenceClear",
  /** `name`, `version`, `part`, `entries`: JSON `[[key, value], …]` of some of its rows. */
  "referencePart",
  /** `name`, `version`, `synced_at`, `row_count`, `digest`: which version counts from now on. */
  "referenceFlip",
  /** `synced_at`, `name`, `version`: the source was read and still says the same. */
  "referenceTouch",
] as const;

export const referenceQueries = [
  /** Every set, without its rows. */
  "references",
  /** `name`: the parts of the version that counts, in order. */
  "referenceParts",
] as const;

export type ReferenceChange = (typeof referenceChanges)[number];
export type ReferenceQuery = (typeof referenceQueries)[number];

export const referenceSealedValues: Readonly<
  Partial<Record<ReferenceChange, readonly number[]>>
> = {
  referencePart: [3],
  referenceFlip: [4],
};

export const referenceSealedColumns: Readonly<
  Partial<Record<ReferenceQuery, readonly string[]>>
> = {
  references: ["digest"],
  referenceParts: ["entries"],
};
