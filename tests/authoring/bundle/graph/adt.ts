/**
 * ACME admissions.
 *
 * ADT over MLLP in; admits, registrations and updates go on to Epic and a copy goes to the archive.
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

const epic = outbound("OB_EPIC_ADT", mllp({ host: env("epic_host"), port: env("epic_port") }));

const archive = outbound(
  "FILE-OUT_ACME_ADT",
  file({ directory: env("archive_dir"), filename: "{MSH-10}.hl7" }),
);

const events = codeSet("adt_events"); //            A01 -> admit, A04 -> register, A08 -> update
const facilities = codeSet("facility_mnemonics"); // ACME -> ACMEHOSP

const admissions = handler("acme_admissions", (msg) => {
  if (!events.has(msg.triggerEvent)) return null;

  const mnemonic = facilities.get(msg.get("MSH-4"));
  if (mnemonic) msg.set("MSH-4", mnemonic);

  if (currentEnvironment() === "staging") msg.set("MSH-11.1", "T");

  return [send(epic, msg), send(archive, msg)];
});

const route = router("acme_adt", (msg) => msg.messageCode === "ADT" ? admissions : null);

inbound("IB_ACME_ADT", mllp({ port: 2576 }), { router: route });
