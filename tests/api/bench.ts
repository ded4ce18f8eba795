/**
 * A whole engine with its API on a free port, and a client that hides nothing.
 *
 * What the first letter of a control ID makes of a message: `L` goes to the lab, `B` to the lab
 * and the archive, `F` is filtered, `X` throws in its handler, everything else is unrouted.
 */
import assert from "node:assert/strict";
import { type ApiTls, type RunningApi, startApi } from "../../src/api/mod.ts";
import type { TakeNotice } from "../../src/auth/mod.ts";
import type { Clock } from "../../src/clock.ts";
import { freePort } from "../connectors/waiting.ts";
import { ScriptedPartner } from "../connectors/scripted_partner.ts";
import { admission, answered, Walk } from "../walk/bench.ts";

export interface Answer {
  readonly status: number;
  readonly headers: Headers;
  readonly text: string;
  /** The parsed body; undefined when it is no JSON. */
  readonly json: Json;
}

/** A body to assert on: every key of it reads as another body, whatever it is. */
export type Json = { readonly [key: string]: Json } & readonly Json[];

export interface ApiBenchOptions {
  readonly labOptions?: string;
  /** Further settings of its transport: `captureResponse: true`. */
  readonly labSettings?: string;
  readonly settings?: string;
  readonly env?: Readonly<Record<string, string>>;
  readonly clock?: Clock;
  readonly takeNotice?: TakeNotice;
  readonly host?: string;
  readonly tls?: ApiTls;
  /** Further text of the graph's module, where `lab`, `archive` and `route` are known. */
  readonly moreGraph?: string;
}

export class ApiBench implements AsyncDisposable {
  readonly walk: Walk;
  readonly lab: ScriptedPartner;
  readonly inboundPort: number;
  #api: RunningApi;

  private constructor(
    walk: Walk,
    rest: { lab: ScriptedPartner; inboundPort: number; api: RunningApi },
  ) {
    this.walk = walk;
    this.lab = rest.lab;
    this.inboundPort = rest.inboundPort;
    this.#api = rest.api;
  }

  static async open(
    options: ApiBenchOptions = {},
  ): Promise<ApiBench> {
    const { labOptions = "{}", labSettings = "", settings, env, clock, takeNotice } = options;
    const { host = "127.0.0.1", tls, moreGraph = "" } = options;
    await using stack = new AsyncDisposableStack();
    const lab = stack.use(await ScriptedPartner.start());
    const inboundPort = await freePort();
    const archive = await Deno.makeTempDir({ prefix: "mefor_archive_" });
    stack.defer(() => Deno.remove(archive, { recursive: true }));
    const graph = graphText({
      ...{ labPort: lab.port, inboundPort, labOptions, labSettings, archive },
    }) + moreGraph;
    const walk = stack.use(await Walk.open({ graph, settings, env, clock, takeNotice }));
    const api = stack.use(await startApi(walk.engine, { host, port: 0, tls }));
    const bench = new ApiBench(walk, { lab, inboundPort, api });
    bench.#held = stack.move();
    return bench;
  }

  #held = new AsyncDisposableStack();

  get api(): RunningApi {
    return this.#api;
  }

  get origin(): string {
    return `http://127.0.0.1:${this.#api.port}`;
  }

  /** Sends messages one after the other; each is answered AA. */
  async send(...controlIds: readonly string[]): Promise<void> {
    for (const id of controlIds) {
      const reply = await this.walk.exchange(this.inboundPort, admission(id));
      assert.equal(answered(reply).code, "AA");
    }
  }

  async request(path: string, init: RequestInit = {}): Promise<Answer> {
    const response = await fetch(`${this.origin}${path}`, { redirect: "manual", ...init });
    const text = await response.text();
    return { status: response.status, headers: response.headers, text, json: parsed(text) };
  }

  /** The body of a GET that must succeed. */
  async get(path: string): Promise<Json> {
    const answer = await this.request(path);
    assert.equal(answer.status, 200, `${path}: ${answer.text}`);
    return answer.json;
  }

