/**
 * A client as the published ones are: one token, and one repetition after a refusal that says what
 * is missing, second factor first. Source: spec api §9.3.
 */
import assert from "node:assert/strict";
import type { Clock } from "../../src/clock.ts";
import { codeAt, PASSWORD, type Seed, seedUser } from "../auth/bench.ts";
import type { Answer, ApiBench } from "./bench.ts";

export class ApiClient {
  readonly #bench: ApiBench;
  readonly username: string;
  password = PASSWORD;
  token = "";
  /** Of the authenticator, once enrolled. */
  secret: string | undefined;
  readonly #clock: Clock;

  constructor(bench: ApiBench, username: string) {
    this.#bench = bench;
    this.username = username;
    this.#clock = bench.walk.engine.clock;
  }

  /** Makes the account and signs in. */
  static async of(bench: ApiBench, username: string, seed: Seed = {}): Promise<ApiClient> {
    await seedUser(bench.walk.engine.store, username, seed);
    const client = new ApiClient(bench, username);
    await client.signIn();
    return client;
  }

  async signIn(): Promise<Answer> {
    const { username, password } = this;
    const answer = await this.#bench.post("/auth/login", { username, password });
    assert.equal(answer.status, 200, answer.text);
    this.token = String(answer.json.token);
    return answer;
  }

  /** One request as it is, without a second try. */
  once(method: string, path: string, body?: unknown): Promise<Answer> {
    return this.#bench.request(path, {
      method,
      headers: {
        authorization: `Bearer ${this.token}`,
        ...(body === undefined ? {} : { "content-type": "application/json" }),
      },
      body: body === undefined ? undefined : JSON.stringify(body),
    });
  }

  /** A request that is tried again once when it was refused for a code or for the password. */
  async request(method: string, path: string, body?: unknown): Promise<Answer> {
    const first = await this.once(method, path, body);
    if (first.status !== 403) return first;
    const wantsCode = first.headers.get("x-mfa-required") === "1";
    const wantsPassword = first.headers.get("x-step-up-required") === "1";
    if (!wantsCode && !wantsPassword) return first;
    assert.notEqual(wantsCode, wantsPassword, "one at a time");
    const proof = wantsCode
      ? await this.once("POST", "/auth/mfa-verify", { code: this.code() })
      : await this.once("POST", "/me/reauth", { password: this.password });
    assert.equal(proof.status, 200, proof.text);
    return await this.once(method, path, body);
  }

  code(): string {
    return this.secret === undefined ? "000000" : codeAt(this.secret, this.#clock);
  }

  async get(path: string): Promise<Answer> {
    return await this.request("GET", path);
  }

  async post(path: string, body?: unknown): Promise<Answer> {
    return await this.request("POST", path, body);
  }
}

/** Settings under which nothing is limited but what a test is about. */
export const unlimited =
  "[auth]\nlogin_rate_limit_enabled = false\nphi_read_rate_limit_enabled = false\n" +
  "max_sessions_per_user = 0\n";
