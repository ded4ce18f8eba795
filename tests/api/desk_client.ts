/**
 * A client as the published desktop console and its engine-free package are, written from what is
 * known of them and nothing else: every answer is held against its model (a missing field is a
 * failure, a further one is ignored), and a refusal that asks for a code or for the password is
 * followed by a prompt and one repetition. Source: spec api §9.2, §9.3.
 */
import { contractAnswer, differences } from "./contract_answers.ts";
import type { Json } from "./bench.ts";

export interface Prompts {
  /** The person at the desk gives their password. */
  readonly password: () => string;
  /** The person at the desk reads a code from the authenticator. */
  readonly code: () => string;
}

export interface DeskClientOptions {
  /** May end in a path: a proxy can serve the API under a prefix. */
  readonly base: string;
  /** PEM of the authority that is pinned. */
  readonly ca?: string;
  readonly prompts: Prompts;
}

/** The server answered with another status than success. */
export class DeskRefusal extends Error {
  readonly status: number;
  readonly detail: unknown;

  constructor(status: number, detail: unknown) {
    super(`${status}: ${JSON.stringify(detail)}`);
    this.status = status;
    this.detail = detail;
  }
}

/** The answer is none the client can decode. */
export class InvalidAnswer extends Error {}

const TIMEOUT_MS = 5_000;
const INTEGRITY_TIMEOUT_MS = 300_000;

type Method = "GET" | "POST" | "PUT" | "PATCH" | "DELETE";

interface Call {
  readonly body?: unknown;
  readonly timeoutMs?: number;
}

/** What a 403 is about, by the key words clients look for; the first hit wins. */
export function whyRefused(detail: unknown): string | undefined {
  const text = String(detail).toLowerCase();
  const words: readonly (readonly [string, readonly string[]])[] = [
    ["must-change", ["password change", "change password", "must change"]],
    ["step-up", ["step-up", "step up", "re-verification"]],
    ["mfa", ["mfa", "multi-factor", "totp"]],
    ["permission", ["permission"]],
  ];
  return words.find(([, some]) => some.some((word) => text.includes(word)))?.[0];
}

export class DeskClient implements Disposable {
  readonly #base: string;
  readonly #http: Deno.HttpClient | undefined;
  readonly #prompts: Prompts;
  /** How often the person was asked: `password`, `code`. */
  readonly prompted: string[] = [];
  #token: string | undefined;

  constructor({ base, ca, prompts }: DeskClientOptions) {
    this.#base = base;
    this.#http = ca === undefined ? undefined : Deno.createHttpClient({ caCerts: [ca] });
    this.#prompts = prompts;
  }

  // Session.

  /** Undefined: nobody signs in there. */
  async providers(): Promise<Json | undefined> {
    try {
      return await this.#call("GET", "/auth/providers", "ProvidersInfo");
    } catch (thrown) {
      if (thrown instanceof DeskRefusal && thrown.status === 503) return undefined;
      throw thrown;
    }
  }

  async login(username: string, password: string): Promise<Json> {
    this.#token = undefined;
    const body = { username, password, provider: "local" };
    const answer = await this.#call("POST", "/auth/login", "LoginResponse", { body });
    this.#token = String(answer.token);
    return answer;
  }

  me = () => this.#call("GET", "/auth/me", "CurrentUser");

  async logout(): Promise<void> {
    await this.#call("POST", "/auth/logout", "SimpleMessage", { body: {} });
    this.#token = undefined;
  }

  changePassword(current_password: string, new_password: string): Promise<Json> {
    const body = { current_password, new_password };
    return this.#call("POST", "/me/password", "SimpleMessage", { body });
  }

  reauth = (password: string) =>
    this.#call("POST", "/me/reauth", "SimpleMessage", { body: { password } });
  mfaStatus = () => this.#call("GET", "/me/mfa", "MfaStatus");
  mfaEnroll = () => this.#call("POST", "/me/mfa/enroll", "MfaEnroll");
  mfaConfirm = (code: string) =>
    this.#call("POST", "/me/mfa/confirm", "MfaConfirm", { body: { code } });
  mfaVerify = (code: string) =>
    this.#call("POST", "/auth/mfa-verify", "SimpleMessage", { body: { code } });
  mfaDisable = () => this.#call("DELETE", "/me/mfa", "SimpleMessage");
  sessions = () => this.#call("GET", "/me/sessions", "SessionList");
  endSession = (id: string) => this.#call("DELETE", `/me/sessions/${id}`, "SimpleMessage");
  endOtherSessions = () => this.#call("DELETE", "/me/sessions", "SimpleMessage");

  // Monitoring.

  health = () => this.#call("GET", "/health", "Health");
  channels = () => this.#call("GET", "/channels", "ChannelInfo[]");
  connections = () => this.#call("GET", "/connections", "ConnectionRow[]");
  stats = () => this.#call("GET", "/stats", "StatsResponse");
  status = () => this.#call("GET", "/status", "SystemStatus");
  events = () => this.#call("GET", "/events?limit=100", "ConnectionEventInfo[]");
  alertRules = () => this.#call("GET", "/alerts/rules", "AlertsConfig");
  alerts = () => this.#call("GET", "/alerts/active", "AlertInstanceList");
  ackAlert = (id: number) => this.#call("POST", `/alerts/${id}/ack`, "AlertInstanceInfo");
  resolveAlert = (id: number) => this.#call("POST", `/alerts/${id}/resolve`, "AlertInstanceInfo");
  provenance = () => this.#call("GET", "/config/provenance", "ConfigProvenance");
  clusterStatus = () => this.#call("GET", "/cluster/status", "ClusterStatus");
  clusterNodes = () => this.#call("GET", "/cluster/nodes", "ClusterNodeList");

