/**
 * Our MLLP against implementations that nobody here wrote, in both directions.
 *
 * They are partners, not oracles: each does some things its own way (version 2.3 in every ACK,
 * `ACK^A01` or plain `ACK`), and all of that must work.
 */
import assert from "node:assert/strict";
import type net from "node:net";
import { Hl7Message } from "@medplum/core";
import { Hl7Client, Hl7Server } from "@medplum/hl7";
import { Client, type Connection, Message } from "node-hl7-client";
import { Server } from "node-hl7-server";
import simpleHl7Module from "simple-hl7";
import { buildAcknowledgement, peekHeader } from "../../src/hl7/mod.ts";
import { adt, DestinationBench, SourceBench } from "../connectors/mllp/bench.ts";
import { hasTool, runTool } from "../connectors/foreign_tool.ts";
import { freePort, until, within } from "../connectors/waiting.ts";

/** What we use of simple-hl7, which has no types of its own. */
interface SimpleHl7 {
  tcp(): {
    use(handler: (req: { msg: SimpleMessage }, res: SimpleResponse, next: unknown) => void): void;
    start(port: number, encoding?: string): { server: net.Server };
    stop(): void;
  };
  Server: {
    createTcpClient(options: { host: string; port: number; keepalive: boolean }): {
      send(message: SimpleMessage, done: (error: Error | null, ack: SimpleMessage) => void): void;
      close(): void;
    };
  };
  Parser: new () => { parse(text: string): SimpleMessage };
}

interface SimpleMessage {
  toString(): string;
  getSegment(id: string): { getField(n: number): unknown; setField(n: number, v: string): void };
}

interface SimpleResponse {
  ack: SimpleMessage;
  end(): void;
}

const simpleHl7 = simpleHl7Module as unknown as SimpleHl7;
const ids = ["A1", "A2", "A3"];

/** The client names another version of @medplum/core than ours; their messages are the same. */
function medplumMessage(text: string): Parameters<Hl7Client["sendAndWait"]>[0] {
  return Hl7Message.parse(text) as unknown as Parameters<Hl7Client["sendAndWait"]>[0];
}

/** A source whose intake answers as the engine's does. */
function openSource(): Promise<SourceBench> {
  return SourceBench.open({}, {
    intake: ({ bytes }) => {
      const text = new TextDecoder().decode(bytes);
      const peek = peekHeader(text);
      const reply = buildAcknowledgement({
        header: peek.ok ? peek.header : undefined,
        rawStart: text,
        code: peek.ok ? "AA" : "AR",
        mode: "original",
        now: Date.now(),
      });
      return { stored: true, accepted: peek.ok, reply: new TextEncoder().encode(reply) };
    },
  });
}

/** What arrived, without the line end at the very end: some peers leave it out. */
function arrived(bench: SourceBench): string[] {
  return bench.received.map(({ bytes }) => new TextDecoder().decode(bytes).trimEnd());
}

function expected(): string[] {
  return ids.map((id) => adt(id, "É").trimEnd());
}

async function deliverAll(port: number, settings: Record<string, unknown> = {}): Promise<void> {
  await using bench = new DestinationBench({ port, ...settings }, { verify: "strict" });
  for (const id of ids) {
    const message = { text: adt(id, "É"), controlId: id };
    const answer = await bench.destination.send(message, new AbortController().signal);
    assert.equal(answer.accepted, true, `${id} was not accepted`);
  }
  assert.deepEqual(bench.recorder.kinds, []);
}

Deno.test("simple-hl7 sends to our source", async () => {
  await using bench = await openSource();
  const parser = new simpleHl7.Parser();
  for (const keepalive of [true, false]) {
    bench.received.length = 0;
    const client = simpleHl7.Server.createTcpClient({
      host: "127.0.0.1",
      port: bench.port,
      keepalive,
    });
    for (const id of ids) {
      const sent = new Promise<SimpleMessage>((resolve, reject) =>
        client.send(
          parser.parse(adt(id, "É")),
          (error, ack) => error === null ? resolve(ack) : reject(error),
        )
      );
      const ack = await within(sent, "an acknowledgement");
      assert.equal(String(ack.getSegment("MSA").getField(1)), "AA");
      assert.equal(String(ack.getSegment("MSA").getField(2)), id);
    }
    client.close();
    assert.deepEqual(arrived(bench), expected());
  }
});

Deno.test("simple-hl7 receives from our destination, and its NAK is understood", async () => {
  const port = await freePort();
  const received: string[] = [];
  let code = "AA";
  const app = simpleHl7.tcp();
  app.use((req, res) => {
    received.push(req.msg.toString());
    res.ack.getSegment("MSA").setField(1, code);
    res.end();
  });
  const { server } = app.start(port);
  const stopped = new Promise((resolve) => server.once("close", resolve));
  try {
    await until(() => server.listening, "the server");
    await deliverAll(port);
    await deliverAll(port, { persistent: false });
    assert.deepEqual(received, [...expected(), ...expected()]);
    code = "AR";
    await using bench = new DestinationBench({ port });
    assert.deepEqual(await bench.send("A4"), { accepted: false, code: "AR", permanent: true });
  } finally {
    app.stop();
    await within(stopped, "the server to stop");
  }
});

