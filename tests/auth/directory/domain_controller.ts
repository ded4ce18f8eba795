/**
 * A real Active Directory: Samba as a child of the test, in a folder and at an address of its own.
 *
 * The domain is made once for a test file (15 s) and copied for each test. It listens on the ports
 * of LDAP, which are fixed, so each one takes a loopback address that nobody else has.
 */
import net from "node:net";
import { Attribute, Change, Client } from "ldapts";
import { Authority, type Identity } from "../../connectors/certificates.ts";
import { hasTool, runTool } from "../../connectors/foreign_tool.ts";
import { pause } from "../../connectors/waiting.ts";

export const DOMAIN = "ad.test";
export const BASE = "DC=ad,DC=test";
export const USERS = `CN=Users,${BASE}`;
/** Looks users up, and may no more than any user. */
export const SERVICE = { dn: `CN=svc-engine,${USERS}`, password: "Serv1ce.of.the.engine" };
const ADMINISTRATOR = { name: `administrator@${DOMAIN}`, password: "Adm1n!Passw0rd" };

/** `userAccountControl` of a user who may sign in, and of one who may not. */
const NORMAL = "512";
const DISABLED = "514";
const READY_MS = 30_000;

/** Whether a domain can be made here; skipped aloud on a laptop, failed in CI. */
export async function hasDomainController(): Promise<boolean> {
  if (!await hasTool("samba", ["--version"])) return false;
  if (!await hasTool("samba-tool", ["--version"])) return false;
  if (!await hasTool("openssl", ["version"])) return false;
  // The ports of LDAP are below 1024.
  return await hasTool("sh", ["-c", "test $(id -u) = 0"]);
}

/** A domain with nobody in it but the account of the engine. */
export class Domain implements AsyncDisposable {
  readonly authority: Authority;
  readonly #dir: string;

  private constructor(dir: string, authority: Authority) {
    this.#dir = dir;
    this.authority = authority;
  }

  static async make(): Promise<Domain> {
    const dir = await Deno.makeTempDir({ prefix: "mefor_domain_" });
    try {
      // deno-fmt-ignore
      await runTool("samba-tool", [
        "domain", "provision", `--targetdir=${dir}/dc`, "--realm=AD.TEST", "--domain=ADTEST",
        `--adminpass=${ADMINISTRATOR.password}`, "--server-role=dc", "--dns-backend=NONE",
        "--host-name=dc1", "--host-ip=127.0.0.53", "--use-rfc2307",
      ], { ms: 180_000 });
      const domain = new Domain(dir, await Authority.create(dir, "domain-ca"));
      await using controller = await domain.start();
      await controller.addUser("svc-engine", { password: SERVICE.password });
      await controller.stop();
      await runTool("rm", ["-rf", `${dir}/dc`]);
      await runTool("mv", [`${controller.dir}/dc`, `${dir}/dc`]);
      return domain;
    } catch (thrown) {
      await Deno.remove(dir, { recursive: true });
      throw thrown;
    }
  }

  /** Starts a copy. `certificate`: another one than the domain's own authority signs. */
  async start(
    { certificate }: { certificate?: (address: string) => Promise<Identity> } = {},
  ): Promise<DomainController> {
    const dir = await Deno.makeTempDir({ prefix: "mefor_dc_" });
    try {
      await runTool("cp", ["-a", "--sparse=always", `${this.#dir}/dc`, `${dir}/dc`]);
      const address = await freeAddress();
      const issue = certificate ?? ((ip) => this.issue(ip));
      const controller = new DomainController({ dir, address, authority: this.authority });
      await controller.present(await issue(address));
      await controller.start();
      return controller;
    } catch (thrown) {
      await Deno.remove(dir, { recursive: true });
      throw thrown;
    }
  }

