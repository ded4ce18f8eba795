/** The shipped archive, made once for the tests of one file and unpacked as an operator would. */
import { archiveName, buildArchive } from "../../tools/bundle.ts";
import { generateMessages } from "../../src/synthetic/mod.ts";
import { runTool } from "../connectors/foreign_tool.ts";

export interface Unpacked extends AsyncDisposable {
  /** A folder that every user may enter; gone afterwards. */
  readonly dir: string;
  /** The archive, outside of what was unpacked. */
  readonly archive: string;
  /** The program folder, read-only as it is in the archive's care. */
  readonly program: string;
}

/** Makes the archive and unpacks it into an empty folder. */
export async function unpackArchive(): Promise<Unpacked> {
  const dir = await Deno.realPath(await Deno.makeTempDir({ prefix: "mefor_ship_" }));
  await Deno.chmod(dir, 0o755);
  const archive = await buildArchive(`${dir}/dist`);
  await Deno.mkdir(`${dir}/opt`);
  await runTool("tar", ["-xzf", archive, "-C", `${dir}/opt`]);
  const program = `${dir}/opt/${archiveName}`;
  await runTool("chmod", ["-R", "a-w", program]);
  return {
    dir,
    archive,
    program,
    async [Symbol.asyncDispose]() {
      await runTool("chmod", ["-R", "u+w", program]);
      await Deno.remove(dir, { recursive: true });
    },
  };
}

/** "nobody" on Debian: as root, the archive is run as somebody else than who unpacked it. */
export const NOBODY = 65534;

const GRAPH = `import { env, handler, inbound, mllp, outbound, router, send } from "messagefoundry";
import { mark } from "./_mark.ts";
const partner = outbound("OB_PARTNER", mllp({ host: "127.0.0.1", port: env("partner_port") }));
const forward = handler("forward", (message) => send(partner, mark(message)));
const route = router("route", (message) => message.messageCode === "ADT" ? forward : null);
inbound("IB_ADT", mllp({ port: env("port") }), { router: route });
`;

const MARK = `import type { Message } from "messagefoundry";
export function mark(message: Message): Message {
  message.set("MSH-6", "MARKED");
  return message;
}
`;

export interface AuthorPlace extends AsyncDisposable {
  /** A bundle, outside of the program folder. */
  readonly author: string;
  /** A folder that the user who runs the engine owns. */
  readonly work: string;
}

/** Lays out what the operator has beside the archive. */
export async function authorPlace(): Promise<AuthorPlace> {
  const dir = await Deno.realPath(await Deno.makeTempDir({ prefix: "mefor_site_" }));
  await Deno.chmod(dir, 0o755);
  const author = `${dir}/interfaces`;
  const work = `${dir}/work`;
  for (const folder of ["graph", "environments", "messages/sets/IB_ADT"]) {
    await Deno.mkdir(`${author}/${folder}`, { recursive: true, mode: 0o755 });
  }
  const [message] = generateMessages({ type: "ADT", triggers: ["A01"], count: 1, seed: "ship" });
  const files = {
    "graph/adt.ts": GRAPH,
    "graph/_mark.ts": MARK,
    "messagefoundry.toml": '[ai]\nenvironment = "dev"\n',
    "messages/sets/IB_ADT/admit.hl7": message?.text ?? "",
  };
  for (const [name, text] of Object.entries(files)) {
    await Deno.writeTextFile(`${author}/${name}`, text, { mode: 0o644 });
  }
  await Deno.mkdir(work);
  if (Deno.uid() === 0) await Deno.chown(work, NOBODY, NOBODY);
  return { author, work, [Symbol.asyncDispose]: () => Deno.remove(dir, { recursive: true }) };
}
