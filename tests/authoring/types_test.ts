// Goal: what an author must not write does not compile.
// Method: this file is type-checked with the suite; every line below an expectation must be refused.
import assert from "node:assert/strict";
import {
  codeSet,
  currentCorrelation,
  databaseRef,
  env,
  file,
  fileRef,
  handler,
  type HandlerRef,
  inbound,
  loopback,
  Message,
  mllp,
  outbound,
  RawMessage,
  reference,
  response,
  router,
  send,
  setState,
} from "messagefoundry";

/** Never called: declarations need a load, and these only have to be checked. */
export function wellTyped(): void {
  const out = outbound("OB_A", mllp({ host: env("h"), port: env("p") }), {
    retry: { maxAttempts: null, backoffSeconds: 2 },
    buildup: { maxDepth: 500 },
    ordering: "unordered",
    internalError: "stop",
  });
  const archive = outbound("OB_B", file({ directory: "/out" }));
  const typed = handler("typed", (msg) => {
    const group: string | undefined = msg.get("OBX[2]-5");
    return [send(out, msg), group !== undefined && setState("n", "k", { group })];
  });
  const filed = handler("filed", (reply: RawMessage) => [
    send(archive, { id: reply.json<{ id: string }>().id, absent: undefined }),
  ]);
  const waiting = handler("waiting", async (msg) => await Promise.resolve(send("OB_A", msg)));
  const route = router("route", (msg) => msg.messageCode === "ADT" ? [typed, waiting] : null);
  const answers = router("answers", () => filed);
  inbound("IB_A", mllp({ port: 2575, tls: true }), {
    router: route,
    bindAddress: "127.0.0.1",
    strict: true,
    hl7Version: "2.5.1",
  });
  inbound("IB_B", file({ directory: "/in", pattern: "*.json" }), {
    router: answers,
    contentType: "json",
  });
  inbound("IB_C", file({ directory: "/in" }), { router: "declared_elsewhere" });
  const loop = inbound("IB_L", loopback(), { router: answers, contentType: "json" });
  handler("again", (msg) => [send(loop, msg), send("IB_L", msg)]);
  const npi = reference("npi", { source: fileRef({ path: env("npi_csv") }), refreshSeconds: 60 });
  const wards = reference<{ readonly floor: string }>("wards");
  reference<{ readonly payer: string }>("plans", {
    source: databaseRef({
      dialect: "postgres",
      server: env("mdm_host"),
      database: "mdm",
      username: env("mdm_user"),
      password: env("mdm_password"),
      statement: "SELECT plan, payer FROM plans",
      keyColumn: "plan",
    }),
  });
  reference("wards", {
    source: databaseRef({
      server: "db",
      database: "mdm",
      username: "reader",
      statement: "SELECT ward FROM dbo.wards",
      keyColumn: "ward",
    }),
  });
  handler("look", (msg) => {
    const answer: string | undefined = response(out)?.body;
    const depth: number | undefined = currentCorrelation()?.depth;
    const floor: string | undefined = wards.get(npi.get(msg.get("PV1-7.1")))?.floor;
    return answer !== undefined && depth !== undefined
      ? send(out, [answer, depth, floor ?? ""])
      : null;
  });
  const table = codeSet<{ readonly npi: string }>("providers");
  assert.ok(table.get("x")?.npi);
}

/** Never called. */
export function illTyped(): void {
  const listener = inbound("IB_Z", mllp({ port: 1 }), { router: "r" });
  // @ts-expect-error: only a loopback takes in what handlers send
  send(listener, "x");
  // @ts-expect-error: nothing is delivered over a loopback
  outbound("OB", loopback());
  // @ts-expect-error: nobody waits for an acknowledgement
  inbound("IB", loopback(), { router: "r", ackMode: "original" });
  // @ts-expect-error: what comes back in was validated where it came from
  inbound("IB", loopback(), { router: "r", strict: true });
  // @ts-expect-error: it listens nowhere
  inbound("IB", loopback(), { router: "r", bindAddress: "::1" });
  const query = { server: "s", database: "d", username: "u", statement: "TABLE t" };
  // @ts-expect-error: a row needs a key
  databaseRef(query);
  // @ts-expect-error: secrets come from the environment
  databaseRef({ ...query, keyColumn: "k", password: "plain" });
  // @ts-expect-error: a source is made by fileRef()
  reference("r", { source: "/x.csv" });
  // @ts-expect-error: an outbound needs a host
  outbound("OB", mllp({ port: 2575 }));
  // @ts-expect-error: a spec with a host goes out
  inbound("IB", mllp({ host: "h", port: 1 }), { router: "r" });
  // @ts-expect-error: keys are known
  mllp({ port: 1, retries: 3 });
  // @ts-expect-error: ports are numbers
  mllp({ port: "2575" });
  // @ts-expect-error: a listener has no connect timeout
  mllp({ port: 1, connectTimeout: 3 });
  // @ts-expect-error: secrets come from the environment
  mllp({ host: "h", port: 1, tlsKeyPassword: "plain" });
  // @ts-expect-error: one of the listed words
  file({ directory: "/in", afterRead: "keep" });
  // @ts-expect-error: an inbound setting and an outbound one
  file({ directory: "/in", pattern: "*", overwrite: true });
  // @ts-expect-error: a source that writes files is none
  inbound("IB", file({ directory: "/out", filename: "x" }), { router: "r" });
  // @ts-expect-error: only listeners bind
  inbound("IB", file({ directory: "/in" }), { router: "r", bindAddress: "127.0.0.1" });
  // @ts-expect-error: strict is for HL7
  inbound("IB", mllp({ port: 1 }), { router: "r", contentType: "json", strict: true });
  // @ts-expect-error: a router is required
  inbound("IB", mllp({ port: 1 }), {});

  const hl7 = handler("hl7", (msg) => send("OB", msg));
  const raw = handler("raw", (msg: RawMessage) => send("OB", msg));
  const rawRouter = router("raw_router", (msg: RawMessage) => msg.isBinary ? raw : null);
  // @ts-expect-error: an HL7 inbound needs a router of messages
  inbound("IB", mllp({ port: 1 }), { router: rawRouter });
  // @ts-expect-error: a handler is not a router
  inbound("IB", mllp({ port: 1 }), { router: hl7 });
  // @ts-expect-error: this router reads a Message, the handler a RawMessage
  router("mixed", (msg: Message) => msg.messageCode ? raw : null);
  // @ts-expect-error: a forgotten return
  handler("forgot", (msg) => {
    send("OB", msg);
  });
  // @ts-expect-error: a router does not send
  router("sends", (msg) => send("OB", msg));
  // @ts-expect-error: routers are synchronous
  router("waits", async () => await Promise.resolve(null));
  // @ts-expect-error: sends go to outbounds
  handler("to_handler", (msg) => send(hl7, msg));
  handler("paths", (msg) => {
    // @ts-expect-error: paths count from 1 and are text
    msg.get(3.1);
    // @ts-expect-error: segments are capitals
    msg.get("pid-3");
    // @ts-expect-error: a dash is missing
    msg.get("PID5");
    return null;
  });
  // @ts-expect-error: handles are nominal
  const forged: HandlerRef = { kind: "handler", name: "x" };
  // @ts-expect-error: state values are JSON
  setState("n", "k", () => forged);
}

Deno.test("what does not compile is refused when it runs", () => {
  assert.throws(illTyped, { code: "graph.outside_load" });
  assert.throws(wellTyped, { code: "graph.outside_load" });
});
