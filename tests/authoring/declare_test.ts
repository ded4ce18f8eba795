import assert from "node:assert/strict";
import * as mf from "messagefoundry";
import { checkInboundOptions, checkOutboundOptions } from "../../src/authoring/options.ts";
import { closeLoad, type Declarations, openSession, setRun } from "../../src/authoring/session.ts";

/** JavaScript authors have no compiler: their view of the module. */
const js = mf as unknown as Readonly<Record<string, (...values: unknown[]) => unknown>>;

/** Runs `body` as the top level of a module. */
function load(body: () => void): Declarations {
  const session = openSession({
    codeSets: new Map([["events", new Map([["A01", "admit"]])]]),
    environment: "test",
  });
  try {
    body();
  } finally {
    closeLoad();
  }
  return session.declarations;
}

function refuses(body: () => unknown, message: RegExp): void {
  load(() => {
    assert.throws(body, (thrown: unknown) => {
      assert.ok(thrown instanceof mf.GraphError, String(thrown));
      assert.match(thrown.message, message);
      assert.match(thrown.code, /^graph\./);
      return true;
    });
  });
}

const mllpIn = () => mf.mllp({ port: 2575 });
const mllpOut = () => mf.mllp({ host: "h", port: 2575 });

Deno.test("declarations are collected in snake_case, with their place", () => {
  const { inbounds, outbounds } = load(() => {
    mf.outbound("OB", mf.mllp({ host: mf.env("host", { default: "h" }), port: mf.env("port") }), {
      retry: { maxAttempts: null, backoffSeconds: 2 },
      internalError: "stop",
      metadata: { ownerTeam: "integration" },
    });
    mf.inbound("IB", mf.mllp({ port: 2575, maxConnections: null }), {
      router: "later",
      sourceIpAllowlist: ["10.0.0.0/8", "::1"],
      ackMode: "enhanced",
    });
  });
  const { position, ...outbound } = outbounds.get("OB") ?? assert.fail();
  assert.deepEqual(outbound, {
    name: "OB",
    type: "mllp",
    settings: { host: { env: "host", default: "h" }, port: { env: "port" } },
    options: {
      retry: { max_attempts: null, backoff_seconds: 2 },
      internal_error: "stop",
      metadata: { ownerTeam: "integration" },
    },
  });
  assert.match(position?.file ?? "", /declare_test\.ts$/);
  assert.ok((position?.line ?? 0) > 1);
  assert.deepEqual(inbounds.get("IB")?.settings, { port: 2575, max_connections: null });
  assert.deepEqual(inbounds.get("IB")?.options, {
    router: "later",
    source_ip_allowlist: ["10.0.0.0/8", "::1"],
    ack_mode: "enhanced",
  });
});

Deno.test("a declaration outside a load is refused, during a run too", () => {
  load(() => {});
  assert.throws(() => mf.router("r", () => null), { code: "graph.outside_load" });
  load(() => {
    setRun({ ingestTime: 1, lineage: undefined, readState: () => undefined });
    try {
      assert.throws(() => mf.router("r", () => null), { code: "graph.outside_load" });
    } finally {
      setRun(undefined);
    }
  });
});

Deno.test("names are checked and taken once", () => {
  const names = ["", " a", "a ", "a\u0007", "a/b", "_a", "x".repeat(257), 7, undefined];
  for (const name of names) {
    refuses(() => js.outbound!(name, mllpOut()), /^Cannot declare outbound .*name/);
    refuses(() => js.router!(name, () => null), /^Cannot declare router .*name/);
  }
  const twice = (declare: () => void) => () => {
    declare();
    declare();
  };
  refuses(twice(() => mf.router("r", () => null)), /^Cannot declare router "r": another one has/);
  refuses(twice(() => mf.handler("h", () => null)), /^Cannot declare handler "h": another one has/);
  refuses(
    twice(() => mf.outbound("X", mllpOut())),
    /^Cannot declare outbound "X": an outbound has/,
  );
  refuses(() => {
    mf.inbound("X", mllpIn(), { router: "r" });
    mf.outbound("X", mllpOut());
  }, /^Cannot declare outbound "X": an inbound has that name already/);
});