  /** A certificate for a controller at `address`, and for what stands before it on loopback. */
  issue(address: string, days?: number): Promise<Identity> {
    const altNames = `DNS:dc1.${DOMAIN},DNS:localhost,IP:${address},IP:127.0.0.1`;
    return this.authority.issue(`dc-${address}`, altNames, days);
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await Deno.remove(this.#dir, { recursive: true });
  }
}

export interface UserDraft {
  readonly password?: string;
  readonly isDisabled?: boolean;
  readonly attributes?: Readonly<Record<string, string>>;
  /** Where it stands apart from `CN=<name>,CN=Users`. */
  readonly dn?: string;
}

export class DomainController implements AsyncDisposable {
  readonly dir: string;
  readonly address: string;
  readonly #authority: Authority;
  #child: Deno.ChildProcess | undefined;

  constructor(given: { dir: string; address: string; authority: Authority }) {
    this.dir = given.dir;
    this.address = given.address;
    this.#authority = given.authority;
  }

  get url(): string {
    return `ldaps://${this.address}:636`;
  }

  /** Shows another certificate from the next start on. */
  async present({ cert, key }: Identity): Promise<void> {
    const tls = `${this.dir}/dc/tls`;
    await Deno.mkdir(tls, { recursive: true });
    await Deno.copyFile(cert, `${tls}/cert.pem`);
    await Deno.copyFile(key, `${tls}/key.pem`);
    await Deno.copyFile(this.#authority.file, `${tls}/ca.pem`);
    // Samba stops when others may read it.
    await Deno.chmod(`${tls}/key.pem`, 0o600);
  }

  /** Starts the server and waits until it answers. */
  async start(): Promise<void> {
    const dc = `${this.dir}/dc`;
    await Deno.writeTextFile(`${dc}/etc/smb.conf`, configuration(dc, this.address));
    for (const folder of ["pid", "log", "ncalrpc"]) {
      await Deno.mkdir(`${dc}/${folder}`, { recursive: true });
    }
    this.#child = new Deno.Command("samba", {
      args: ["-F", "--no-process-group", "-M", "single", "-s", `${dc}/etc/smb.conf`],
      stdin: "null",
      stdout: "null",
      stderr: "null",
    }).spawn();
    const deadline = performance.now() + READY_MS;
    while (!await canConnect(this.address)) {
      if (performance.now() < deadline) {
        await pause(50);
        continue;
      }
      const log = await Deno.readTextFile(`${dc}/log/samba.log`).catch(String);
      await this.stop("SIGKILL");
      throw new Error(`Samba does not answer: ${log.slice(-2_000)}`);
    }
  }

  async stop(signal: Deno.Signal = "SIGTERM"): Promise<void> {
    const child = this.#child;
    this.#child = undefined;
    if (child === undefined) return;
    child.kill(signal);
    // A process that was stopped takes no other signal.
    if (signal !== "SIGKILL") child.kill("SIGCONT");
    const timer = setTimeout(() => child.kill("SIGKILL"), 10_000);
    await child.status;
    clearTimeout(timer);
  }

  /** Stops the process where it stands, without ending it. */
  freeze(): void {
    this.#child!.kill("SIGSTOP");
  }

