/** How the answers of the API are declared: by name, with every key there, null where nothing is. */
import { z } from "zod";

/** Every named answer; the OpenAPI document lists them. */
export const modelRegistry = z.registry<{ readonly id: string }>();

/** An answer that has these keys and no other. */
export function model<S extends z.ZodRawShape>(id: string, shape: S) {
  const made = z.strictObject(shape);
  modelRegistry.add(made, { id });
  return made;
}

export const text = z.string();
export const flag = z.boolean();
/** Seconds, or seconds since the epoch. */
export const seconds = z.number();
export const count = z.number().int().min(0);
/** Rows by their status; a status without rows is left out. */
export const counts = z.record(z.string(), count);
/** The answer of an act that has nothing to tell. */
export const simpleMessage = model("SimpleMessage", { detail: text });
