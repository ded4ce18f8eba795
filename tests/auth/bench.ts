/**
 * Accounts over a real store, without the rest of the engine.
 *
 * Every account made here has `PASSWORD`, hashed once: what is under test is not the making.
 */
import { Auth, type SecurityNotice } from "../../src/auth/mod.ts";
import { PasswordHasher } from "../../src/auth/password_hash.ts";
import type { Clock } from "../../src/clock.ts";
import type { CellKeys } from "../../src/crypto/keys.ts";
import { createLogger, renderRecord } from "../../src/logging/mod.ts";
import { loadSettings } from "../../src/settings/mod.ts";
import type { RegisterChange } from "../../src/store/registers/mod.ts";
import type { Store } from "../../src/store/store.ts";
import { SqliteStore } from "../../src/store/sqlite/store.ts";
import { fromBase32, hotp, stepOf } from "../../src/auth/one_time_codes.ts";
import { ShiftedClock } from "./shifted_clock.ts";

export const PASSWORD = "twelve green lamps beside a well";

let hashed: Promise<string> | undefined;

/** The stored form of `PASSWORD`. */
export function passwordHash(): Promise<string> {
  return hashed ??= new PasswordHasher().hash(PASSWORD);
}

export interface Seed {
  readonly roles?: readonly string[];
  readonly email?: string;
  readonly provider?: "local" | "ad";
  readonly mustChange?: boolean;
  /** Channels as JSON. */
  readonly scope?: string;
}

/** Puts an account with `PASSWORD` into a store; returns its id. */
export async function seedUser(
  store: Pick<Store, "submit">,
  name: string,
  { roles = ["viewer"], email, provider = "local", mustChange = false, scope }: Seed = {},
): Promise<string> {
  const id = crypto.randomUUID().replaceAll("-", "");
  const hash = provider === "local" ? await passwordHash() : null;
  const now = Date.now() * 1000;
  const made = [id, name, name.toLowerCase(), provider, null, email ?? null, now, hash];
  const changes: RegisterChange[] = [
    { name: "createUser", values: [...made, mustChange ? 1 : 0, 0], expect: 1 },
    ...roles.map((role): RegisterChange => ({ name: "grantRole", values: [id, role] })),
  ];
  if (scope !== undefined) changes.push({ name: "setChannelScope", values: [scope, now, id] });
  const { applied } = await store.submit({ kind: "register", changes, audit: [] });
  if (!applied) throw new Error(`The name "${name}" is taken`);
  return id;
}

/** The code an authenticator shows. */
export function codeAt(secret: string, clock: Clock, steps = 0): string {
  return hotp(fromBase32(secret), stepOf(clock.now()) + steps);
}

export interface AuthBenchOptions {
  /** Lines of `[auth]`. */
  readonly settings?: string;
  readonly keys?: CellKeys;
  /** `MEFOR_*` variables; secrets come from nowhere else. */
  readonly env?: Readonly<Record<string, string>>;
}

export class AuthBench implements AsyncDisposable {
  readonly clock = new ShiftedClock();
  readonly notices: SecurityNotice[] = [];
  readonly log: string[] = [];
  readonly dir: string;
  store!: SqliteStore;
  auth!: Auth;
  readonly #options: AuthBenchOptions;

  private constructor(dir: string, options: AuthBenchOptions) {
    this.dir = dir;
    this.#options = options;
  }

  static async open(options: AuthBenchOptions = {}): Promise<AuthBench> {
    const bench = new AuthBench(await Deno.makeTempDir({ prefix: "mefor_auth_" }), options);
    try {
      await bench.start();
      return bench;
    } catch (thrown) {
      await bench[Symbol.asyncDispose]();
      throw thrown;
    }
  }

  async start(): Promise<void> {
    const text = `[auth]\n${this.#options.settings ?? ""}\n`;
    const file = { path: "messagefoundry.toml", text };
    const { settings } = loadSettings({ file, env: this.#options.env ?? {} });
    this.store = await SqliteStore.open({
      path: `${this.dir}/messagefoundry.db`,
      synchronous: "normal",
      keys: this.#options.keys,
      now: () => Math.round(this.clock.now() * 1000),
    });
    this.auth = await Auth.open({
      settings: settings.auth,
      store: this.store,
      clock: this.clock,
      logger: createLogger({
        level: "info",
        sinks: [{ write: (record) => this.log.push(renderRecord(record, "text")) }],
      }),
      takeNotice: (notice) => this.notices.push(notice),
    });
  }

  async stop(): Promise<void> {
    this.auth?.[Symbol.dispose]();
    await this.store?.[Symbol.asyncDispose]();
  }

  user(name: string, seed?: Seed): Promise<string> {
    return seedUser(this.store, name, seed);
  }

  /** Signs in and returns the token. */
  async token(username: string, client = "127.0.0.1", password = PASSWORD): Promise<string> {
    return (await this.auth.signIn({ username, password }, client)).token;
  }

  /** Who a token names; fails when nobody. */
  async identity(token: string) {
    const identity = await this.auth.identify(token);
    if (identity === undefined) throw new Error("The session is over");
    return identity;
  }

  /** Audit rows, oldest first: action, actor and detail. */
  async audit(): Promise<[action: string, actor: string, detail: Record<string, unknown>][]> {
    const rows = await this.store.register("auditNewest", 1_000);
    return rows.toReversed().map(({ action, actor, detail }) => [
      String(action),
      String(actor),
      detail === null ? {} : JSON.parse(String(detail)),
    ]);
  }

  async actions(): Promise<string[]> {
    return (await this.audit()).map(([action]) => action);
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await this.stop();
    await Deno.remove(this.dir, { recursive: true });
  }
}

/** The code of the failure a promise ends in; fails when it ends well. */
export async function refusal(promise: Promise<unknown>): Promise<string> {
  try {
    await promise;
  } catch (thrown) {
    return (thrown as { code?: string }).code ?? String(thrown);
  }
  throw new Error("Nothing was refused");
}
