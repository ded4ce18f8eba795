/** A real engine with keys, a partner, and a search for patients in every file of it. */
import assert from "node:assert/strict";
import { root, Served, type TempDir, tempDir } from "../cli/program.ts";
import { ScriptedPartner } from "../connectors/scripted_partner.ts";
import { freePort, pause } from "../connectors/waiting.ts";
import { admission } from "./bench.ts";

export const key = new Uint8Array(32).fill(5).toBase64();
/** The head of what `sha256sum` says of that key. */
export const KEY_ID = "f849d67325facf04";

/** Begins every value of a patient in this file; no name, path or code holds it. */
export const CANARY = "CANARY";

function graph({ port, lab, away }: { port: number; lab: number; away: number }): string {
  return `
    import { handler, inbound, mllp, outbound, router, send, setState } from "messagefoundry";
    const lab = outbound("OB_LAB", mllp({ host: "127.0.0.1", port: ${lab} }));
    const away = outbound("OB_AWAY", mllp({ host: "127.0.0.1", port: ${away} }));
    const both = handler("both", (msg) => [send(lab, msg), send(away, msg)]);
    const one = handler("one", (msg) => send(lab, msg));
    const keep = handler("keep", (msg) => setState("beds", "1", msg.get("PID-5.1")!));
    const fail = handler("fail", (msg) => { throw new Error("No bed for " + msg.get("PID-5")); });
    const route = router("route", (msg) => {
      switch (msg.get("MSH-10")![0]) {
        case "K": return [both, keep];
        case "F": return fail;
        case "L": return one;
        default: return both;
      }
    });
    inbound("IB_ADT", mllp({ port: ${port} }), { router: route });
  `;
}

/** An admission of somebody with a name, a number and an address to look for. */
export function canary(controlId: string): string {
  return admission(controlId)
    .replace("SAMPLE^PERSON", `${CANARY}NAME^${CANARY}GIVEN`)
    .replace(/PID\|1\|0\|[^^]*/, `PID|1|0|${CANARY}MRN`)
    .replace("19800203|F", `19800203|F|||${CANARY} STREET 1^^${CANARY}TOWN`);
}

export function rejection(controlId: string): string {
  return "\x0bMSH|^~\\&|LAB|X|ENGINE|Y|20260102030405||ACK|A1|P|2.5.1\r" +
    `MSA|AR|${controlId}|Unknown patient ${CANARY}NAME^${CANARY}GIVEN\r\x1c\r`;
}

export interface Site extends AsyncDisposable {
  readonly dir: TempDir;
  readonly port: number;
  readonly partner: ScriptedPartner;
  serve(env?: Readonly<Record<string, string>>): Served;
}

export async function openSite(): Promise<Site> {
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
export function filesOf(dir: string, text: string): { all: string[]; holding: string[] } {
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

export async function apiOf(served: Served): Promise<string> {
  const line = await served.line(/engine\.started/);
  return /http:\S+/.exec(line)![0];
}

export async function json(url: string) {
  const response = await fetch(url);
  assert.equal(response.status, 200, url);
  return await response.json();
}

/** Waits until a list of the API has so many entries. */
export async function total(url: string, wanted: number): Promise<void> {
  while ((await json(url)).total < wanted) await pause(20);
}