Deno.test("node-hl7-client sends to our source", async () => {
  await using bench = await openSource();
  const client = new Client({ host: "127.0.0.1", version: "2.5.1" });
  const options = { port: bench.port, version: "2.5.1" as const, waitAck: true };
  const codes: string[] = [];
  let connection: Connection | undefined;
  try {
    connection = client.createConnection(options, (response) => {
      const ack = response.getMessage();
      codes.push(`${ack.get("MSA.1").toString()} ${ack.get("MSA.2").toString()}`);
    });
    await within(connection.connect(), "the connection");
    for (const [index, id] of ids.entries()) {
      await connection.sendMessage(new Message({ text: adt(id, "É") }));
      await until(() => codes.length === index + 1, "an acknowledgement");
    }
  } finally {
    await connection?.close();
  }
  assert.deepEqual(codes, ids.map((id) => `AA ${id}`));
  assert.deepEqual(arrived(bench), expected());
});

Deno.test("node-hl7-server receives from our destination, and its NAK is understood", async () => {
  const port = await freePort();
  const received: string[] = [];
  let code: "AA" | "AE" | "AR" = "AA";
  const inbound = new Server({ bindAddress: "127.0.0.1" }).createInbound(
    { port },
    async (request, response) => {
      received.push(request.getMessage().toString());
      await response.sendResponse(code);
    },
  );
  try {
    await within(new Promise<void>((resolve) => inbound.once("listen", resolve)), "the server");
    await deliverAll(port, { persistent: false });
    assert.deepEqual(received.map((text) => text.trimEnd()), expected());
    code = "AE";
    await using bench = new DestinationBench({ port });
    assert.deepEqual(await bench.send("A4"), { accepted: false, code: "AE", permanent: false });
  } finally {
    await inbound.close();
  }
});

Deno.test("@medplum/hl7 sends to our source, pipelined too", async () => {
  await using bench = await openSource();
  const client = new Hl7Client({ host: "127.0.0.1", port: bench.port, keepAlive: true });
  try {
    const acks = await within(
      Promise.all(ids.map((id) => client.sendAndWait(medplumMessage(adt(id, "É"))))),
      "the acknowledgements",
    );
    assert.deepEqual(
      acks.map((ack) => ack.getSegment("MSA")?.getField(2)?.toString()),
      ids,
    );
  } finally {
    await client.close();
  }
  assert.deepEqual(arrived(bench), expected());
});

Deno.test("@medplum/hl7 receives from our destination, and its NAK is understood", async () => {
  const port = await freePort();
  const received: string[] = [];
  let ackCode: "AA" | "AR" = "AA";
  const server = new Hl7Server((connection) => {
    connection.addEventListener("message", ({ message }) => {
      received.push(message.toString());
      connection.send(message.buildAck({ ackCode }));
    });
  });
  await within(server.start(port), "the server");
  try {
    await deliverAll(port);
    await deliverAll(port, { persistent: false });
    assert.deepEqual(received.map((text) => text.trimEnd()), [...expected(), ...expected()]);
    ackCode = "AR";
    await using bench = new DestinationBench({ port });
    const refused = { accepted: false, code: "AR", permanent: true, said: "Application Reject" };
    assert.deepEqual(await bench.send("A4"), refused);
  } finally {
    await server.stop({ forceDrainTimeoutMs: 500 });
  }
});

Deno.test("python3-hl7's mllp_send sends to our source", async () => {
  if (!await hasTool("mllp_send", ["--version"])) return;
  await using bench = await openSource();
  const directory = await Deno.makeTempDir();
  try {
    const framed = `${directory}/framed.mllp`;
    await Deno.writeTextFile(framed, ids.map((id) => `\x0b${adt(id, "É")}\x1c\r`).join(""));
    const target = ["--port", String(bench.port), "127.0.0.1"];
    const output = await runTool("mllp_send", ["--file", framed, ...target]);
    assert.deepEqual(arrived(bench), expected());
    for (const id of ids) assert.match(output, new RegExp(`MSA\\|AA\\|${id}`));

    bench.received.length = 0;
    const loose = `${directory}/loose.txt`;
    await Deno.writeTextFile(loose, ids.map((id) => adt(id).replaceAll("\r", "\r\n")).join(""));
    await runTool("mllp_send", ["--loose", "--file", loose, ...target]);
    assert.equal(bench.received.length, 3);
  } finally {
    await Deno.remove(directory, { recursive: true });
  }
});
