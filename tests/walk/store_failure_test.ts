import assert from "node:assert/strict";
import { DatabaseSync } from "node:sqlite";
import { MllpSender } from "../connectors/mllp_sender.ts";
import { ScriptedPartner } from "../connectors/scripted_partner.ts";
import { freePort, until } from "../connectors/waiting.ts";
import { admission, answered, Walk } from "./bench.ts";

// Goal: while the store cannot commit nobody is told that it did, and afterwards all goes on by
// itself.

function pass(port: number, partner: ScriptedPartner): string {
  return `
    import { handler, inbound, mllp, outbound, router, send } from "messagefoundry";
    const lab = outbound("OB_LAB", mllp({ host: "127.0.0.1", port: ${partner.port} }));
    const pass = handler("pass", (msg) => send(lab, msg));
    const route = router("route", () => pass);
    inbound("IB_ADT", mllp({ port: ${port} }), { router: route });
  `;
}

/** Sends until the connection is closed on it or `count` are answered; returns what was answered AA. */
async function sendUntilRefused(
  port: number,
  { prefix, count, extra }: { prefix: string; count: number; extra: string },
): Promise<{ acknowledged: string[]; refused: boolean }> {
  using sender = await MllpSender.connect(port);
  const acknowledged: string[] = [];
  for (let index = 0; index < count; index += 1) {
    sender.send(admission(`${prefix}${index}`, { extra }));
    try {
      const replies = await sender.waitForReplies(index + 1, 20_000);
      assert.equal(answered(replies[index]!).code, "AA");
      acknowledged.push(`${prefix}${index}`);
    } catch {
      return { acknowledged, refused: true };
    }
  }
  return { acknowledged, refused: false };
}

const canMount = Deno.build.os === "linux" && Deno.uid() === 0;
if (!canMount) console.warn("Skipped: a full disk needs root, to mount a small one");

Deno.test({
  name: "a full disk answers nobody and closes; with space again intake resumes without a restart",
  ignore: !canMount,
  async fn() {
    const disk = await Deno.makeTempDir({ prefix: "mefor_disk_" });
    await run("mount", "-t", "tmpfs", "-o", "size=6m", "tmpfs", disk);
    try {
      await using partner = await ScriptedPartner.start();
      const port = await freePort();
      await using walk = await Walk.open({ graph: pass(port, partner), storeDir: disk });
      const extra = `NTE|1||${"x".repeat(20_000)}\r`;
      const before = await sendUntilRefused(port, { prefix: "A", count: 1_000, extra });
      assert.ok(before.refused && before.acknowledged.length > 20, "the disk is full");
      assert.match(await walk.logged("intake.store_failed"), /store\.disk_full/);
      const again = await sendUntilRefused(port, { prefix: "B", count: 3, extra });
      assert.deepEqual(again, { acknowledged: [], refused: true });

      await run("mount", "-o", "remount,size=64m", disk);
      const after = await sendUntilRefused(port, { prefix: "C", count: 20, extra });
      assert.equal(after.refused, false);
      await walk.drained(60_000);
      const acknowledged = [...before.acknowledged, ...after.acknowledged];
      const arrived = partner.controlIds;
      const firsts = arrived.filter((id, index) => arrived.indexOf(id) === index);
      const stored = (await walk.summaries()).map(({ controlId }) => controlId).toReversed();
      assert.deepEqual(firsts, stored, "delivered in the order they are stored");
      for (const id of acknowledged) assert.ok(stored.includes(id), `${id} was acknowledged`);
      assert.ok(arrived.length - firsts.length <= 1, "the delivery that could not be noted");
      await walk.stop();
    } finally {
      await run("umount", disk);
      await Deno.remove(disk);
    }
  },
});

// Goal: who holds the tables holds up neither senders nor partners, for commits go to the log.
Deno.test("tables that another process holds catch up when they are let go", async () => {
  await using partner = await ScriptedPartner.start();
  const port = await freePort();
  await using walk = await Walk.open({ graph: pass(port, partner) });
  const one = { count: 1, extra: "" };
  assert.equal((await sendUntilRefused(port, { prefix: "A", ...one })).refused, false);
  await walk.drained();
  {
    using holder = new DatabaseSync(walk.storePath);
    holder.exec("BEGIN IMMEDIATE");
    const held = await sendUntilRefused(port, { prefix: "B", ...one });
    assert.deepEqual(held, { acknowledged: ["B0"], refused: false });
    await until(() => partner.controlIds.includes("B0"), "the message to go through");
    holder.exec("ROLLBACK");
  }
  assert.equal((await sendUntilRefused(port, { prefix: "C", ...one })).refused, false);
  await until(() => partner.controlIds.includes("C0"), "the next message");
  await walk.drained();
  assert.deepEqual(partner.controlIds, ["A0", "B0", "C0"]);
  assert.equal((await walk.summaries("B0")).length, 1);
});

async function run(command: string, ...args: string[]): Promise<void> {
  const { success, stderr } = await new Deno.Command(command, { args }).output();
  if (!success) throw new Error(`${command}: ${new TextDecoder().decode(stderr)}`);
}
