/**
 * Sessions: a token is a random number that is stored nowhere, only its hash is.
 *
 * Sessions live in the store alone, so one that was ended is gone for the very next request. Only
 * when each was used last is also held here, for a write a request would be too many.
 * Source: spec api §2.1.
 */
import { createHash } from "node:crypto";
import { later } from "../clock.ts";
import type { Settings } from "../settings/mod.ts";
import type { RegisterChange, RegisterRow } from "../store/registers/mod.ts";
import { accountOf, type Identity, sessionOf } from "./account.ts";
import type { IdentityRegister } from "./register.ts";

const TOKEN_BYTES = 32;
const TOKEN_SHAPE = /^[A-Za-z0-9_-]{43}$/;
/** How far the store may lag behind what is used. */
const TOUCH_US = 30e6;
/** What a clock that is kept by the network corrects of itself. */
const CLOCK_SLACK_US = 5e6;
const US_A_MINUTE = 60e6;
const US_AN_HOUR = 3600e6;

export interface NewSession {
  readonly token: string;
  readonly id: string;
  readonly changes: readonly RegisterChange[];
}

/** A live session as its owner sees it. */
export interface ShownSession {
  readonly id: string;
  readonly createdAt: number;
  readonly lastUsedAt: number;
  readonly expiresAt: number;
  readonly client: string | null;
}

export class Sessions {
  readonly #register: IdentityRegister;
  readonly #settings: Settings["auth"];
  /** When each session was used last, where the store does not know it yet. */
  readonly #usedAt = new Map<string, number>();
  /** What rows say that were read before. */
  readonly #identities = new WeakMap<RegisterRow, Identity>();

  constructor(register: IdentityRegister, settings: Settings["auth"]) {
    this.#register = register;
    this.#settings = settings;
  }

  /** Makes a session; it begins when its changes are committed. */
  make(
    userId: string,
    { client, isVerified }: {
      /** Address of whoever signs in. */
      readonly client: string | undefined;
      /** The password covers sensitive acts for a while, for no second factor is due. */
      readonly isVerified: boolean;
    },
  ): NewSession {
    const { sessionAbsoluteHours, maxSessionsPerUser } = this.#settings;
    const now = this.#register.now;
    const bytes = crypto.getRandomValues(new Uint8Array(TOKEN_BYTES));
    const token = bytes.toBase64({ alphabet: "base64url", omitPadding: true });
    const id = idOf(token);
    const expiresAt = later(now, sessionAbsoluteHours * US_AN_HOUR);
    const address = client ?? null;
    const changes: RegisterChange[] = [{
      name: "openSession",
      values: [id, userId, now, expiresAt, address, address, isVerified ? now : null, null],
      expect: 1,
    }];
    if (maxSessionsPerUser > 0) {
      changes.push({
        name: "revokeOldestSessions",
        values: [now, userId, maxSessionsPerUser - 1, id],
      });
    }
    return { token, id, changes };
  }

  /**
   * Whom a token names; undefined for one that is none, or is over.
   *
   * `isUse` false: a look in the background, which does not keep the session alive.
   */
  async identify(token: string, isUse = true): Promise<Identity | undefined> {
    if (!TOKEN_SHAPE.test(token)) return undefined;
    const row = await this.#register.first("session", idOf(token));
    if (row === undefined) return undefined;
    const identity = this.#identityOf(row);
    if (await this.#isOver(identity)) return undefined;
    if (isUse) await this.#touch(identity.session);
    return identity;
  }

  /** A store may give the same row again while nobody changes it. */
  #identityOf(row: RegisterRow): Identity {
    let identity = this.#identities.get(row);
    if (identity === undefined) {
      identity = { account: accountOf(row), session: sessionOf(row) };
      this.#identities.set(row, identity);
    }
    return identity;
  }

  async #isOver({ account, session }: Identity): Promise<boolean> {
    if (account.isDisabled) return true;
    const now = this.#register.now;
    const usedAt = Math.max(session.lastUsedAt, this.#usedAt.get(session.id) ?? 0);
    if (now >= session.expiresAt) return true;
    if (now - usedAt > this.#settings.sessionIdleTimeoutMinutes * US_A_MINUTE) return true;
    // The clock was set back: nobody can tell how old the session is.
    if (now >= Math.max(session.createdAt, usedAt) - CLOCK_SLACK_US) return false;
    await this.#register.commit([this.revoke(session.id, account.id)]);
    return true;
  }

  async #touch({ id, lastUsedAt }: { readonly id: string; readonly lastUsedAt: number }) {
    const now = this.#register.now;
    if (now - lastUsedAt < TOUCH_US) {
      this.#usedAt.set(id, now);
      return;
    }
    await this.#register.commit([{ name: "touchSession", values: [now, id] }]);
    this.#usedAt.delete(id);
  }

  revoke(id: string, userId: string): RegisterChange {
    this.#usedAt.delete(id);
    return { name: "revokeSession", values: [this.#register.now, id, userId] };
  }

  revokeAll(userId: string): RegisterChange {
    return { name: "revokeSessionsOfUser", values: [this.#register.now, userId] };
  }

  revokeOthers(userId: string, keptId: string): RegisterChange {
    return { name: "revokeOtherSessions", values: [this.#register.now, userId, keptId] };
  }

  /** The session proved its password, or second factor, just now and from this address. */
  verify(
    id: string,
    { client, hasSecondFactor }: {
      readonly client: string | undefined;
      readonly hasSecondFactor: boolean;
    },
  ): RegisterChange {
    const now = this.#register.now;
    const values = [client ?? null, now, hasSecondFactor ? now : null, id];
    return { name: "verifySession", values, expect: 1 };
  }

  /** Live ones, used last first. */
  async of(userId: string): Promise<readonly ShownSession[]> {
    const now = this.#register.now;
    const rows = await this.#register.rows("sessionsOfUser", userId, now);
    const idleUs = this.#settings.sessionIdleTimeoutMinutes * US_A_MINUTE;
    return rows.map((row) => {
      const id = String(row.token_hash);
      return {
        id,
        createdAt: Number(row.created_at),
        lastUsedAt: Math.max(Number(row.last_used_at), this.#usedAt.get(id) ?? 0),
        expiresAt: Number(row.expires_at),
        client: row.client === null ? null : String(row.client),
      };
    }).filter(({ lastUsedAt }) => now - lastUsedAt <= idleUs)
      .sort((a, b) => b.lastUsedAt - a.lastUsedAt);
  }

  /** Deletes sessions that are over. */
  async reap(): Promise<void> {
    const now = this.#register.now;
    await this.#register.commit([{ name: "reapSessions", values: [now] }]);
    const idleUs = this.#settings.sessionIdleTimeoutMinutes * US_A_MINUTE;
    for (const [id, usedAt] of this.#usedAt) if (now - usedAt > idleUs) this.#usedAt.delete(id);
  }
}

function idOf(token: string): string {
  return createHash("sha256").update(token).digest("hex");
}
