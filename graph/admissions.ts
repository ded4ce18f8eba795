/**
 * Admissions of the hospital: patients who come, move, change and leave.
 *
 * ADT arrives over MLLP. Events that the health record keeps go there, and a copy of each goes to
 * the archive directory; all others stop here, as FILTERED.
 */
import {
  codeSet,
  currentEnvironment,
  env,
  file,
  handler,
  inbound,
  mllp,
  outbound,
  router,
  send,
} from "messagefoundry";
import { nameFacility } from "./_facilities.ts";

const healthRecord = outbound(
  "OB_EHR_ADT",
  mllp({ host: env("ehr_host"), port: env("ehr_port") }),
  { metadata: { partner: "health record" } },
);

const archive = outbound(
  "FILE-OUT_ARCHIVE_ADT",
  file({ directory: env("archive_dir"), filename: "{MSH-9.2}_{MSH-10}.hl7" }),
);

const events = codeSet("adt_events"); // A01 -> admit, A04 -> register, A08 -> update

const forward = handler("admissions_forward", (message) => {
  if (!events.has(message.triggerEvent)) return null;

  nameFacility(message);
  // Outside production nothing may look like a production message.
  if (currentEnvironment() !== "prod") message.set("MSH-11.1", "T");

  return [send(healthRecord, message), send(archive, message)];
});

const route = router("admissions", (message) => message.messageCode === "ADT" ? forward : null);

inbound("IB_HOSPITAL_ADT", mllp({ port: env("adt_port", { default: 2575 }) }), { router: route });