Deno.test("settings and options are checked again at run time", () => {
  const out = (...values: unknown[]) => () => js.outbound!("X", ...values);
  const into = (...values: unknown[]) => () => js.inbound!("X", ...values);
  const r = { router: "r" };
  const fileRef = () => mf.fileRef({ path: "/x.csv" });
  const query = { server: "s", database: "d", username: "u", statement: "TABLE t", keyColumn: "k" };
  const dbRef = (parts: Record<string, unknown>) => () =>
    js.databaseRef!({ dialect: "postgres", ...query, ...parts });
  const cases: readonly (readonly [() => unknown, RegExp])[] = [
    [out(mf.mllp({ port: 1 })), /"X": Setting "host" is required/],
    [into(mllpOut(), r), /"X": Setting "host" belongs to outbound connections only/],
    [into(js.mllp!({ port: "2575" }), r), /Setting "port" must be a whole number/],
    [into(js.mllp!({ port: 1, retries: 3 }), r), /Setting "retries" is unknown/],
    [
      () => js.mllp!({ tls_ca_file: "x", port: 1 }),
      /setting "tls_ca_file" is written in camelCase/,
    ],
    [() => js.mllp!(null), /want its settings as an object/],
    [out({ type: "mllp" }), /want a transport such as mllp/],
    [out(js.mllp!({ host: "h", port: 1, tlsKeyPassword: "x" })), /is a secret and must come from/],
    [into(mllpIn(), {}), /option "router" must be a router|Option "router" is required/],
    [into(mllpIn(), { router: mf.env("r") }), /option "router" must be a router/],
    [into(mllpIn(), { ...r, contentType: "hl7" }), /Option "content_type" must be one of/],
    [into(mllpIn(), { ...r, ackMode: "fast" }), /Option "ack_mode" must be one of/],
    [into(mllpIn(), { ...r, ackAfter: "delivered" }), /Option "ack_after" cannot be "delivered"/],
    [into(mllpIn(), { ...r, contentType: "json", strict: true }), /Option "strict" needs content/],
    [into(mllpIn(), { ...r, hl7Version: "2.5.1" }), /Option "hl7_version" needs "strict"/],
    [into(mllpIn(), { ...r, bindAddress: " " }), /Option "bind_address" must be a string/],
    [
      into(mf.file({ directory: "/x" }), { ...r, bindAddress: "::1" }),
      /needs a transport that lis/,
    ],
    [
      into(mf.file({ directory: "/x" }), { ...r, sourceIpAllowlist: [] }),
      /needs a transport that l/,
    ],
    [into(mllpIn(), { ...r, sourceIpAllowlist: ["10.0.0.0/33"] }), /must hold IP addresses/],
    [into(mllpIn(), { ...r, metadata: ["x"] }), /Option "metadata" must be a table/],
    [into(mllpIn(), { ...r, metadata: { f: () => 1 } }), /they hold a function/],
    [into(mllpIn(), { ...r, retention: 1 }), /Option "retention" is unknown/],
    [into(mllpIn(), { ...r, priority: "low" }), /Option "priority" is not supported: no profile/],
    [into(mllpIn(), { ...r, shard: "a" }), /Option "shard" is not supported: one process/],
    [into(mllpIn(), { ...r, captureAck: true }), /Option "capture_ack" is not supported: ackno/],
    [out(mllpOut(), { stall: {} }), /Option "stall" is not supported: use "buildup"/],
    [out(mllpOut(), { priority: "low" }), /Option "priority" is not supported/],
    [into(mf.loopback(), { ...r, strict: true }), /Option "strict" needs a partner's messages/],
    [into(mf.loopback(), { ...r, ackMode: "original" }), /Option "ack_mode" must be "none"/],
    [into(mf.loopback(), { ...r, bindAddress: "::1" }), /needs a transport that listens, not "loo/],
    [out(mf.loopback()), /nothing is delivered over transport "loopback"/],
    [() => js.reference!("r", {}), /option "source" must be fileRef/],
    [() => js.reference!("r", { source: fileRef(), refreshSeconds: -1 }), /at least 0/],
    [() => js.reference!("r", { source: fileRef(), maxStalenessSeconds: 9 }), /is reserved; 0 is/],
    [() => js.reference!("r", { source: fileRef(), key: "x" }), /option "key" is unknown/],
    [() => js.fileRef!({ path: " " }), /setting "path" must be a text that is not blank/],
    [() => js.fileRef!({ path: "/x.csv", sheet: 1 }), /setting "sheet" is unknown/],
    [() => js.databaseRef!({}), /^Cannot read a reference from a database: .*"server" is required/],
    [dbRef({ dialect: "oracle" }), /"dialect" must be one of "sqlserver", "postgres"/],
    [dbRef({ auth: "integrated" }), /"auth" must be "sql" when "dialect" is "postgres"/],
    [dbRef({ dialect: "sqlserver", server: "db\\one" }), /"server" must be a host alone/],
    [dbRef({ dialect: "sqlserver", server: "db,1433" }), /"server" must be a host alone/],
    [
      dbRef({ dialect: "sqlserver", auth: "integrated" }),
      /"username" must be such as "DOMAIN\\user" when "auth" is "integrated"/,
    ],
    [dbRef({ dialect: undefined }), /"statement" must be a query: SELECT, or WITH and SELECT/],
    [
      dbRef({ dialect: "sqlserver", statement: "SELECT 1 AS k EXEC p" }),
      /"statement" must be a query that only reads: it says "EXEC"/,
    ],
    [
      dbRef({ password: "plain" }),
      /"password" is a secret and must come from the env.*use env\(\)/,
    ],
    [
      dbRef({ password: mf.env("p", { default: "x" }) }),
      /"password" .* its env\(\) takes no default/,
    ],
    [dbRef({ table: "t" }), /setting "table" is unknown/],
    [dbRef({ key_column: "k" }), /setting "key_column" is unknown/],
    [dbRef({ keyColumn: " " }), /"key_column" must be a string that is not blank/],
    [dbRef({ port: 0 }), /"port" must be a whole number between 1 and 65535/],
    [out(mllpOut(), { retry: { maxAttempts: 1.5 } }), /key "max_attempts" must be a whole number/],
    [out(mllpOut(), { retry: { attempts: 1 } }), /key "attempts" is unknown/],
    [out(mllpOut(), { retry: 3 }), /Option "retry" must be a table/],
    [out(mllpOut(), { buildup: { maxDepth: -1 } }), /key "max_depth" must be/],
    [out(mllpOut(), { ordering: "lifo" }), /Option "ordering" must be one of/],
    [out(mllpOut(), { internalError: "retry" }), /Option "internal_error" must be one of/],
    [out(mllpOut(), { simulate: "yes" }), /Option "simulate" must be true or false/],
    [() => js.handler!("h"), /^Cannot declare handler "h": want a function/],
  ];
  for (const [body, message] of cases) refuses(body, message);
});

Deno.test("the tables of options are the same for connections.toml", () => {
  const listener = { type: "mllp", listen: true };
  assert.deepEqual(checkInboundOptions(listener, { router: "r", bind_address: "::1" }), []);
  assert.deepEqual(checkOutboundOptions({ retry: { max_attempts: 0 }, constructor: 1 }), [
    'Option "constructor" is unknown',
  ]);
});

Deno.test("addresses and ranges", () => {
  const accepts = (entry: string) =>
    checkInboundOptions({ type: "mllp", listen: true }, {
      router: "r",
      source_ip_allowlist: [entry],
    }).length === 0;
  const good = [
    "10.0.0.1",
    "10.0.0.0/8",
    "0.0.0.0/0",
    "::",
    "::1",
    "fe80::1/64",
    "1::",
    "::ffff:10.0.0.5",
  ];
  const bad = [
    "",
    "10.0.0",
    "10.0.0.256",
    "10.0.0.01",
    "10.0.0.0/33",
    "::/129",
    "1:::2",
    "::1/a",
    "g::",
    "host",
  ]
    .concat(["1:2:3:4:5:6:7:8:9", "1:2:3:4:5:6:7", "10.0.0.0/8/9", "1::2::3"]);
  for (const entry of good) assert.ok(accepts(entry), entry);
  for (const entry of bad) assert.ok(!accepts(entry), entry);
});

Deno.test("env() is a reference and nothing else", () => {
  const reference = mf.env("key", { cast: "int", default: 3 });
  for (
    const use of [
      () => `${reference}`,
      () => Number(reference),
      () => String(reference),
      () => JSON.stringify({ reference }),
      () => mf.send("OB", { reference: reference as never }),
    ]
  ) {
    assert.throws(use, mf.GraphError);
  }
  assert.deepEqual(Object.keys(reference), []);
  for (
    const [key, options] of [["", {}], ["k", { cast: "date" }], ["k", { default: {} }], ["k", {
      x: 1,
    }]]
  ) {
    assert.throws(() => js.env!(key, options), { code: "graph.env_invalid" });
  }
});

Deno.test("code sets answer, miss and refuse", () => {
  load(() => {
    const table = mf.codeSet("events");
    assert.equal(table.get("A01"), "admit");
    assert.equal(table.get(undefined), undefined);
    assert.equal(table.has("A99"), false);
    assert.deepEqual([table.name, table.size, [...table.keys()]], ["events", 1, ["A01"]]);
    assert.equal(table.require("A01"), "admit");
    assert.throws(() => table.require("12345"), (thrown: mf.GraphError) => {
      assert.equal(thrown.code, "graph.code_set_miss");
      assert.ok(!thrown.message.includes("12345"));
      return true;
    });
    assert.throws(() => mf.codeSet("none"), { code: "graph.code_set_unknown" });
  });
  assert.throws(() => mf.codeSet("events"), { code: "graph.code_set_outside" });
});

Deno.test("outside a run there is no state, no time", () => {
  assert.equal(mf.state("n", "k"), undefined);
  assert.equal(mf.currentIngestTime(), undefined);
});
