/**
 * What every connector promises the pipeline, whatever it speaks. One call a connector.
 *
 * A bench plays the partner; the suite never looks at how bytes travel.
 */
import assert from "node:assert/strict";
import type { TransportSchema } from "../../src/authoring/connectors/schema.ts";
import {
  type ConnectionEvent,
  type Connector,
  ConnectorError,
  DeliveryError,
  type Destination,
  type DestinationOptions,
  type IntakeAnswer,
  type ReceivedMessage,
  type Source,
  type SourceOptions,
} from "../../src/connectors/connector.ts";
import { connectors } from "../../src/connectors/mod.ts";
import { pause, until, within } from "../connectors/waiting.ts";

/** A partner that sends, and sends again what was not taken. */
export interface SendingPartner extends AsyncDisposable {
  readonly options: SourceOptions;
  /** Offers messages in this order, from now on and until they are taken. */
  offer(texts: readonly string[]): Promise<void>;
  /** How many of the offered messages the partner knows to be taken. */
  taken(): number;
}

/** A partner that receives. */
export interface ReceivingPartner extends AsyncDisposable {
  readonly options: DestinationOptions;
  /** Everything it has got so far, in order. */
  received(): readonly string[];
  /** Makes it unreachable, and reachable again. */
  goAway(): Promise<void>;
  comeBack(): Promise<void>;
}

export interface ContractBench {
  readonly connector: Connector;
  readonly schema: TransportSchema;
  /** A message this transport carries, told apart by `id`; `extra` is part of its content. */
  readonly message: (id: string, extra?: string) => string;
  /** What intake answers a stored message with. */
  readonly reply: (message: ReceivedMessage) => Uint8Array | undefined;
  readonly openSending?: () => Promise<SendingPartner>;
  readonly openReceiving?: () => Promise<ReceivingPartner>;
}

const secret = "SECRETCONTENT";
const never = new AbortController().signal;

/** Registers the suite for one connector. */
export function connectorContract(name: string, bench: ContractBench): void {
  const define = (behaviour: string, test: () => Promise<void>) =>
    Deno.test(`${name} keeps the contract: ${behaviour}`, test);

  define("it is listed, with its schema and the halves the schema has", async () => {
    const { connector, schema } = bench;
    assert.equal(connectors.get(connector.type), connector);
    assert.equal(schema.type, connector.type);
    assert.equal(connector.createSource !== undefined, schema.listen || schema.poll);
    assert.equal(connector.listenAddress !== undefined, schema.listen);
  });
  if (bench.openSending !== undefined) sourceContract(define, bench, bench.openSending);
  if (bench.openReceiving !== undefined) destinationContract(define, bench, bench.openReceiving);
}

type Define = (behaviour: string, test: () => Promise<void>) => void;

