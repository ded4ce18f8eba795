/** The segments of one version for people and editors: names and types of fields and components. */

import names from "./data/names_2_5_1.json" with { type: "json" };
import stored from "./data/v2_5_1.json" with { type: "json" };

export interface SchemaElement {
  /** Position, from 1. */
  readonly index: number;
  readonly name: string;
  readonly datatype: string;
}

export interface SchemaField extends SchemaElement {
  /** Empty for a primitive type. */
  readonly components: readonly SchemaElement[];
}

/** What `messagefoundry hl7schema` prints. */
export interface Hl7Schema {
  readonly version: string;
  readonly segments: Readonly<Record<string, { readonly fields: readonly SchemaField[] }>>;
}

/** Returns the schema of HL7 v2.5.1, segments in alphabetical order. */
export function hl7Schema(): Hl7Schema {
  const types: Readonly<Record<string, string>> = stored.types;
  const typeNames: Readonly<Record<string, string>> = names.types;
  const segmentNames: Readonly<Record<string, string>> = names.segments;
  const components = new Map(
    Object.entries(types).map(([type, list]) => [type, elements(list, typeNames[type] ?? "")]),
  );
  const segments = Object.entries(stored.segments).map(([id, list]) => {
    const fields = elements(list, segmentNames[id] ?? "")
      .map((field) => ({ ...field, components: components.get(field.datatype) ?? [] }));
    return [id, { fields }] as const;
  });
  return { version: "2.5.1", segments: Object.fromEntries(segments) };
}

function elements(list: string, nameList: string): SchemaElement[] {
  if (list === "") return [];
  const labels = nameList.split("|");
  return list.split(" ").map((text, position) => ({
    index: position + 1,
    name: labels[position] ?? "",
    datatype: /^\w+/.exec(text)?.[0] ?? "",
  }));
}
