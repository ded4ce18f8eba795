// Goal: a stranger who has not signed in cannot hold on to anything for long, and whatever ends
// early ends with an answer where there can be one. Limits are short here; the order is what counts.
import assert from "node:assert/strict";
import { httpsLimits } from "../../src/api/serving/https.ts";
import { pause, within } from "../connectors/waiting.ts";
import type { Authority } from "../connectors/certificates.ts";
import {
  clientOf,
  connect,
  exchange,
  fetchOnce,
  hello,
  HttpsBench,
  readToEnd,
  tlsLines,
  tlsTest,
} from "./https_bench.ts";

const encoder = new TextEncoder();

tlsTest("a connection that never begins or ends its handshake is closed", async (
  { ca, server },
) => {
  const limits = { handshakeMs: 300 };
  await using bench = await HttpsBench.open({ lines: tlsLines(server), limits });
  const open = () => Deno.connect({ hostname: "127.0.0.1", port: bench.port });
  using silent = await open();
  using half = await open();
  await half.write(new Uint8Array([0x16, 3, 1, 2, 0, 1]));
  assert.deepEqual(await Promise.all([readToEnd(silent), readToEnd(half)]), ["", ""]);
  await bench.logged(/api\.tls_failed client=127\.0\.0\.1 reason=.*timeout/, 2);
  assert.equal((await fetchOnce(bench.url, { ca })).status, 200);
});

tlsTest("headers that do not come, or come drop by drop, are given up with 408", async (
  { ca, server },
) => {
  const limits = { headersMs: 300 };
  await using bench = await HttpsBench.open({ lines: tlsLines(server), limits });
  using mute = await connect(bench.port, ca);
  using dripping = await connect(bench.port, ca);
  await dripping.write(encoder.encode("GET / HTTP/1.1\r\nHost: localhost\r\n"));
  let isOver = false;
  const drip = async () => {
    while (!isOver) {
      await dripping.write(encoder.encode("X: a\r\n")).catch(() => isOver = true);
      await new Promise((resolve) => setTimeout(resolve, 20));
    }
  };
  const drops = drip();
  const [answer, none] = await Promise.all([readToEnd(dripping), readToEnd(mute)]);
  isOver = true;
  await drops;
  assert.match(answer, /^HTTP\/1\.1 408 Request Timeout\r\n[^]*strict-transport-security/);
  assert.match(none, /^(HTTP\/1\.1 408 |$)/);
});

tlsTest("a body that comes drop by drop is given up", async ({ ca, server }) => {
  const limits = { requestMs: 400, headersMs: 300 };
  await using bench = await HttpsBench.open({ lines: tlsLines(server), limits });
  using connection = await connect(bench.port, ca);
  await connection.write(
    encoder.encode("POST / HTTP/1.1\r\nHost: localhost\r\nContent-Length: 100000\r\n\r\n"),
  );
  let isOver = false;
  const drip = async () => {
    while (!isOver) {
      await connection.write(encoder.encode("a")).catch(() => isOver = true);
      await new Promise((resolve) => setTimeout(resolve, 20));
    }
  };
  const drops = drip();
  const answer = await readToEnd(connection);
  isOver = true;
  await drops;
  assert.match(answer, /^(HTTP\/1\.1 (408|400|500) |$)/);
  assert.equal((await fetchOnce(bench.url, { ca })).status, 200);
});

tlsTest("a connection that asks nothing more is closed", async ({ ca, server }) => {
  const limits = { keepAliveMs: 200 };
  await using bench = await HttpsBench.open({ lines: tlsLines(server), limits });
  using kept = await connect(bench.port, ca);
  await kept.write(encoder.encode("GET / HTTP/1.1\r\nHost: localhost\r\n\r\n"));
  assert.match(await readToEnd(kept), /^HTTP\/1\.1 200 /);
});

tlsTest("a client that takes nothing of its answer is dropped", async ({ ca, server }) => {
  const limits = { idleMs: 300, connectionsMax: 1 };
  const answer = () => Promise.resolve(new Response(new Uint8Array(32_000_000)));
  await using bench = await HttpsBench.open({ lines: tlsLines(server), limits, answer });
  using deaf = await connect(bench.port, ca);
  await deaf.write(encoder.encode("GET / HTTP/1.1\r\nHost: localhost\r\n\r\n"));
  using next = await within(room(bench.port, ca), "the deaf client to make room", 10_000);
  assert.ok(next);
});

/** Connects as soon as the server takes one more. */
async function room(port: number, ca: Authority): Promise<Deno.TlsConn> {
  for (;;) {
    try {
      return await connect(port, ca);
    } catch {
      await pause(10);
    }
  }
}

