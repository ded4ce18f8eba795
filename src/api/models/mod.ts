/** Every answer of the API by its name. */
export * from "./accounts.ts";
export * from "./connections.ts";
export * from "./messages.ts";
export { modelRegistry, simpleMessage } from "./model.ts";
export * from "./monitoring.ts";
