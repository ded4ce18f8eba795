/**
 * LABCO results for research.
 *
 * Every patient gets one alias, kept in transform state, so that later results land on the same alias.
 */
import {
  env,
  handler,
  inbound,
  mllp,
  outbound,
  router,
  send,
  setState,
  state,
} from "messagefoundry";

const research = outbound(
  "OB_RESEARCH_ORU",
  mllp({ host: env("research_host"), port: env("research_port"), tls: true }),
);

const anonymize = handler("labco_anonymize", (msg) => {
  const mrn = msg.get("PID-3.1");
  if (!mrn) throw new Error("PID-3.1 is empty"); // ERROR, dead-lettered; names the field, never a value

  const known = state<string>("patient_alias", mrn);
  const alias = known ?? `ANON-${crypto.randomUUID()}`;

  msg
    .set("PID-3", [alias, "", "", "RESEARCH", "PI"])
    .set("PID-5", ["ANONYMOUS", alias])
    .set("PID-7", msg.get("PID-7")?.slice(0, 4) ?? "");

  for (const path of ["PID-2", "PID-4", "PID-9", "PID-11", "PID-13", "PID-14", "PID-19"] as const) {
    msg.clear(path);
  }
  for (const id of ["NK1", "GT1", "IN1", "IN2", "NTE"]) msg.deleteSegments(id);

  return [send(research, msg), !known && setState("patient_alias", mrn, alias)];
});

const route = router("labco_research", (msg) => msg.messageCode === "ORU" ? anonymize : null);

inbound("IB_LABCO_ORU", mllp({ port: 2577 }), { router: route });
