/**
 * Results of the laboratory: one message with many observations becomes one for each order, and
 * research gets a copy that names nobody.
 *
 * A patient keeps the same alias in every copy: the first result makes it and puts it into
 * transform state, later ones find it there.
 */
import {
  env,
  file,
  handler,
  inbound,
  type Message,
  mllp,
  outbound,
  router,
  send,
  setState,
  splitByObr,
  state,
} from "messagefoundry";
import { nameFacility } from "./_facilities.ts";

const healthRecord = outbound(
  "OB_EHR_ORU",
  mllp({ host: env("ehr_host"), port: env("ehr_port") }),
  { metadata: { partner: "health record" } },
);

const research = outbound(
  "FILE-OUT_RESEARCH_ORU",
  file({ directory: env("research_dir"), filename: "{MSH-10}.hl7" }),
);

const perOrder = handler("results_per_order", (message) => {
  nameFacility(message);
  return splitByObr(message).map((order) => send(healthRecord, order));
});

const identifying = [
  "PID-2",
  "PID-4",
  "PID-6",
  "PID-9",
  "PID-11",
  "PID-13",
  "PID-14",
  "PID-18",
  "PID-19",
] as const;

const forResearch = handler("results_for_research", (message) => {
  const identifier = message.get("PID-3.1");
  if (identifier === undefined) throw new Error("PID-3.1 is empty");

  const known = state<string>("research_alias", identifier);
  const alias = known ?? `R-${crypto.randomUUID()}`;
  anonymise(message, alias);

  return [send(research, message), !known && setState("research_alias", identifier, alias)];
});

/** Takes out who the patient is; the year of birth stays. */
function anonymise(message: Message, alias: string): void {
  const born = message.get("PID-7.1")?.slice(0, 4) ?? "";
  message
    .set("PID-3", [alias, "", "", "RESEARCH", "PI"])
    .set("PID-5", ["ANONYMOUS", alias])
    .set("PID-7", born);
  for (const path of identifying) message.clear(path);
  for (const id of ["PD1", "NK1", "GT1", "IN1", "IN2", "NTE"]) message.deleteSegments(id);
}

const route = router(
  "results",
  (message) => message.messageCode === "ORU" ? [perOrder, forResearch] : null,
);

inbound("IB_LAB_ORU", mllp({ port: env("oru_port", { default: 2576 }) }), { router: route });
