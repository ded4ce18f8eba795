import { mllpSchema } from "../../../src/authoring/connectors/mllp.ts";
import { mllp } from "../../../src/connectors/mllp/mod.ts";
import {
  connectorContract,
  type ReceivingPartner,
  type SendingPartner,
} from "../../contract/connector_contract.ts";
import { MllpSender } from "../mllp_sender.ts";
import { acknowledgementFor, ScriptedPartner } from "../scripted_partner.ts";
import { freePort, pause } from "../waiting.ts";
import { adt } from "./bench.ts";

connectorContract("MLLP", {
  connector: mllp,
  schema: mllpSchema,
  message: adt,
  reply: ({ bytes }) =>
    new TextEncoder().encode(acknowledgementFor(new TextDecoder().decode(bytes))),
  openSending,
  openReceiving,
});

/** Sends one message after the other and dials again until each is acknowledged. */
async function openSending(): Promise<SendingPartner> {
  const port = await freePort();
  let taken = 0;
  let isDone = false;
  let sending = Promise.resolve();
  const sendOne = async (text: string) => {
    while (!isDone) {
      try {
        using sender = await MllpSender.connect(port);
        sender.send(text);
        await sender.waitForReplies(1, 1_000);
        taken++;
        return;
      } catch {
        await pause(10);
      }
    }
  };
  return {
    options: {
      settings: { port },
      bindHost: "127.0.0.1",
      sourceIpAllowlist: [],
      contentType: "hl7v2",
    },
    offer(texts) {
      sending = sending.then(async () => {
        for (const text of texts) await sendOne(text);
      });
      return Promise.resolve();
    },
    taken: () => taken,
    async [Symbol.asyncDispose]() {
      isDone = true;
      await sending;
    },
  };
}

async function openReceiving(): Promise<ReceivingPartner> {
  let partner = await ScriptedPartner.start();
  const { port } = partner;
  return {
    options: { settings: { host: "127.0.0.1", port }, verifyAckControlId: "strict" },
    received: () => partner.received.map(({ bytes }) => new TextDecoder().decode(bytes)),
    async goAway() {
      await partner[Symbol.asyncDispose]();
    },
    async comeBack() {
      partner = await ScriptedPartner.start({ port });
    },
    async [Symbol.asyncDispose]() {
      await partner[Symbol.asyncDispose]();
    },
  };
}
