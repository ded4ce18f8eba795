/** Has the store's file checked from end to end, beside its work. */
import { operation } from "./operation.ts";

export const checkIntegrity = operation({
  permission: "monitoring:diagnose",
  run: (engine) => engine.store.checkIntegrity(),
  audit: (_input, { ok }) => ({ action: "integrity_check", fields: { ok } }),
});