tlsTest("an act that takes longer than any limit is answered all the same", async (
  { ca, server },
) => {
  const limits = { keepAliveMs: 5_000, idleMs: 200, headersMs: 200, requestMs: 250 };
  await using bench = await HttpsBench.open({
    lines: tlsLines(server),
    limits,
    answer: async (request) => {
      const ms = Number(await request.text());
      await pause(ms);
      return new Response("done");
    },
  });
  // Over one connection: what the first request leaves behind must not end the second.
  using client = clientOf({ ca });
  for (const ms of [0, 2_000, 2_000]) {
    const response = await fetch(bench.url, { client, method: "POST", body: String(ms) });
    assert.equal(await response.text(), "done");
  }
});

tlsTest("one connection more than the limit is refused, and there is room again after it", async (
  { ca, server },
) => {
  const limits = { connectionsMax: 3 };
  await using bench = await HttpsBench.open({ lines: tlsLines(server), limits });
  const held = [];
  for (let count = 0; count < 3; count++) held.push(await connect(bench.port, ca));
  await assert.rejects(connect(bench.port, ca));
  held.pop()!.close();
  held.push(await within(room(bench.port, ca), "room for one more"));
  for (const connection of held) connection.close();
});

tlsTest("too much of headers is 431, too many of them too, nonsense 400", async (
  { ca, server },
) => {
  await using bench = await HttpsBench.open({ lines: tlsLines(server) });
  const get = (headers: string) =>
    exchange(
      bench.port,
      ca,
      `GET / HTTP/1.1\r\nHost: localhost\r\nConnection: close\r\n${headers}\r\n`,
    );
  const many = (count: number) =>
    Array.from({ length: count }, (_, at) => `X${at}: a\r\n`).join("");
  assert.match(await get(many(98)), /^HTTP\/1\.1 200 /);
  for (const count of [99, 100, 1_500, 3_000]) {
    assert.match(await get(many(count)), /^HTTP\/1\.1 431 /, String(count));
  }
  assert.match(await get(`X: ${"a".repeat(15_000)}\r\n`), /^HTTP\/1\.1 200 /);
  assert.match(await get(`X: ${"a".repeat(17_000)}\r\n`), /^HTTP\/1\.1 431 /);
  assert.match(await get("X: a\r\n folded\r\n"), /^HTTP\/1\.1 400 /);
  assert.match(await get("Host : evil\r\n"), /^HTTP\/1\.1 400 /);
  assert.match(
    await exchange(bench.port, ca, "NONSENSE\r\n\r\n"),
    /^HTTP\/1\.1 400 .*\r\n[^]*nosniff/,
  );
  assert.match(await exchange(bench.port, ca, "GET / HTTP/1.0\r\n\r\n"), /^HTTP\/1\.1 200 /);
  assert.match(await get("Upgrade: h2c\r\nConnection: Upgrade\r\n"), /^HTTP\/1\.1 400 /);
  const connectLine = "CONNECT evil.example:443 HTTP/1.1\r\nHost: evil.example:443\r\n\r\n";
  assert.doesNotMatch(await exchange(bench.port, ca, connectLine), /^HTTP\/1\.1 2/);
});

tlsTest("a stop lets the answer under way end, and waits for nobody else", async (
  { ca, server },
) => {
  const { promise: asked, resolve: ask } = Promise.withResolvers<void>();
  const { promise: go, resolve: answerNow } = Promise.withResolvers<void>();
  const bench = await HttpsBench.open({
    lines: tlsLines(server),
    answer: async (request, arrival) => {
      if (!request.url.endsWith("/slow")) return await hello(request, arrival);
      ask();
      await go;
      return new Response("late");
    },
  });
  using slow = await connect(bench.port, ca);
  await slow.write(encoder.encode("GET /slow HTTP/1.1\r\nHost: localhost\r\n\r\n"));
  using idle = await connect(bench.port, ca);
  using kept = await connect(bench.port, ca);
  await kept.write(encoder.encode("GET / HTTP/1.1\r\nHost: localhost\r\n\r\n"));
  await kept.read(new Uint8Array(1_000));
  using half = await Deno.connect({ hostname: "127.0.0.1", port: bench.port });
  await asked;
  const before = performance.now();
  const stopped = Promise.resolve(bench.listening[Symbol.asyncDispose]());
  await readToEnd(half);
  await assert.rejects(connect(bench.port, ca), "nobody new");
  answerNow();
  assert.match(await readToEnd(slow), /^HTTP\/1\.1 200 [^]*late/);
  await Promise.all([readToEnd(idle), readToEnd(kept)]);
  await within(stopped, "the stop");
  assert.ok(performance.now() - before < 4_500, "no grace was used up");
});

Deno.test("the limits of the HTTPS server hold in this order", () => {
  const { handshakeMs, headersMs, requestMs, idleMs, connectionsMax } = httpsLimits;
  assert.ok(headersMs < requestMs && requestMs < idleMs, "each part ends before the whole");
  assert.ok(handshakeMs <= 10_000 && headersMs <= 10_000);
  // Descriptors are shared with the listeners of partners; 1024 is the usual limit.
  assert.ok(connectionsMax <= 512);
});