function sourceContract(
  define: Define,
  bench: ContractBench,
  open: () => Promise<SendingPartner>,
): void {
  const texts = (count: number) => Array.from({ length: count }, (_, n) => bench.message(`${n}`));

  define("a source hands messages over whole and in order", async () => {
    await using partner = await open();
    await using run = new SourceRun(bench, partner.options);
    await run.start();
    const offered = texts(5);
    await partner.offer(offered);
    await until(() => partner.taken() === 5, "five messages to be taken");
    assert.deepEqual(run.texts, offered);
    assert.ok(run.source.counters.bytesIn >= offered.join("").length);
  });

  define("a source lets the partner keep a message until it is stored", async () => {
    await using partner = await open();
    await using run = new SourceRun(bench, partner.options);
    let store: () => void = () => {};
    const isStored = new Promise<void>((resolve) => store = resolve);
    run.intake = async (message) => {
      await isStored;
      return run.stored(message);
    };
    await run.start();
    await partner.offer(texts(1));
    await until(() => run.received.length === 1, "the message");
    await pause(50);
    assert.equal(partner.taken(), 0);
    store();
    await until(() => partner.taken() === 1, "the message to be taken");
    assert.equal(run.received.length, 1);
  });

  define("a source gets a message again that was not stored", async () => {
    await using partner = await open();
    await using run = new SourceRun(bench, partner.options);
    run.intake = (message) => run.received.length === 1 ? { stored: false } : run.stored(message);
    await run.start();
    await partner.offer(texts(1));
    await until(() => partner.taken() === 1, "the message to be taken");
    assert.deepEqual(run.texts, [bench.message("0"), bench.message("0")]);
  });

  define("a stopped source takes nothing, and may be started again", async () => {
    await using partner = await open();
    await using run = new SourceRun(bench, partner.options);
    await run.start();
    await assert.rejects(run.start(), "a second start is a defect of the caller");
    await Promise.all([run.source.stop(), run.source.stop()]);
    await run.source.stop();
    const before = run.received.length;
    await partner.offer(texts(1));
    await pause(50);
    assert.equal(run.received.length, before);
    await run.start();
    await until(() => partner.taken() === 1, "the message to be taken");
  });

  define("a source tells nothing of a message", async () => {
    await using partner = await open();
    await using run = new SourceRun(bench, partner.options);
    run.intake = (message) => run.received.length === 1 ? { stored: false } : run.stored(message);
    await run.start();
    await partner.offer([bench.message("0", secret)]);
    await until(() => partner.taken() === 1, "the message to be taken");
    await run.source.stop();
    assert.doesNotMatch(JSON.stringify([run.events, run.logged]), new RegExp(secret));
  });

  define("a source is not built from settings its table refuses", async () => {
    await using partner = await open();
    for (const settings of [{}, { ...partner.options.settings, no_such_key: 1 }]) {
      assert.throws(
        () => new SourceRun(bench, { ...partner.options, settings }),
        (error) => error instanceof ConnectorError && error.code === "connector.bad_settings",
      );
    }
  });
}

function destinationContract(
  define: Define,
  bench: ContractBench,
  open: () => Promise<ReceivingPartner>,
): void {
  define("a destination delivers payloads whole and in order", async () => {
    await using partner = await open();
    await using run = new DestinationRun(bench, partner.options);
    const texts = ["1", "2", "3"].map((id) => bench.message(id));
    for (const id of ["1", "2", "3"]) assert.equal((await run.send(id)).accepted, true);
    assert.deepEqual(partner.received(), texts);
    assert.ok(run.destination.counters.bytesOut >= texts.join("").length);
  });

  define("an unreachable partner is a failure worth another attempt", async () => {
    await using partner = await open();
    await using run = new DestinationRun(bench, partner.options);
    await partner.goAway();
    // One after the other: a failure that nobody awaits yet would count as nobody's.
    for (const attempt of [() => run.send("1", secret), () => run.destination.probe(never)]) {
      await assert.rejects(within<unknown>(attempt(), "the failure"), (error) => {
        assert.ok(error instanceof DeliveryError);
        assert.match(error.code, /^delivery\.[a-z_]+$/);
        assert.deepEqual([error.reached, error.permanent], ["no", false]);
        assert.doesNotMatch(`${error.message}${error.hint}${error.cause}`, new RegExp(secret));
        return true;
      });
    }
    await partner.comeBack();
    assert.equal((await run.send("2")).accepted, true);
    assert.deepEqual(partner.received(), [bench.message("2")]);
    assert.doesNotMatch(JSON.stringify(run.events), new RegExp(secret));
  });

  define("a probe reaches the partner and sends it nothing", async () => {
    await using partner = await open();
    await using run = new DestinationRun(bench, partner.options);
    await run.destination.probe(never);
    assert.deepEqual(partner.received(), []);
  });

  define("an aborted delivery sends nothing", async () => {
    await using partner = await open();
    await using run = new DestinationRun(bench, partner.options);
    await assert.rejects(run.send("1", "", AbortSignal.abort()), DeliveryError);
    assert.deepEqual(partner.received(), []);
    assert.equal((await run.send("2")).accepted, true);
  });

  define("a closed destination delivers nothing and may be closed again", async () => {
    await using partner = await open();
    await using run = new DestinationRun(bench, partner.options);
    await run.send("1");
    await run.destination.close();
    await run.destination.close();
    await assert.rejects(run.send("2"), DeliveryError);
    assert.deepEqual(partner.received(), [bench.message("1")]);
    assert.equal(run.destination.counters.connectionsOpen, 0);
  });

  define("a payload that cannot be encoded fails for good, without its content", async () => {
    await using partner = await open();
    const settings = { ...partner.options.settings, encoding: "us-ascii" };
    await using run = new DestinationRun(bench, { ...partner.options, settings });
    await assert.rejects(run.send("1", `${secret}É`), (error) => {
      assert.ok(error instanceof DeliveryError);
      assert.deepEqual([error.code, error.permanent], ["delivery.unencodable", true]);
      assert.doesNotMatch(`${error.message}${error.hint}${error.cause}`, new RegExp(`${secret}|É`));
      return true;
    });
    assert.deepEqual(partner.received(), []);
  });

  define("everything it reaches is named for [egress] and the permissions", async () => {
    await using partner = await open();
    const reach = bench.connector.reach("outbound", partner.options.settings);
    assert.ok(reach.some(({ list }) => list.startsWith("allowed_")));
    for (const each of reach) {
      if (each.kind === "path") assert.ok(each.path.startsWith("/"), "paths are absolute");
      else assert.ok(Number.isInteger(each.port) && each.host !== "");
    }
  });

  define("a destination is not built from settings its table refuses", async () => {
    await using partner = await open();
    for (const settings of [{}, { ...partner.options.settings, no_such_key: 1 }]) {
      assert.throws(
        () => new DestinationRun(bench, { ...partner.options, settings }),
        (error) => error instanceof ConnectorError && error.code === "connector.bad_settings",
      );
    }
  });
}

