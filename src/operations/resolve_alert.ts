/** Ends a live alert. While its cause goes on, the next event of its kind makes another. */
import { changeAlert } from "./alert.ts";
import { operation, stamp } from "./operation.ts";

export const resolveAlert = operation({
  permission: "monitoring:diagnose",
  run(engine, { id }: { readonly id: number }, rowOf, actor) {
    const audit = rowOf("alert_resolve", { alert_id: id });
    const values = [stamp(engine), id];
    return changeAlert(engine, { id, actor, change: { name: "alertResolve", values }, audit });
  },
  audit: ({ id }) => ({ action: "alert_resolve", fields: { alert_id: id }, isCommitted: true }),
});
