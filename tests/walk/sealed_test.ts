/** A real engine whose store has a key: where patients' data lies in clear, and where it does not. */
import assert from "node:assert/strict";
import { root, Served, type TempDir, tempDir } from "../cli/program.ts";
import { MllpSender } from "../connectors/mllp_sender.ts";
import { ScriptedPartner } from "../connectors/scripted_partner.ts";
import { freePort, pause, within } from "../connectors/waiting.ts";
import { admission, answered } from "./bench.ts";

const key = new Uint8Array(32).fill(5).toBase64();
/** The head of what `sha256sum` says of that key. */
const KEY_ID = "f849d67325facf04";

/** Begins every value of a patient in this file; no name, path or code holds it. */
const CANARY = "CANARY";

function graph({ port, lab, away }: { port: number; lab: number; away: number }): string {
  return `
    import { handler, inbound, mllp, outbound, router, send, setState } from "messagefoundry";
    const lab = outbound("OB_LAB", mllp({ host: "127.0.0.1", port: ${lab} }));
    const away = outbound("OB_AWAY", mllp({ host: "127.0.0.1", port: ${away} }));
    const both = handler("both", (msg) => [send(lab, msg), send(away, msg)]);
    const keep = handler("keep", (msg) => setState("beds", "1", msg.get("PID-5.1")!));
    const fail = handler("fail", (msg) => { throw new Error("No bed for " + msg.get("PID-5")); });
    const route = router("route", (msg) => {
      switch (msg.get("MSH-10")![0]) {
        case "K": return [both, keep];
        case "F": return fail;
        default: return both;
      }
    });
    inbound("IB_ADT", mllp({ port: ${port} }), { router: route });
  `;
}

/** An admission of somebody with a name, a number and an address to look for. */
function canary(controlId: string): string {
  return admission(controlId)
    .replace("SAMPLE^PERSON", `${CANARY}NAME^${CANARY}GIVEN`)
    .replace(/PID\|1\|0\|[^^]*/, `PID|1|0|${CANARY}MRN`)
    .replace("19800203|F", `19800203|F|||${CANARY} STREET 1^^${CANARY}TOWN`);
}

function rejection(controlId: string): string {
  return "\x0bMSH|^~\\&|LAB|X|ENGINE|Y|20260102030405||ACK|A1|P|2.5.1\r" +
    `MSA|AR|${controlId}|Unknown patient ${CANARY}NAME^${CANARY}GIVEN\r\x1c\r`;
}

interface Site extends AsyncDisposable {
  readonly dir: TempDir;
  readonly port: number;
  readonly partner: ScriptedPartner;
  serve(env?: Readonly<Record<string, string>>): Served;
}

async function openSite(): Promise<Site> {
  const dir = await tempDir();
  const partner = await ScriptedPartner.start();
  const [port, away] = [await freePort(), await freePort()];
  await dir.write("graph/walk.ts", graph({ port, lab: partner.port, away }));
  await dir.write(
    "messagefoundry.toml",
    "[auth]\nenabled = false\n[api]\nport = 0\n[logging]\nlevel = 'debug'\n",
  );
  await dir.write("tmp/here", "");
  return {
    dir,
    port,
    partner,
    serve: (env = { MEFOR_STORE_ENCRYPTION_KEY: key }) =>
      new Served(["--engine", ...engineArgs(dir)], {
        flags: engineFlags(dir),
        env: { ...env, TMPDIR: `${dir.path}/tmp`, SQLITE_TMPDIR: `${dir.path}/tmp` },
      }),
    async [Symbol.asyncDispose]() {
      await partner[Symbol.asyncDispose]();
      await dir[Symbol.asyncDispose]();
    },
  };
}

function engineArgs({ path }: TempDir): string[] {
  return ["--project-root", path, "--db", `${path}/data/mf.db`, "--env", "dev"];
}

function engineFlags({ path }: TempDir): string[] {
  return [
    "--allow-net=127.0.0.1",
    `--allow-read=${root}/src,${path}`,
    `--allow-write=${path}`,
    "--allow-env=MEFOR_*",
    "--ignore-env",
  ];
}

/** Names of the files below a directory that hold `text` in clear, and of all. */
function filesOf(dir: string, text: string): { all: string[]; holding: string[] } {
  const all: string[] = [];
  const holding: string[] = [];
  const visit = (path: string) => {
    for (const { name, isDirectory } of Deno.readDirSync(path)) {
      if (isDirectory) {
        visit(`${path}/${name}`);
        continue;
      }
      all.push(name);
      const bytes = new TextDecoder("latin1").decode(Deno.readFileSync(`${path}/${name}`));
      if (bytes.includes(text)) holding.push(name);
    }
  };
  visit(dir);
  return { all, holding };
}

async function apiOf(served: Served): Promise<string> {
  const line = await served.line(/engine\.started/);
  return /http:\S+/.exec(line)![0];
}

async function json(url: string) {
  const response = await fetch(url);
  assert.equal(response.status, 200, url);
  return await response.json();
}

/** Waits until a list of the API has so many entries. */
async function total(url: string, wanted: number): Promise<void> {
  while ((await json(url)).total < wanted) await pause(20);
}