class SourceRun implements AsyncDisposable {
  readonly source: Source;
  readonly received: ReceivedMessage[] = [];
  readonly events: ConnectionEvent[] = [];
  readonly logged: unknown[] = [];
  intake: (message: ReceivedMessage) => IntakeAnswer | Promise<IntakeAnswer>;
  readonly #bench: ContractBench;

  constructor(bench: ContractBench, options: SourceOptions) {
    this.#bench = bench;
    this.intake = (message) => this.stored(message);
    const keep = (...line: unknown[]) => this.logged.push(line);
    const source = bench.connector.createSource?.(options, {
      name: "IN_CONTRACT",
      onEvent: (event) => this.events.push(event),
      logger: { log: keep, debug: keep, info: keep, warning: keep, error: keep, audit: keep },
    });
    assert.ok(source);
    this.source = source;
  }

  start(): Promise<void> {
    return this.source.start(async (message) => {
      this.received.push(message);
      return await this.intake(message);
    });
  }

  stored(message: ReceivedMessage): IntakeAnswer {
    return { stored: true, accepted: true, reply: this.#bench.reply(message) };
  }

  get texts(): string[] {
    return this.received.map(({ bytes }) => new TextDecoder().decode(bytes));
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await this.source.stop();
  }
}

class DestinationRun implements AsyncDisposable {
  readonly destination: Destination;
  readonly events: ConnectionEvent[] = [];
  readonly #bench: ContractBench;

  constructor(bench: ContractBench, options: DestinationOptions) {
    this.#bench = bench;
    const destination = bench.connector.createDestination?.(options, {
      name: "OUT_CONTRACT",
      onEvent: (event) => this.events.push(event),
    });
    assert.ok(destination);
    this.destination = destination;
  }

  send(id: string, extra = "", signal: AbortSignal = never) {
    const text = this.#bench.message(id, extra);
    return this.destination.send({ text, controlId: id }, signal);
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await this.destination.close();
  }
}