  /** A POST; `body` undefined sends none. */
  post(path: string, body?: unknown): Promise<Answer> {
    if (body === undefined) return this.request(path, { method: "POST" });
    return this.request(path, {
      method: "POST",
      headers: { "content-type": "application/json" },
      body: JSON.stringify(body),
    });
  }

  /** Sends bytes as they are and returns the status line and everything after it. */
  async raw(bytes: string | Uint8Array, waitMs = 2_000): Promise<{ status: number; text: string }> {
    using connection = await Deno.connect({ hostname: "127.0.0.1", port: this.#api.port });
    await connection.write(typeof bytes === "string" ? new TextEncoder().encode(bytes) : bytes);
    const text = (await readAnswer(connection, waitMs)).replace(INTERIM, "");
    return { status: Number(/^HTTP\/1\.[01] (\d{3})/.exec(text)?.[1] ?? 0), text };
  }

  /** Starts the engine again on the same store, and a new API on it. */
  async restart(): Promise<void> {
    await this.#api[Symbol.asyncDispose]();
    await this.walk.stop();
    await this.walk.start();
    this.#api = this.#held.use(
      await startApi(this.walk.engine, { host: "127.0.0.1", port: 0 }),
    );
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await this.#held.disposeAsync();
  }
}

function graphText(
  { labPort, inboundPort, labOptions, labSettings, archive }: {
    labPort: number;
    inboundPort: number;
    labOptions: string;
    labSettings: string;
    archive: string;
  },
): string {
  return `
    import { env, file, handler, inbound, mllp, outbound, router, send } from "messagefoundry";
    const lab = outbound(
      "OB_LAB",
      mllp({ host: env("lab_host", { default: "127.0.0.1" }), port: ${labPort}, ${labSettings} }),
      { metadata: { owner: "lab" }, ...${labOptions} },
    );
    const archive = outbound("OB_ARCHIVE", file({ directory: ${JSON.stringify(archive)} }));
    outbound("OB_IDLE", mllp({ host: "127.0.0.1", port: ${labPort} }));
    const toLab = handler("to_lab", (msg) => send(lab, msg));
    const toBoth = handler("to_both", (msg) => [send(lab, msg), send(archive, msg)]);
    const nothing = handler("nothing", () => null);
    const broken = handler("broken", () => { throw new Error("no field PID-3"); });
    const route = router("route", (msg) => {
      switch (msg.get("MSH-10")![0]) {
        case "L": return toLab;
        case "B": return toBoth;
        case "F": return nothing;
        case "X": return broken;
        default: return null;
      }
    });
    inbound("IB_ADT", mllp({ port: ${inboundPort} }), { router: route });
  `;
}

function parsed(text: string): Json {
  try {
    return JSON.parse(text);
  } catch {
    return undefined as unknown as Json;
  }
}

/** Reads until the answer is whole by its own length, the connection ends, or time is up. */
async function readAnswer(connection: Deno.TcpConn, waitMs: number): Promise<string> {
  const decoder = new TextDecoder();
  const buffer = new Uint8Array(65_536);
  let text = "";
  let isLate = false;
  const timer = setTimeout(() => {
    isLate = true;
    connection.close();
  }, waitMs);
  try {
    while (!isWhole(text)) {
      const count = await connection.read(buffer);
      if (count === null) break;
      text += decoder.decode(buffer.subarray(0, count), { stream: true });
    }
  } catch (thrown) {
    if (!isLate && !(thrown instanceof Deno.errors.ConnectionReset)) throw thrown;
  } finally {
    clearTimeout(timer);
  }
  return text;
}

const INTERIM = /^HTTP\/1\.1 100 [^\r]*\r\n\r\n/;

function isWhole(received: string): boolean {
  const text = received.replace(INTERIM, "");
  const end = text.indexOf("\r\n\r\n");
  if (end < 0) return false;
  const length = /^content-length: (\d+)\r$/im.exec(text.slice(0, end + 2))?.[1];
  return length !== undefined &&
    new TextEncoder().encode(text.slice(end + 4)).length >= Number(length);
}
