/**
 * One connection, the library and this runtime together, against a server that speaks the protocol:
 * what goes out, in which order, and what becomes of what comes back.
 */
import assert from "node:assert/strict";
import { StoreError } from "../../../src/store/errors.ts";
import { ConnectionLost } from "../../../src/store/server/connection_lost.ts";
import type { ServerOptions } from "../../../src/store/server/dialect.ts";
import { Connection } from "../../../src/store/sqlserver/connection.ts";
import { describeFailure } from "../../../src/store/sqlserver/failures.ts";
import { Authority } from "../../connectors/certificates.ts";
import { type Answer, Refusal, type Session, TdsServer } from "./tds_server.ts";
import type { Call } from "./tds_tokens.ts";

const SESSION = "SET XACT_ABORT ON";

/** A script of statements; what it does not know changes one row. */
function script(answers: Readonly<Record<string, (call: Call) => Answer | Promise<Answer>>> = {}) {
  const calls: Call[] = [];
  const session: Session = {
    ask: async (call) => {
      calls.push(call);
      return await (answers[call.text]?.(call) ?? { count: 1 });
    },
    act: () => Promise.resolve(),
  };
  return { calls, open: () => session };
}

function optionsOf({ port }: TdsServer, parts: Partial<ServerOptions> = {}): ServerOptions {
  return {
    host: "127.0.0.1",
    port,
    database: "MessageFoundry",
    user: "mefor",
    password: "secret",
    auth: "sql",
    encrypt: false,
    trustServerCertificate: false,
    caText: undefined,
    schema: "mefor_1",
    applicationName: "messagefoundry",
    connectTimeoutMs: 10_000,
    commandTimeoutMs: 10_000,
    ...parts,
  };
}

async function connected(server: TdsServer, parts: Partial<ServerOptions> = {}) {
  const connection = await Connection.open(optionsOf(server, parts), SESSION);
  return { connection, [Symbol.asyncDispose]: () => connection.close() };
}

/** What was heard beside the library's own settings of the session. */
function heard(server: TdsServer): readonly string[] {
  const from = server.heard.lastIndexOf(SESSION);
  return server.heard.slice(from + 1);
}

Deno.test("a connection says who it is for, and asks in the schema that is set", async () => {
  await using server = new TdsServer(script());
  await using it = await connected(server);
  const { count } = await it.connection.ask("UPDATE mefor.queue SET seq = 1");
  assert.equal(count, 1);
  assert.deepEqual(heard(server), ["UPDATE [mefor_1].queue SET seq = 1"]);
  const login = server.logins.at(-1);
  assert.deepEqual(login, {
    user: "mefor",
    application: "messagefoundry",
    database: "MessageFoundry",
    packetSize: 16_384,
  });
});

Deno.test("values go out by their types, and rows come back as the store reads them", async () => {
  const told = script({
    ask: () => ({
      rows: [
        { seq: 2 ** 53 - 1, body: "a\u{1f600}", none: null },
        { seq: -1, body: "mfenc:nul:%00", none: null },
      ],
    }),
    "nothing": () => ({ names: ["seq"] }),
  });
  await using server = new TdsServer(told);
  await using it = await connected(server);
  const long = "x".repeat(10_000);
  const values = ["a\0b", 2 ** 53 - 1, true, null, ["a", null, 7], long];
  const { rows } = await it.connection.ask("ask", values);
  const call = told.calls.at(-1)!;
  assert.deepEqual(call.types, [
    ...["nvarchar(4000)", "bigint", "bit", "nvarchar(4000)", "nvarchar(max)", "nvarchar(max)"],
  ]);
  assert.deepEqual(call.values, [
    ...["mfenc:nul:a%00b", 2 ** 53 - 1, true, null, '["a",null,7]', long],
  ]);
  assert.deepEqual(rows, [
    { seq: 2 ** 53 - 1, body: "a\u{1f600}", none: null },
    { seq: -1, body: "\0", none: null },
  ]);
  assert.deepEqual(await it.connection.ask("nothing"), { rows: [], count: 0 });
});

Deno.test("what is asked together is done in order, in one transaction", async () => {
  await using server = new TdsServer(script());
  await using it = await connected(server);
  const { connection } = it;
  await Promise.all([
    connection.begin(),
    connection.ask("one"),
    connection.ask("two"),
    connection.commit(),
    connection.ask("three"),
  ]);
  assert.deepEqual(heard(server), ["begin", "one", "two", "commit", "three"]);
});

Deno.test("behind what failed in a transaction nothing goes out, until it is rolled back", async () => {
  await using server = new TdsServer(script({
    two: () => {
      throw new Refusal(2627);
    },
  }));
  await using it = await connected(server);
  const { connection } = it;
  const done = await Promise.allSettled([
    connection.begin(),
    connection.ask("one"),
    connection.ask("two"),
    connection.ask("three"),
    connection.commit(),
  ]);
  assert.deepEqual(done.map(({ status }) => status === "fulfilled"), [
    true,
    true,
    false,
    false,
    false,
  ]);
  for (const one of done.slice(2)) {
    const { message } = describeFailure((one as PromiseRejectedResult).reason);
    assert.match(message, /\(2627\)/);
  }
  await connection.rollBack();
  await connection.begin();
  await connection.ask("four");
  await connection.commit();
  // The server rolled back by itself, so nobody had to ask for it.
  assert.deepEqual(heard(server), ["begin", "one", "two", "begin", "four", "commit"]);
  assert.equal(connection.isLost, false);
});

