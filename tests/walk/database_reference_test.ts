// Goal: a handler reads what a query gave; where the query may go is said by [egress], when the graph
// is loaded and when it is loaded anew.
import assert from "node:assert/strict";
import { sqlserver } from "../../src/store/sqlserver/dialect.ts";
import { ScriptedPartner } from "../connectors/scripted_partner.ts";
import { freePort, until } from "../connectors/waiting.ts";
import { test } from "../maintenance/one_server.ts";
import { standIn } from "../store/sqlserver/stand_in.ts";
import { TdsServer } from "../store/sqlserver/tds_server.ts";
import { translatedOptions } from "../store/sqlserver/translated.ts";
import { admission, Walk } from "./bench.ts";

/** A server of one kind, with a database for the set. */
interface Place {
  readonly dialect: "postgres" | "sqlserver";
  readonly port: number;
  readonly database: string;
  /** How the log tells of a table that is gone. */
  readonly gone: RegExp;
  ask(text: string): Promise<unknown>;
}

function graph(
  { port, lab, server, place: { dialect, database } }: {
    readonly port: number;
    readonly lab: number;
    readonly server: string;
    readonly place: Place;
  },
): string {
  return `
    import { databaseRef, env, handler, inbound, mllp, outbound, reference, router, send } from "messagefoundry";
    const lab = outbound("OB_LAB", mllp({ host: "127.0.0.1", port: ${lab} }));
    const plans = reference<{ readonly payer: string; readonly rank: number }>("plans", {
      source: databaseRef({
        dialect: "${dialect}",
        server: "${server}",
        port: env("mdm_port"),
        database: "${database}",
        username: env("mdm_user"),
        password: env("mdm_password"),
        statement: "SELECT code, payer, rank FROM plans WHERE active = 1",
        keyColumn: "code",
        encrypt: false,
      }),
      refreshSeconds: 1,
    });
    const enrich = handler("enrich", (msg) => {
      const plan = plans.get("P1");
      return send(lab, msg.set("MSH-3", plan?.payer ?? "unknown").set("MSH-4", (plan?.rank ?? 0) + 1 + ""));
    });
    inbound("IB_ADT", mllp({ port: ${port} }), { router: router("route", () => enrich) });
  `;
}

test("a handler reads what a query gave, and then what it gives", async (server) => {
  const ask = (text: string) => server.ask({ schema: undefined }, (it) => it.ask(text));
  const { port } = server;
  await look({ dialect: "postgres", port, database: "postgres", gone: /SQLSTATE 42P01/, ask });
});

test("so it does of a SQL Server", async (behind) => {
  await using tds = new TdsServer(standIn(behind));
  const connection = await sqlserver.connect(translatedOptions(tds, "mdm"), "writer");
  try {
    const ask = (text: string) => connection.ask(text);
    const { port } = tds;
    await look({ dialect: "sqlserver", port, database: "mdm", gone: /error \d+/, ask });
  } finally {
    await connection.close();
  }
});

async function look(place: Place): Promise<void> {
  const { ask } = place;
  await ask("CREATE TABLE plans (code varchar(9), payer varchar(20), rank bigint, active bigint)");
  await ask("INSERT INTO plans VALUES ('P1', 'CANARY-payer', 3, 1), ('P2', 'x', 1, 0)");
  await using lab = await ScriptedPartner.start();
  const port = await freePort();
  const text = (host: string) => graph({ port, lab: lab.port, server: host, place });
  const options = {
    env: {
      MEFOR_VALUE_MDM_PORT: String(place.port),
      MEFOR_VALUE_MDM_USER: "postgres",
      MEFOR_VALUE_MDM_PASSWORD: "CANARY-word",
    },
    settings: `[reference]\nrefresh_interval_seconds = 1\n` +
      `[egress]\nallowed_db = ["127.0.0.1:${place.port}"]\n`,
  };
  await assert.rejects(
    Walk.open({ ...options, graph: text("localhost") }),
    /Reference "plans" may not reach "localhost:\d+": \[egress\] allowed_db does not allow it/,
  );
  await using walk = await Walk.open({ ...options, graph: text("127.0.0.1") });
  const fields = async (id: string) => {
    await walk.exchange(port, admission(id));
    await walk.disposition(id, "processed");
    return lab.received.at(-1)!.text.split("|").slice(2, 4);
  };
  assert.deepEqual(await fields("Q1"), ["CANARY-payer", "4"]);

  await walk.bundle.write("graph/walk.ts", text("localhost"));
  await assert.rejects(
    walk.engine.reload({ bundleDir: walk.dir, dryRun: false }),
    /Reference "plans" may not reach "localhost:\d+"/,
  );
  const version = () => walk.engine.references.figures()[0]!.version;
  const first = version();
  await ask("UPDATE plans SET payer = 'other'");
  await until(() => version() !== first, "the next version");
  assert.deepEqual(await fields("Q2"), ["other", "4"]);

  await ask("DROP TABLE plans");
  assert.match(await walk.logged("reference.sync_failed"), place.gone);
  assert.deepEqual(await fields("Q3"), ["other", "4"]);
  assert.ok(walk.log.every((line) => !line.includes("CANARY")), "no row and no password is told");
}