  async addUser(name: string, draft: UserDraft = {}): Promise<string> {
    const { password = "", isDisabled = false, attributes = {} } = draft;
    const dn = draft.dn ?? `CN=${name},${USERS}`;
    await this.#administer((client) =>
      client.add(dn, [
        attribute("objectClass", "user"),
        attribute("sAMAccountName", name),
        attribute("userPrincipalName", `${name}@${DOMAIN}`),
        attribute("unicodePwd", unicodePassword(password)),
        attribute("userAccountControl", isDisabled ? DISABLED : NORMAL),
        ...Object.entries(attributes).map(([type, value]) => attribute(type, value)),
      ])
    );
    return dn;
  }

  /** Adds a group with these members; returns its DN. */
  async addGroup(
    name: string,
    members: readonly string[] = [],
    dn = `CN=${name},${USERS}`,
  ): Promise<string> {
    await this.#administer((client) =>
      client.add(dn, [
        attribute("objectClass", "group"),
        attribute("sAMAccountName", name),
        ...(members.length === 0 ? [] : [new Attribute({ type: "member", values: [...members] })]),
      ])
    );
    return dn;
  }

  async setMembers(group: string, members: readonly string[]): Promise<void> {
    await this.#replace(group, new Attribute({ type: "member", values: [...members] }));
  }

  async rename(dn: string, name: string): Promise<void> {
    await this.#administer((client) => client.modifyDN(dn, `CN=${name}`));
  }

  async setPassword(dn: string, password: string): Promise<void> {
    await this.#replace(dn, attribute("unicodePwd", unicodePassword(password)));
  }

  async set(dn: string, type: string, value: string): Promise<void> {
    await this.#replace(dn, attribute(type, value));
  }

  async disable(dn: string): Promise<void> {
    await this.set(dn, "userAccountControl", DISABLED);
  }

  async delete(dn: string): Promise<void> {
    await this.#administer((client) => client.del(dn));
  }

  async #replace(dn: string, modification: Attribute): Promise<void> {
    await this.#administer((client) =>
      client.modify(dn, new Change({ operation: "replace", modification }))
    );
  }

  async #administer(act: (client: Client) => Promise<void>): Promise<void> {
    const client = new Client({
      url: this.url,
      timeout: 20_000,
      connectTimeout: 20_000,
      tlsOptions: { rejectUnauthorized: false },
    });
    try {
      await client.bind(ADMINISTRATOR.name, ADMINISTRATOR.password);
      await act(client);
    } finally {
      await client.unbind();
    }
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await this.stop("SIGKILL");
    await Deno.remove(this.dir, { recursive: true });
  }
}

function attribute(type: string, value: string | Uint8Array): Attribute {
  const isText = typeof value === "string";
  return new Attribute({ type, values: isText ? [value] : [value as never] });
}

/** Source: [MS-ADTS] §3.1.1.3.1.5. */
function unicodePassword(password: string): Uint8Array {
  return Buffer.from(`"${password}"`, "utf16le");
}

function canConnect(host: string): Promise<boolean> {
  return new Promise((resolve) => {
    const socket = net.connect({ host, port: 636 });
    socket.once("connect", () => {
      socket.destroy();
      resolve(true);
    });
    socket.once("error", () => resolve(false));
  });
}

/** A loopback address on whose LDAP ports nobody listens. */
async function freeAddress(): Promise<string> {
  for (let tries = 0; tries < 50; tries++) {
    const [a, b] = crypto.getRandomValues(new Uint8Array(2));
    const address = `127.77.${a}.${Math.max(2, b! - 1)}`;
    if (!await canConnect(address)) return address;
  }
  throw new Error("Every address is taken");
}

function configuration(dir: string, address: string): string {
  return `[global]
  netbios name = DC1
  workgroup = ADTEST
  realm = AD.TEST
  server role = active directory domain controller
  server services = ldap
  dcerpc endpoint servers =
  interfaces = ${address}/8
  bind interfaces only = yes
  private dir = ${dir}/private
  state directory = ${dir}/state
  cache directory = ${dir}/cache
  lock directory = ${dir}
  pid directory = ${dir}/pid
  ncalrpc dir = ${dir}/ncalrpc
  binddns dir = ${dir}/bind-dns
  winbindd socket directory = ${dir}/wb
  logging = file
  log file = ${dir}/log/samba.log
  tls enabled = yes
  tls keyfile = ${dir}/tls/key.pem
  tls certfile = ${dir}/tls/cert.pem
  tls cafile = ${dir}/tls/ca.pem
  ldap server require strong auth = yes
  # A former password would work for an hour.
  old password allowed period = 0
[sysvol]
  path = ${dir}/state/sysvol
[netlogon]
  path = ${dir}/state/sysvol/ad.test/scripts
`;
}
