/**
 * Orders of the wards, on their way to the laboratory.
 *
 * Only order controls that the laboratory acts on go out; each gets the priority the laboratory
 * gives it, unless the ward has asked for one itself.
 */
import { codeSet, env, handler, inbound, mllp, outbound, router, send } from "messagefoundry";
import { nameFacility } from "./_facilities.ts";

interface OrderControl {
  readonly action: string;
  readonly priority: string;
}

const laboratory = outbound(
  "OB_LAB_ORM",
  mllp({ host: env("lab_host"), port: env("lab_port") }),
  {
    metadata: { partner: "laboratory" },
    retry: { backoffSeconds: 2, maxBackoffSeconds: 60 },
  },
);

const controls = codeSet<OrderControl>("order_controls"); // NW -> { action: "new", priority: "R" }

const place = handler("orders_place", (message) => {
  const control = controls.get(message.get("ORC-1"));
  if (control === undefined) return null;

  nameFacility(message);
  if (!message.has("ORC-7.6")) message.set("ORC-7.6", control.priority);

  return send(laboratory, message);
});

const route = router("orders", (message) => message.messageCode === "ORM" ? place : null);

inbound("IB_WARD_ORM", mllp({ port: env("orm_port", { default: 2577 }) }), { router: route });
