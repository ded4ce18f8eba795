/** Says that somebody looks after a live alert; whoever says so first stays named. */
import { changeAlert } from "./alert.ts";
import { operation, stamp } from "./operation.ts";

export const acknowledgeAlert = operation({
  permission: "monitoring:diagnose",
  run(engine, { id }: { readonly id: number }, rowOf, actor) {
    const audit = rowOf("alert_ack", { alert_id: id });
    const values = [audit.actor, stamp(engine), id];
    return changeAlert(engine, {
      id,
      actor,
      change: { name: "alertAcknowledge", values },
      audit,
    });
  },
  audit: ({ id }) => ({ action: "alert_ack", fields: { alert_id: id }, isCommitted: true }),
});
