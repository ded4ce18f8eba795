/** Accounts over a real store that ask a directory, without the rest of the engine. */
import assert from "node:assert/strict";
import { type Auth, AuthError } from "../../../src/auth/mod.ts";
import { AuthBench } from "../bench.ts";
import { BASE, DOMAIN, SERVICE } from "./domain_controller.ts";

export const BY = { name: "tester", userId: undefined };

/** Variables of an engine that asks the directory at `url`. */
export function directoryEnv(
  url: string,
  more: Readonly<Record<string, string>> = {},
): Record<string, string> {
  return {
    MEFOR_AUTH_AD_ENABLED: "true",
    MEFOR_AUTH_AD_SERVER: url,
    MEFOR_AUTH_AD_DOMAIN: DOMAIN,
    MEFOR_AUTH_AD_USER_SEARCH_BASE: BASE,
    MEFOR_AUTH_AD_GROUP_SEARCH_BASE: BASE,
    MEFOR_AUTH_AD_BIND_DN: SERVICE.dn,
    MEFOR_AUTH_AD_BIND_PASSWORD: SERVICE.password,
    ...more,
  };
}

export interface AuditLine {
  readonly action: string;
  readonly actor: string;
  readonly facts: Readonly<Record<string, unknown>>;
}

export class DirectoryBench implements AsyncDisposable {
  readonly #bench: AuthBench;

  private constructor(bench: AuthBench) {
    this.#bench = bench;
  }

  static async open(env: Record<string, string>): Promise<DirectoryBench> {
    return new DirectoryBench(await AuthBench.open({ env }));
  }

  get auth(): Auth {
    return this.#bench.auth;
  }

  get notices() {
    return this.#bench.notices;
  }

  /** What was logged so far. */
  get log(): string {
    return this.#bench.log.join("\n");
  }

  async mapRoles(map: Readonly<Record<string, string>>): Promise<void> {
    const entries = Object.entries(map).map(([group, role]) => ({ group, role }));
    await this.auth.roles.setGroupRoles(BY, entries);
  }

  async mapScopes(...entries: readonly (readonly [group: string, channel: string])[]) {
    await this.auth.roles.setGroupScopes(
      BY,
      entries.map(([group, channel]) => ({ group, channel })),
    );
  }

  signIn(username: string, password: string, client = "127.0.0.1") {
    return this.auth.signInWithDirectory({ username, password }, client);
  }

  /** Signs in, which has to be refused; returns the one audit row it left. */
  async refused(username: string, password: string): Promise<AuditLine> {
    const before = (await this.audit()).length;
    await assert.rejects(
      this.signIn(username, password),
      (thrown) =>
        thrown instanceof AuthError && thrown.code === "auth.refused" &&
        thrown.message === "The sign-in is refused" && thrown.cause === undefined,
    );
    const rows = (await this.audit()).slice(before);
    assert.equal(rows.length, 1, JSON.stringify(rows));
    return rows[0]!;
  }

  /** Whether a token still opens anything. */
  async isLive(token: string): Promise<boolean> {
    return await this.auth.identify(token) !== undefined;
  }

  /** Oldest first. */
  async audit(): Promise<readonly AuditLine[]> {
    const rows = await this.#bench.audit();
    return rows.map(([action, actor, facts]) => ({ action, actor, facts }));
  }

  async account(name: string) {
    return (await this.auth.accounts.list()).find((account) => account.name === name);
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await this.#bench[Symbol.asyncDispose]();
  }
}