  integrityCheck(): Promise<Json> {
    const call = { timeoutMs: INTEGRITY_TIMEOUT_MS };
    return this.#call("POST", "/status/integrity-check", "IntegrityResult", call);
  }

  // Messages. The list asks for a summary of the audit log that servers need not know.

  messages = (query: Readonly<Record<string, string>> = {}) =>
    this.#call("GET", `/messages?${params({ audit_summary: "true", ...query })}`, "MessageList");
  search = (query: Readonly<Record<string, string>>) =>
    this.#call("GET", `/messages/search?${params(query)}`, "MessageSearchResults");
  message = (id: string) => this.#call("GET", `/messages/${id}`, "MessageDetail");
  replay = (id: string) => this.#call("POST", `/messages/${id}/replay`, "ReplayResult");
  deadLetters = () => this.#call("GET", "/dead-letters", "DeadLetterList");

  replayDeadLetters(destination_name: string | null): Promise<Json> {
    const body = { channel_id: null, destination_name };
    return this.#call("POST", "/dead-letters/replay", "BulkReplay", { body });
  }

  // Control.

  control = (name: string, act: "start" | "stop" | "restart") =>
    this.#call("POST", `/connections/${name}/${act}`, "ConnectionControl");
  purge = (name: string, scope: "all" | "top") =>
    this.#call("POST", `/connections/${name}/purge?scope=${scope}`, "PurgeResult");
  resetStatistics = (body: unknown) =>
    this.#call("POST", "/statistics/reset", "StatsResetResult", { body });
  reload = (config_dir: string | null) =>
    this.#call("POST", "/config/reload", "ReloadResult", { body: { config_dir } });

  // Administration.

  roles = () => this.#call("GET", "/roles", "RoleInfo[]");
  customRoles = () => this.#call("GET", "/roles/custom", "CustomRoleInfo[]");
  createRole = (body: unknown) => this.#call("POST", "/roles/custom", "CustomRoleInfo", { body });
  updateRole = (id: string, body: unknown) =>
    this.#call("PUT", `/roles/custom/${id}`, "CustomRoleInfo", { body });
  deleteRole = (id: string) => this.#call("DELETE", `/roles/custom/${id}`, "SimpleMessage");
  users = () => this.#call("GET", "/users", "UserSummary[]");
  createUser = (body: unknown) => this.#call("POST", "/users", "UserSummary", { body });
  deleteUser = (id: string) => this.#call("DELETE", `/users/${id}`, "SimpleMessage");
  setRoles = (id: string, roles: readonly string[]) =>
    this.#call("PUT", `/users/${id}/roles`, "SimpleMessage", { body: { roles } });
  channelScope = (id: string) => this.#call("GET", `/users/${id}/channel-scope`, "ChannelScope");
  setChannelScope = (id: string, channels: readonly string[] | null) =>
    this.#call("PUT", `/users/${id}/channel-scope`, "SimpleMessage", { body: { channels } });
  endSessionsOf = (id: string) => this.#call("DELETE", `/users/${id}/sessions`, "SimpleMessage");
  resetMfa = (id: string) => this.#call("POST", `/users/${id}/reset-mfa`, "SimpleMessage");
  audit = () => this.#call("GET", "/audit?limit=1000", "AuditList");
  groupMap = () => this.#call("GET", "/ad-group-map", "AdGroupMap");

  // What another program of the same installation calls: the approver's page.

  approvals = () => this.#call("GET", "/approvals", "ApprovalList");
  decide = (id: string, decision: "approve" | "reject") =>
    this.#call("POST", `/approvals/${id}/${decision}`, "ApprovalDecisionResult");

  /** Calls, prompts when a proof is missing (a code before the password), and calls once more. */
  async #call(method: Method, path: string, answer: string, call: Call = {}): Promise<Json> {
    const first = await this.#send(method, path, call);
    if (first.status !== 403) return decoded(first, answer);
    if (first.headers.has("x-mfa-required")) {
      this.prompted.push("code");
      await this.mfaVerify(this.#prompts.code());
    } else if (first.headers.has("x-step-up-required")) {
      this.prompted.push("password");
      await this.reauth(this.#prompts.password());
    } else return decoded(first, answer);
    return decoded(await this.#send(method, path, call), answer);
  }

  async #send(method: Method, path: string, { body, timeoutMs = TIMEOUT_MS }: Call) {
    const response = await fetch(`${this.#base}${path}`, {
      method,
      client: this.#http,
      redirect: "manual",
      signal: AbortSignal.timeout(timeoutMs),
      headers: {
        ...(this.#token !== undefined && { authorization: `Bearer ${this.#token}` }),
        ...(body !== undefined && { "content-type": "application/json" }),
      },
      body: body === undefined ? undefined : JSON.stringify(body),
    });
    const { status, headers } = response;
    return { status, headers, json: await response.json() as Json };
  }

  [Symbol.dispose](): void {
    this.#http?.close();
  }
}

/** @throws {DeskRefusal} @throws {InvalidAnswer} */
function decoded(
  { status, json }: { readonly status: number; readonly json: Json },
  answer: string,
): Json {
  if (status < 200 || status > 299) throw new DeskRefusal(status, json.detail);
  const wrong = differences(json, contractAnswer(answer))
    .filter((text) => !text.endsWith(" is more") && !/disk_free_bytes/.test(text));
  if (wrong.length > 0) throw new InvalidAnswer(`${answer}: ${wrong.join("; ")}`);
  return json;
}

function params(query: Readonly<Record<string, string>>): string {
  return new URLSearchParams(query).toString();
}
