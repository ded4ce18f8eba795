// Goal: a dashboard is fed every second, for as long as whoever looks may look, and with what they may
// see; nothing a name holds becomes markup.
import assert from "node:assert/strict";
import { within } from "../connectors/waiting.ts";
import { ApiBench } from "./bench.ts";
import { ApiClient, unlimited } from "./client.ts";

interface Frame {
  readonly outbox_by_status: Record<string, number>;
  readonly connections_html: string;
}

class Dashboard implements AsyncDisposable {
  readonly frames: Frame[] = [];
  /** The code it was closed with. */
  readonly closed: Promise<number>;
  readonly #socket: WebSocket;
  #wake = () => {};

  constructor(origin: string, headers: Record<string, string> = {}) {
    this.#socket = new WebSocket(`${origin.replace("http", "ws")}/ws/stats`, { headers });
    this.#socket.addEventListener("message", ({ data }) => {
      this.frames.push(JSON.parse(data) as Frame);
      this.#wake();
    });
    this.closed = new Promise((resolve) => {
      this.#socket.addEventListener("close", ({ code }) => {
        resolve(code);
        this.#wake();
      });
    });
  }

  /** Waits for a frame that fits. */
  async frame(fits: (frame: Frame) => boolean = () => true): Promise<Frame> {
    const from = this.frames.length;
    await within(
      (async () => {
        while (!this.frames.slice(from).some(fits)) {
          await new Promise<void>((resolve) => this.#wake = resolve);
          if (this.#socket.readyState === WebSocket.CLOSED) throw new Error("It was closed");
        }
      })(),
      "a frame",
      10_000,
    );
    return this.frames.slice(from).find(fits)!;
  }

  async [Symbol.asyncDispose](): Promise<void> {
    this.#socket.close();
    await within(this.closed, "the end of the WebSocket");
  }
}

Deno.test("a dashboard sees rows and connections as they are, every second", async () => {
  await using bench = await ApiBench.open();
  await using dashboard = new Dashboard(bench.origin);
  const first = await dashboard.frame();
  assert.deepEqual(first.outbox_by_status, {});
  assert.match(first.connections_html, /^<tbody><tr data-status="running"><td>IB_ADT ▸ in<\/td>/);
  await bench.send("L1", "B2");
  const later = await dashboard.frame(({ outbox_by_status }) => outbox_by_status.done === 3);
  assert.match(later.connections_html, /IB_ADT ▸ OB_LAB/);
  const from = dashboard.frames.length;
  const start = performance.now();
  while (dashboard.frames.length < from + 2) await dashboard.frame();
  assert.ok(performance.now() - start > 900, "one a second");
});

Deno.test("a dashboard ends with the session, and shrinks with the channels", async () => {
  await using bench = await ApiBench.open({ settings: unlimited });
  const client = await ApiClient.of(bench, "ann", { roles: ["operator"] });
  const other = await ApiClient.of(bench, "bob", { roles: [] });
  const headers = (token: string) => ({ authorization: `Bearer ${token}` });
  assert.notEqual(await new Dashboard(bench.origin).closed, 1000, "nobody");
  assert.notEqual(await new Dashboard(bench.origin, headers(other.token)).closed, 1000, "no role");
  await bench.send("L1");
  await bench.walk.disposition("L1", "processed");
  await using dashboard = new Dashboard(bench.origin, headers(client.token));
  assert.match((await dashboard.frame()).connections_html, /OB_LAB/);
  await client.post("/auth/logout");
  assert.equal(await within(dashboard.closed, "the end", 10_000), 1008);
});

Deno.test("what is no handshake, comes from elsewhere, or is one too many, is refused in HTTP", async () => {
  await using bench = await ApiBench.open({
    settings: '[api]\nws_allowed_origins = ["https://wall.example.org"]\n',
  });
  assert.equal((await bench.request("/ws/stats")).status, 426);
  const handshake = (origin: string, path = "/ws/stats") =>
    bench.raw(
      `GET ${path} HTTP/1.1\r\nHost: localhost\r\nConnection: Upgrade\r\nUpgrade: websocket\r\n` +
        "Sec-WebSocket-Version: 13\r\nSec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\n" +
        `Origin: ${origin}\r\n\r\n`,
      500,
    );
  assert.equal((await handshake("https://evil.example.org")).status, 403);
  assert.equal((await handshake("http://localhost")).status, 101);
  for (const another of ["http://localhost:8080", "http://127.0.0.1", "null"]) {
    assert.equal((await handshake(another)).status, 403, another);
  }
  assert.equal((await handshake("https://wall.example.org")).status, 101);
  assert.equal((await handshake("https://wall.example.org", "/status")).status, 403);
  const all = Array.from({ length: 64 }, () => new Dashboard(bench.origin));
  await Promise.all(all.map((dashboard) => dashboard.frame()));
  assert.notEqual(await new Dashboard(bench.origin).closed, 1000, "the 65th");
  await Promise.all(all.map((dashboard) => dashboard[Symbol.asyncDispose]()));
});

Deno.test("of many handshakes at the same moment no more than 64 stay", async () => {
  await using bench = await ApiBench.open();
  const all = Array.from({ length: 90 }, () => new Dashboard(bench.origin));
  const stayed = await Promise.all(
    all.map((one) => Promise.race([one.closed, one.frame().then(() => "fed", () => "closed")])),
  );
  assert.equal(stayed.filter((how) => how === "fed").length, 64);
  await Promise.all(all.map((dashboard) => dashboard[Symbol.asyncDispose]()));
});

// Goal: the console's own pages get in by their cookie, which no other page and no other route can use.
Deno.test("a cookie opens the WebSocket for our own pages alone, and nothing else", async () => {
  await using bench = await ApiBench.open({
    settings: `${unlimited}[api]\nws_allowed_origins = ["https://wall.example.org"]\n`,
  });
  const { token } = await ApiClient.of(bench, "ann", { roles: ["viewer"] });
  const { token: noRole } = await ApiClient.of(bench, "bob", { roles: [] });
  const { token: due } = await ApiClient.of(bench, "eve", { roles: ["viewer"], mustChange: true });
  const host = `localhost:${bench.api.port}`;
  const handshake = async (...headers: readonly string[]) => {
    const lines = [
      "GET /ws/stats HTTP/1.1",
      `Host: ${host}`,
      "Connection: Upgrade",
      "Upgrade: websocket",
      "Sec-WebSocket-Version: 13",
      "Sec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==",
      ...headers,
    ];
    return (await bench.raw(`${lines.join("\r\n")}\r\n\r\n`, 500)).status;
  };
  const cookie = (value: string) => `Cookie: a=b; mf_session=${value}; c=d`;
  const own = `Origin: http://${host}`;
  assert.equal(await handshake(own, cookie(token)), 101);
  assert.equal(await handshake(`Authorization: Bearer ${token}`), 101, "no page at all");
  const refused: readonly (readonly string[])[] = [
    [],
    [own],
    [cookie(token)],
    [own, cookie("x")],
    [own, cookie("")],
    [own, cookie(noRole)],
    [own, cookie(due)],
    [own, `Cookie: other=${token}`],
    [`Origin: http://localhost:${bench.api.port + 1}`, cookie(token)],
    [`Origin: http://127.0.0.1:${bench.api.port}`, cookie(token)],
    ["Origin: https://wall.example.org", cookie(token)],
    ["Origin: null", cookie(token)],
    [`Authorization: Bearer ${noRole}`],
  ];
  for (const headers of refused) {
    assert.equal(await handshake(...headers), 403, headers.join(", "));
  }
  const origin = { origin: `http://${host}`, cookie: `mf_session=${token}` };
  for (const path of ["/auth/me", "/stats", "/messages"]) {
    assert.equal((await bench.request(path, { headers: origin })).status, 401, path);
  }
});

Deno.test("a stop of the API leaves no dashboard open", async () => {
  const bench = await ApiBench.open();
  const dashboard = new Dashboard(bench.origin);
  await dashboard.frame();
  await bench[Symbol.asyncDispose]();
  assert.ok([1001, 1006].includes(await within(dashboard.closed, "the end", 10_000)));
});
