// Goal: no patient's value and no control character leaves through any sink (I54).
// Method: values are planted in every kind of field, between other words, with controls in between;
// the records go to every sink at once, to the collectors over real sockets, and what arrives is read.
import assert from "node:assert/strict";
import fc from "fast-check";
import {
  type AuditRecord,
  createLogger,
  createSink,
  type LogFields,
  LogRecord,
  type LogSink,
  startForwarder,
} from "../../src/logging/mod.ts";
import { until } from "../connectors/waiting.ts";
import { tcpCollector, udpCollector } from "./collectors.ts";

/** A value nobody else writes, in the shapes messages have; `canaries` must not be seen again. */
interface Planted {
  readonly text: string;
  readonly canaries: readonly string[];
}

const lower = fc.stringMatching(/^[b-df-hj-np-tv-z]{6,10}$/).map((tail) => `q${tail}`);
const name = lower.map((word) => word[0]!.toUpperCase() + word.slice(1));
const day = fc.tuple(
  fc.integer({ min: 1905, max: 2025 }),
  fc.integer({ min: 1, max: 12 }),
  fc.integer({ min: 1, max: 28 }),
);
const two = (n: number) => String(n).padStart(2, "0");

const segment = fc.tuple(fc.constantFrom("PID", "NK1", "OBX", "ZPD"), lower, lower).map(
  ([id, a, b]): Planted => ({ text: `${id}|1||${a} ${b}`, canaries: [a, b] }),
);
const run = fc.tuple(fc.constantFrom("^", "|", "~", "&"), lower, lower, lower).map(
  ([mark, a, b, c]): Planted => ({ text: [a, b, c].join(mark), canaries: [a, b, c] }),
);
const date = fc.tuple(fc.constantFrom("", "-", "/"), day).map(
  ([mark, [year, month, date]]): Planted => {
    const text = [year, two(month), two(date)].join(mark);
    return { text, canaries: [text] };
  },
);
const person = fc.tuple(fc.boolean(), name, name).map(([loud, first, last]): Planted => {
  const parts = loud ? [first.toUpperCase(), last.toUpperCase()] : [first, last];
  return { text: parts.join(" "), canaries: parts };
});

const control = fc.constantFrom(..."\r\n\0\x1b\x07\x7f\x85\x9b\u2028\u2029", "\r\n", "\x1b[31m");
/** Words that may stand beside a value and belong to no rule; controls between them. */
const beside = fc.array(fc.oneof(fc.constantFrom("got", "of", "the", "\t", "“é”", "😀"), control), {
  maxLength: 4,
})
  .map((parts) => parts.join(" "));

const around = (value: fc.Arbitrary<Planted>) =>
  fc.tuple(beside, value, beside).map(([before, { text, canaries }, after]): Planted => ({
    text: `${before} ${text} ${after}`,
    canaries,
  }));
const anyValue = around(fc.oneof(segment, run, date, person));
/** A field whose name says that its value is ours knows every rule but the one for names. */
const knownValue = around(fc.oneof(segment, run, date));

const logged = fc.record({
  level: fc.constantFrom("debug", "info", "warning", "error", "critical"),
  free: fc.dictionary(fc.constantFrom("reason", "error", "exception", "stack", "detail"), anyValue),
  known: fc.dictionary(fc.constantFrom("lane", "connection", "name", "odd\nkey"), knownValue),
  isAudit: fc.boolean(),
});
type Logged = typeof logged extends fc.Arbitrary<infer T> ? T : never;

function canariesOf({ free, known }: Logged): string[] {
  return [...Object.values(free), ...Object.values(known)].flatMap(({ canaries }) => canaries);
}

function texts(values: Readonly<Record<string, Planted>>): Record<string, string> {
  return Object.fromEntries(Object.entries(values).map(([key, { text }]) => [key, text]));
}

