import path from "node:path";
import { fileSchema } from "../../../src/authoring/connectors/file.ts";
import { file } from "../../../src/connectors/file/mod.ts";
import {
  connectorContract,
  type ReceivingPartner,
  type SendingPartner,
} from "../../contract/connector_contract.ts";
import { adt } from "../mllp/bench.ts";
import { filesBelow } from "./bench.ts";

connectorContract("File", {
  connector: file,
  schema: fileSchema,
  message: adt,
  reply: () => undefined,
  openSending,
  openReceiving,
});

async function openSending(): Promise<SendingPartner> {
  const base = await Deno.makeTempDir();
  const directory = path.join(base, "in");
  await Deno.mkdir(directory);
  let dropped = 0;
  return {
    options: {
      settings: { directory, poll_seconds: 0.02 },
      bindHost: "127.0.0.1",
      sourceIpAllowlist: [],
      contentType: "hl7v2",
    },
    async offer(texts) {
      for (const text of texts) {
        const temporary = path.join(base, "next");
        await Deno.writeTextFile(temporary, text);
        await Deno.rename(temporary, path.join(directory, `${1_000 + dropped++}.hl7`));
      }
    },
    taken: () => filesBelow(directory).filter((name) => name.startsWith(".processed")).length,
    async [Symbol.asyncDispose]() {
      await Deno.remove(base, { recursive: true });
    },
  };
}

async function openReceiving(): Promise<ReceivingPartner> {
  const base = await Deno.makeTempDir();
  const directory = path.join(base, "out");
  return {
    options: { settings: { directory }, verifyAckControlId: "lenient" },
    received() {
      try {
        return filesBelow(directory).map((name) =>
          Deno.readTextFileSync(path.join(directory, name))
        );
      } catch {
        return [];
      }
    },
    async goAway() {
      await Deno.writeTextFile(directory, "a file in the way");
    },
    async comeBack() {
      await Deno.remove(directory);
    },
    async [Symbol.asyncDispose]() {
      await Deno.remove(base, { recursive: true });
    },
  };
}
