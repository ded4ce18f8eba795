import assert from "node:assert/strict";
import { startApi } from "../../src/api/mod.ts";
import { EngineError } from "../../src/errors.ts";
import { StoreError } from "../../src/store/errors.ts";
import { type Answer, ApiBench } from "./bench.ts";

// Goal: before anybody signs in, loopback is the only wall, and no page of another site gets
// through it; whatever is asked, every answer has its body and its headers.

const ALWAYS: Readonly<Record<string, string>> = {
  "x-content-type-options": "nosniff",
  "referrer-policy": "no-referrer",
  "x-frame-options": "DENY",
};

function checkHeaders({ headers }: Answer): void {
  for (const [name, value] of Object.entries(ALWAYS)) assert.equal(headers.get(name), value);
  assert.equal(headers.get("server"), null);
  assert.equal(headers.get("access-control-allow-origin"), null);
}

Deno.test("startApi() refuses every host that is not loopback", async () => {
  await using bench = await ApiBench.open();
  const hosts = [
    "0.0.0.0",
    "::",
    "192.168.1.2",
    "example.org",
    "127.0.0.1.evil.org",
    "localhost.",
    "",
  ];
  for (const host of hosts) {
    await assert.rejects(startApi(bench.walk.engine, { host, port: 0 }), (thrown: EngineError) => {
      assert.equal(thrown.code, "api.not_loopback");
      assert.match(thrown.hint ?? "", /127\.0\.0\.1/);
      return true;
    });
  }
});

Deno.test("startApi() binds each loopback address, and says so when it cannot", async () => {
  await using bench = await ApiBench.open();
  const { engine } = bench.walk;
  for (const host of ["127.0.0.1", "localhost", "::1", "[::1]"]) {
    await using api = await startApi(engine, { host, port: 0 });
    assert.equal(api.host, host);
    assert.ok(api.port > 0);
    const named = host === "::1" ? "[::1]" : host;
    const response = await fetch(`http://${named}:${api.port}/health`);
    assert.equal((await response.json()).status, "ok");
  }
  await assert.rejects(
    startApi(engine, { host: "127.0.0.1", port: bench.api.port }),
    (thrown: EngineError) => {
      assert.equal(thrown.code, "api.bind_in_use");
      assert.match(thrown.message, new RegExp(`127.0.0.1:${bench.api.port}`));
      assert.ok(thrown.hint);
      return true;
    },
  );
  assert.deepEqual((await bench.get("/health")).status, "ok");
});