// Goal: with a key no value of a patient lies in clear in the database, its WAL, the commit log,
// temporary files, the log, metrics or totals (I47); whoever may see it, and partners, still get it.
// Method: one message each that is delivered, waits, is refused by the partner, fails in a handler,
// goes into state, is no HL7; a search of every file of the engine alive, killed, and stopped.
Deno.test("an engine with a key leaves no patient in clear in any file or log of it", async () => {
  await using site = await openSite();
  const { dir, port, partner } = site;
  const data = `${dir.path}/data`;
  const noneIn = (...dirs: string[]) => {
    for (const path of dirs) assert.deepEqual(filesOf(path, CANARY).holding, [], path);
  };
  {
    const served = site.serve();
    const api = await apiOf(served);
    assert.match(
      await served.line(/store\.opened/),
      new RegExp(`sealed=true key_id=${KEY_ID} retired_keys=0`),
    );
    using sender = await MllpSender.connect(port);
    partner.script({ do: "ack" }, { do: "raw", bytes: rejection("R1") });
    for (const [index, id] of ["D1", "R1", "F1", "K1"].entries()) {
      sender.send(canary(id));
      const replies = await sender.waitForReplies(index + 1);
      assert.equal(answered(replies[index]!).code, "AA", id);
    }
    sender.send(`${CANARY}GARBAGE is no HL7`);
    await sender.waitForReplies(5);
    await partner.waitForFrames(3);
    assert.match(partner.received[0]!.text, /CANARYNAME\^CANARYGIVEN/);
    await within(total(`${api}/dead-letters`, 1), "a dead letter", 15_000);
    await within(total(`${api}/messages?status=error`, 2), "two failed messages", 15_000);
    assert.deepEqual(
      filesOf(data, CANARY).all.filter((name) => /^mf\.db(-\w+)?$/.test(name)).toSorted(),
      ["mf.db", "mf.db-log", "mf.db-shm", "mf.db-wal"],
    );
    noneIn(data, `${dir.path}/tmp`);
    for (const path of ["/metrics", "/stats", "/status", "/health"]) {
      const response = await fetch(api + path);
      assert.doesNotMatch(await response.text(), /CANARY/, path);
    }
    const { messages } = await json(`${api}/messages?control_id=D1`);
    const { raw } = await json(`${api}/messages/${messages[0].id}`);
    assert.match(raw, /CANARYNAME\^CANARYGIVEN/, "who may see it, sees it");
    await served.stop("SIGKILL");
    assert.doesNotMatch(served.text, /CANARY/);
    assert.ok(!served.text.includes(key.slice(0, 8)), "the log shows the key");
    noneIn(data, `${dir.path}/tmp`);
  }
  await using again = site.serve();
  await apiOf(again);
  assert.equal(await again.stop(), 0);
  assert.doesNotMatch(again.text, /CANARY/);
  assert.deepEqual(filesOf(data, "").all.filter((name) => /-(wal|log)$/.test(name)), []);
  assert.deepEqual(filesOf(data, "mfenc:v1:").holding, ["mf.db"]);
  noneIn(data, `${dir.path}/tmp`);
});

// Goal: the search above finds what is there.
Deno.test("an engine without a key says so, and its files hold patients in clear", async () => {
  await using site = await openSite();
  await using served = site.serve({});
  await apiOf(served);
  assert.match(await served.line(/store\.opened/), /sealed=false(?!.*key)/);
  using sender = await MllpSender.connect(site.port);
  sender.send(canary("D1"));
  await sender.waitForReplies(1);
  assert.ok(filesOf(`${site.dir.path}/data`, CANARY).holding.includes("mf.db-log"));
});

// Goal: with the key gone or changed nothing is lost and nothing is taken (I48, I51): the engine
// does not start and says which key it wants; with that key retired everything is there.
Deno.test("an engine without the key of its store refuses, and goes on with it retired", async () => {
  await using site = await openSite();
  const { port, partner } = site;
  const newKey = new Uint8Array(32).fill(6).toBase64();
  {
    await using served = site.serve();
    await apiOf(served);
    partner.script({ do: "close" });
    using sender = await MllpSender.connect(port);
    sender.send(canary("D1"));
    await sender.waitForReplies(1);
    await partner.waitForFrames(1);
    assert.equal(await served.stop(), 0);
  }
  const wrong: readonly Record<string, string>[] = [{}, { MEFOR_STORE_ENCRYPTION_KEY: newKey }];
  for (const env of wrong) {
    const refused = site.serve(env);
    assert.equal(await refused.ended(), 3);
    assert.match(refused.text, new RegExp(`sealed with key "${KEY_ID}", which is not configured`));
    assert.doesNotMatch(refused.text, /engine\.(listener|started)|CANARY/);
    await assert.rejects(MllpSender.connect(port));
  }
  await using served = site.serve({
    MEFOR_STORE_ENCRYPTION_KEY: newKey,
    MEFOR_STORE_ENCRYPTION_KEYS_RETIRED: key,
  });
  await apiOf(served);
  assert.match(await served.line(/store\.opened/), /sealed=true key_id=\w{16} retired_keys=1/);
  await partner.waitForFrames(2);
  assert.match(partner.received[1]!.text, /CANARYNAME\^CANARYGIVEN/);
});
