/** What a rule between settings finds wrong. */
import type { Settings } from "./catalogue.ts";

export interface Finding {
  readonly section: string;
  readonly key: string;
  readonly message: string;
  /** The place inside an array of tables. */
  readonly path?: readonly (string | number)[];
}

export type Check = (settings: Settings) => readonly Finding[];

export function finding(section: string, key: string, message: string): Finding {
  return { section, key, message };
}