Deno.test("a Host that is not loopback is 421, whatever it resolves to", async () => {
  await using bench = await ApiBench.open();
  const ask = (host: string, target = "/health") =>
    bench.raw(`GET ${target} HTTP/1.1\r\nHost: ${host}\r\nConnection: close\r\n\r\n`);
  for (const host of ["localhost", "LOCALHOST:1", "127.0.0.1", "127.9.9.9:80", "[::1]:8765"]) {
    assert.equal((await ask(host)).status, 200, host);
  }
  const foreign = [
    "evil.example",
    "evil.example:8765",
    "localhost.evil.example",
    "127.0.0.1.nip.io",
    "10.0.0.1",
    "0.0.0.0",
    "[::1",
    "a b",
    "localhost@evil.example",
    "localhost:8765@evil.example",
    "2130706433",
    "::1",
    "",
  ];
  for (const host of foreign) {
    const { status, text } = await ask(host);
    assert.ok(status === 421 || status === 400, `${host}: ${status}`);
    if (status === 421) assert.match(text, /\{"detail":"[^"]+"\}$/);
  }
  assert.equal((await ask("localhost", "http://evil.example/health")).status, 421);
  assert.equal((await ask("evil.example", "http://localhost/health")).status, 421);
  assert.match(await bench.walk.logged("api.refused"), /client=127\.0\.0\.1 status=421/);
});

Deno.test("a browser on another origin or site is refused before anything happens", async () => {
  await using bench = await ApiBench.open();
  const port = bench.api.port;
  const stop = (headers: Record<string, string>) =>
    bench.request("/connections/IB_ADT/stop", { method: "POST", headers });
  for (
    const origin of [
      "https://evil.example",
      "http://localhost.evil.example",
      "http://127.0.0.1.evil.example",
      "http://localhost@evil.example",
      "http://10.0.0.1",
      "null",
      "file://",
      "",
      "localhost",
      "chrome-extension://abc",
      `http://localhost:${port}/path`,
    ]
  ) {
    const answer = await stop({ origin });
    assert.equal(answer.status, 403, origin);
    assert.equal(typeof answer.json.detail, "string");
    checkHeaders(answer);
  }
  assert.equal((await stop({ "sec-fetch-site": "cross-site" })).status, 403);
  const crossSite = { "sec-fetch-site": "cross-site", "sec-fetch-mode": "navigate" };
  assert.equal((await stop({ ...crossSite, "sec-fetch-dest": "document" })).status, 403);
  const frame = { headers: { ...crossSite, "sec-fetch-dest": "iframe" } };
  assert.equal((await bench.request("/health", frame)).status, 403);
  const link = { headers: { ...crossSite, "sec-fetch-dest": "document" } };
  assert.equal((await bench.request("/health", link)).status, 200);
  assert.deepEqual((await bench.get("/channels"))[0]!.running, true, "nothing was stopped");

  for (const origin of [`http://127.0.0.1:${port}`, `http://localhost:${port}`, "http://[::1]:1"]) {
    assert.equal((await bench.request("/health", { headers: { origin } })).status, 200, origin);
  }
});

Deno.test("bodies are guarded by their framing", async () => {
  await using bench = await ApiBench.open();
  const post = (headers: string, body = "") =>
    bench.raw(
      `POST /dead-letters/replay HTTP/1.1\r\nHost: localhost\r\nConnection: close\r\n` +
        `Content-Type: application/json\r\n${headers}\r\n\r\n${body}`,
    );
  const both = "Content-Length: 2\r\nTransfer-Encoding: chunked";
  assert.equal((await post(both, "2\r\n{}\r\n0\r\n\r\n")).status, 400);
  const reversed = "Transfer-Encoding: chunked\r\nContent-Length: 2";
  assert.equal((await post(reversed, "2\r\n{}\r\n0\r\n\r\n")).status, 400);
  const chunked = await post("Transfer-Encoding: chunked", "2\r\n{}\r\n0\r\n\r\n");
  assert.equal(chunked.status, 411);
  assert.match(chunked.text, /\r\nx-content-type-options: nosniff\r\n/);
  assert.equal((await post("Content-Length: two", "{}")).status, 400);
  assert.equal((await post("Content-Length: -2", "{}")).status, 400);
  assert.equal((await post("Content-Length: 2\r\nContent-Length: 3", "{} ")).status, 400);
  assert.equal((await post("Content-Length: 1048577")).status, 413);
  assert.equal((await post("Content-Length: 99999999999999999999")).status, 400);
  assert.equal((await post("Content-Length: 2", "{}")).status, 200);
  const largest = `{"x":"${"a".repeat(1_048_576 - 8)}"}`;
  assert.equal(largest.length, 1_048_576);
  assert.equal((await post("Content-Length: 1048576", largest)).status, 200);
});

Deno.test("a body that never comes is given up, and the next request is served", async () => {
  await using bench = await ApiBench.open();
  const started = performance.now();
  const { status } = await bench.raw(
    "POST /dead-letters/replay HTTP/1.1\r\nHost: localhost\r\nContent-Type: application/json\r\n" +
      "Content-Length: 10\r\n\r\n{",
    15_000,
  );
  assert.equal(status, 408);
  assert.ok(performance.now() - started < 9_000);
  assert.deepEqual((await bench.get("/health")).status, "ok");
});

Deno.test("every answer has the headers; what holds patient data is never kept", async () => {
  await using bench = await ApiBench.open();
  const noStore: Record<string, boolean> = {
    "/messages": true,
    "/messages/": true,
    "/messages/none": true,
    "/messages/none/outbound": true,
    "/messages?limit=0": true,
    "/dead-letters": true,
    "/health": false,
    "/messagesx": false,
    "/": false,
  };
  for (const [path, isPrivate] of Object.entries(noStore)) {
    const answer = await bench.request(path);
    checkHeaders(answer);
    assert.equal(answer.headers.get("cache-control"), isPrivate ? "no-store" : null, path);
  }
});

Deno.test("unknown paths are 404, other methods 405, HEAD too; a slash at the end is 307", async () => {
  await using bench = await ApiBench.open();
  const paths = [
    "/",
    "/nothing",
    "/docs",
    "/openapi.json",
    "/messages/a/b",
    "/a/../health",
    "/health%2f",
    "/HEALTH",
  ];
  for (const path of paths) {
    const answer = await bench.raw(
      `GET ${path} HTTP/1.1\r\nHost: localhost\r\nConnection: close\r\n\r\n`,
    );
    assert.match(answer.text, /^HTTP\/1\.1 404 [^]*\{"detail":"Not Found"\}$/, path);
  }
  for (const method of ["POST", "PUT", "DELETE", "PATCH", "OPTIONS", "FOO"]) {
    const answer = await bench.request("/messages", { method });
    assert.deepEqual([answer.status, answer.json], [405, { detail: "Method Not Allowed" }], method);
    assert.equal(answer.headers.get("allow"), "GET");
  }
  assert.equal((await bench.request("/connections/IB_ADT/stop")).status, 405);
  for (const path of ["/health", "/messages", "/messages/x", "/connections/x/metadata"]) {
    assert.equal((await bench.request(path, { method: "HEAD" })).status, 405, path);
  }
  assert.equal((await bench.request("/nothing", { method: "HEAD" })).status, 404);

  const redirects: Record<string, string | undefined> = {
    "/health/": "/health",
    "/health///": "/health",
    "/messages/?limit=1&x=%20": "/messages?limit=1&x=%20",
    "/messages/a%2Fb/": "/messages/a%2Fb",
    "/messages/é/": "/messages/%C3%A9",
    "/nothing/": undefined,
    "//evil.example/": undefined,
    "//evil.example/outbound/": undefined,
    "//messages/": undefined,
    "/\\evil.example/": undefined,
  };
  for (const [path, location] of Object.entries(redirects)) {
    const { status, text } = await bench.raw(
      `GET ${path} HTTP/1.1\r\nHost: localhost\r\nConnection: close\r\n\r\n`,
    );
    assert.equal(status, location === undefined ? 404 : 307, path);
    assert.equal(/^location: (.*)\r$/m.exec(text)?.[1], location, path);
  }
  const post = await bench.request("/connections/IB_ADT/stop/", { method: "POST" });
  assert.deepEqual([post.status, post.headers.get("location")], [307, "/connections/IB_ADT/stop"]);
});

Deno.test("a failure nobody expected is told to the log by class and route, to nobody else", async () => {
  await using bench = await ApiBench.open();
  const { store } = bench.walk.engine;
  const message = store.message.bind(store);
  store.message = () => Promise.reject(new TypeError("PID-5 is DOE^JANE"));
  const answer = await bench.request("/messages/secret-id");
  assert.deepEqual([answer.status, answer.text], [500, '{"detail":"internal error"}']);
  checkHeaders(answer);
  const line = await bench.walk.logged("api.internal_error");
  assert.match(line, /error=TypeError method=GET route=\/messages\/:message_id$/);
  assert.ok(!bench.walk.log.some((entry) => /DOE|secret-id/.test(entry)));
  store.message = message;
});

Deno.test("a store that cannot write answers 503 and says why", async () => {
  await using bench = await ApiBench.open();
  const { store } = bench.walk.engine;
  const submit = store.submit;
  store.submit = () => Promise.reject(new StoreError("store.disk_full", "Cannot write: disk full"));
  const answer = await bench.post("/dead-letters/replay", {});
  assert.deepEqual([answer.status, answer.json], [503, { detail: "Cannot write: disk full" }]);
  store.submit = submit;
});