/** The lines of a sink of standard output. */
function capture(format: "text" | "json") {
  const chunks: Uint8Array[] = [];
  const sink = createSink({
    format,
    write: (bytes) => {
      chunks.push(bytes.slice());
      return Promise.resolve(bytes.length);
    },
  });
  const lines = async () => {
    await sink.flush();
    const decoder = new TextDecoder("utf-8", { fatal: true });
    const all = chunks.map((chunk) => decoder.decode(chunk)).join("");
    assert.ok(all === "" || all.endsWith("\n"));
    return all.split("\n").slice(0, -1);
  };
  return { sink, lines };
}

const control1 = /[^\P{Cc}\t]|[\u2028\u2029]/u;

function assertClean(line: string, canaries: readonly string[], sink: string): void {
  assert.ok(!control1.test(line), `${sink}: ${JSON.stringify(line)}`);
  // In JSON a control character could hide behind its escape.
  const body = /\{.*\}$/.exec(line)?.[0];
  if (sink.endsWith("json") && body !== undefined) {
    for (const value of Object.values(JSON.parse(body))) {
      assert.ok(!control1.test(String(value)), `${sink}: ${JSON.stringify(value)}`);
    }
  }
  for (const canary of canaries) {
    assert.ok(!line.includes(canary), `${sink} let "${canary}" out: ${JSON.stringify(line)}`);
  }
}

Deno.test("no planted value and no control character leaves through any sink", async () => {
  await fc.assert(
    fc.asyncProperty(fc.array(logged, { minLength: 1, maxLength: 20 }), async (all) => {
      await using udp = udpCollector();
      await using tcp = await tcpCollector();
      const text = capture("text");
      const json = capture("json");
      const sinks: LogSink[] = [text.sink, json.sink];
      const logger = createLogger({ level: "debug", sinks });
      const forwarders = ([["udp", udp, "json"], ["tcp", tcp, "text"]] as const).map((
        [protocol, { port }, format],
      ) => startForwarder({ protocol, host: "127.0.0.1", port, format, logger }));
      for (const forwarder of forwarders) logger.attach(forwarder);
      for (const one of all) {
        const fields: LogFields = { ...texts(one.free), ...texts(one.known) };
        if (one.isAudit) logger.audit(auditOf(one));
        else logger.log(one.level as "info", "delivery.retried", fields);
      }
      for (const forwarder of forwarders) await forwarder[Symbol.asyncDispose]();
      await until(
        () => udp.messages.length >= all.length && tcp.messages.length >= all.length,
        "the collectors to have everything",
      );
      const outs: Readonly<Record<string, readonly string[]>> = {
        "stdout text": await text.lines(),
        "stdout json": await json.lines(),
        "udp json": udp.messages,
        "tcp text": tcp.messages,
      };
      const canaries = all.flatMap(canariesOf);
      for (const [sink, lines] of Object.entries(outs)) {
        assert.equal(lines.length, all.length, sink);
        for (const line of lines) assertClean(line, canaries, sink);
      }
    }),
    { numRuns: 40 },
  );
});

function auditOf({ free, known }: Logged): AuditRecord {
  const [detail] = Object.values(free);
  const [action, actor, channel] = Object.values(known);
  return {
    ts: 1,
    action: action?.text ?? "login",
    actor: actor?.text ?? null,
    channelId: channel?.text ?? null,
    detail: detail?.text ?? null,
  };
}

// Goal: there is no way around the redactor. Method: what a sink takes cannot be made by hand.
Deno.test("a sink takes nothing but what has passed the redactor", () => {
  const { sink } = capture("text");
  const record = LogRecord.of("info", "a.b", { atMs: 0 });
  const forged = { ...record, message: "PID|1||4711", size: 1, shortened: () => record };
  const attempts = [
    // @ts-expect-error a line is not a record
    () => sink.write("PID|1||4711"),
    // @ts-expect-error nor is an object with its parts
    () => sink.write(forged),
    // @ts-expect-error and only the two factories make one
    () => new LogRecord(forged),
    // @ts-expect-error whose parts stay as they are
    () => record.message = "PID|1||4711",
  ];
  assert.equal(attempts.length, 4);
});