Deno.test("a transaction that is left is rolled back", async () => {
  await using server = new TdsServer(script());
  await using it = await connected(server);
  await it.connection.begin();
  await it.connection.ask("one");
  await it.connection.rollBack();
  assert.deepEqual(heard(server), ["begin", "one", "rollback"]);
});

Deno.test("a commit whose answer is lost is of unknown outcome: the connection is lost", async () => {
  const { promise: isGone, resolve: gone } = Promise.withResolvers<void>();
  await using server: TdsServer = new TdsServer({
    open: (drop) => ({
      ask: () => Promise.resolve({ count: 1 }),
      act: async (act) => {
        if (act !== "commit") return;
        drop();
        await isGone;
      },
    }),
  });
  const connection = await Connection.open(optionsOf(server), SESSION);
  let lost = 0;
  connection.onLost = () => lost += 1;
  await connection.begin();
  await connection.ask("one");
  await assert.rejects(connection.commit(), ConnectionLost);
  gone();
  assert.equal(connection.isLost, true);
  assert.equal(lost, 1);
  await assert.rejects(connection.ask("two"), ConnectionLost);
});

Deno.test("a connection that ends is lost and not made again behind anybody's back", async () => {
  await using server = new TdsServer(script());
  const connection = await Connection.open(optionsOf(server), SESSION);
  const logins = server.logins.length;
  const { promise: isLost, resolve } = Promise.withResolvers<void>();
  connection.onLost = resolve;
  server.drop();
  await isLost;
  await assert.rejects(connection.ask("one"), ConnectionLost);
  await connection.close();
  assert.equal(server.logins.length, logins);
});

Deno.test("a statement that takes too long is stopped, and the connection goes on", async () => {
  const session: Session = {
    ask: async ({ text }, signal) => {
      if (text === "slow") {
        await new Promise((go) => signal.addEventListener("abort", go));
      }
      return { count: 1 };
    },
    act: () => Promise.resolve(),
  };
  await using server = new TdsServer({ open: () => session });
  await using it = await connected(server, { commandTimeoutMs: 2_000 });
  const failed = await it.connection.ask("slow").catch((thrown: unknown) => thrown);
  assert.equal(describeFailure(failed).code, "store.busy");
  assert.equal((await it.connection.ask("fast")).count, 1);
  assert.deepEqual(heard(server), ["slow", "attention", "fast"]);
});

Deno.test("an error that ends the session loses the connection", async () => {
  await using server = new TdsServer(script({
    one: () => {
      throw new Refusal(596, 21);
    },
  }));
  const connection = await Connection.open(optionsOf(server), SESSION);
  await assert.rejects(connection.ask("one"), ConnectionLost);
  assert.equal(connection.isLost, true);
});

Deno.test("a sign-in that is refused says so, and a server that is not there too", async () => {
  await using server = new TdsServer({
    ...script(),
    login: () => {
      throw new Refusal(18456);
    },
  });
  const refused = await Connection.open(optionsOf(server), SESSION).catch((thrown) => thrown);
  assert.equal(describeFailure(refused).code, "store.sign_in_refused");
  const options = optionsOf(server);
  await server[Symbol.asyncDispose]();
  const gone = await Connection.open(options, SESSION).catch((thrown) => thrown);
  assert.equal(describeFailure(gone).code, "store.unavailable");
});

Deno.test("TLS: the authority's file, or no connection", async () => {
  const directory = await Deno.makeTempDir({ prefix: "mefor_sqlserver_" });
  try {
    const authority = await Authority.create(directory);
    const files = await authority.issue("server");
    const [cert, key, caText] = await Promise.all(
      [files.cert, files.key, authority.file].map((file) => Deno.readTextFile(file)),
    );
    await using server = new TdsServer(script(), { cert: cert!, key: key! });
    const secured = { encrypt: true, host: "localhost" };
    {
      await using it = await connected(server, { ...secured, caText });
      assert.equal((await it.connection.ask("one")).count, 1);
    }
    {
      await using it = await connected(server, { ...secured, trustServerCertificate: true });
      assert.equal((await it.connection.ask("one")).count, 1);
    }
    const refused = await Connection.open(optionsOf(server, secured), SESSION)
      .catch((thrown: unknown) => thrown);
    assert.ok(refused instanceof StoreError);
    assert.equal(refused.code, "store.tls_refused");
    assert.match(refused.hint!, /tls_ca_file/);
    const plain = await Connection.open(optionsOf(server, { host: "localhost" }), SESSION)
      .catch((thrown: unknown) => thrown);
    assert.ok(plain instanceof StoreError);
    assert.match(plain.hint!, /encrypt = true/);
  } finally {
    await Deno.remove(directory, { recursive: true });
  }
});
