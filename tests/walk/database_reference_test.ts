// Goal: a handler reads what a query gave; where the query may go is said by [egress], when the graph
// is loaded and when it is loaded anew.
import assert from "node:assert/strict";
import { ScriptedPartner } from "../connectors/scripted_partner.ts";
import { freePort, until } from "../connectors/waiting.ts";
import { test } from "../maintenance/one_server.ts";
import { admission, Walk } from "./bench.ts";

function graph({ port, lab, server }: { port: number; lab: number; server: string }): string {
  return `
    import { databaseRef, env, handler, inbound, mllp, outbound, reference, router, send } from "messagefoundry";
    const lab = outbound("OB_LAB", mllp({ host: "127.0.0.1", port: ${lab} }));
    const plans = reference<{ readonly payer: string; readonly rank: number }>("plans", {
      source: databaseRef({
        dialect: "postgres",
        server: "${server}",
        port: env("mdm_port"),
        database: "postgres",
        username: env("mdm_user"),
        password: env("mdm_password"),
        statement: "SELECT plan, payer, rank FROM plans WHERE active",
        keyColumn: "plan",
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
  const owner = { schema: undefined };
  const ask = (text: string) => server.ask(owner, (it) => it.ask(text));
  await ask("CREATE TABLE plans (plan text, payer text, rank integer, active boolean)");
  await ask("INSERT INTO plans VALUES ('P1', 'CANARY-payer', 3, true), ('P2', 'x', 1, false)");
  await using lab = await ScriptedPartner.start();
  const port = await freePort();
  const text = (host: string) => graph({ port, lab: lab.port, server: host });
  const options = {
    env: {
      MEFOR_VALUE_MDM_PORT: String(server.port),
      MEFOR_VALUE_MDM_USER: "postgres",
      MEFOR_VALUE_MDM_PASSWORD: "CANARY-word",
    },
    settings: `[reference]\nrefresh_interval_seconds = 1\n` +
      `[egress]\nallowed_db = ["127.0.0.1:${server.port}"]\n`,
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
  assert.match(await walk.logged("reference.sync_failed"), /SQLSTATE 42P01/);
  assert.deepEqual(await fields("Q3"), ["other", "4"]);
  assert.ok(walk.log.every((line) => !line.includes("CANARY")), "no row and no password is told");
});
