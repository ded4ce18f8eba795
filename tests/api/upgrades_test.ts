// Goal: a route can take a connection over as a WebSocket, over plain HTTP and over TLS alike; who is
// refused is told so in HTTP, and a stop leaves none of them open.
import assert from "node:assert/strict";
import type { Answer, ApiSocket } from "../../src/api/arrival.ts";
import type { Listening } from "../../src/api/serving/listening.ts";
import { servePlain } from "../../src/api/serving/plain.ts";
import { within } from "../connectors/waiting.ts";
import {
  clientOf,
  connect,
  exchange,
  fetchOnce,
  HttpsBench,
  tlsLines,
  tlsTest,
} from "./https_bench.ts";

/** Sends "hello" and then back whatever comes; refuses every path but `/ws`. */
const answer: Answer = async (request, { upgrade, isTls }) => {
  if (new URL(request.url).pathname !== "/ws") {
    return Response.json({ detail: "Not here" }, { status: 403, headers: { "x-tls": `${isTls}` } });
  }
  try {
    const taken = upgrade((socket: ApiSocket) => {
      socket.send("hello");
      socket.addEventListener("message", ({ data }) => socket.send(`echo ${data}`));
    });
    if (new URL(request.url).search === "") return taken;
    return new Response("no room", { status: 503 });
  } catch (thrown) {
    assert.ok(thrown instanceof TypeError);
    return new Response("no WebSocket", { status: 426 });
  }
};

const handshake =
  "GET /ws HTTP/1.1\r\nHost: localhost\r\nConnection: Upgrade\r\nUpgrade: websocket\r\n" +
  "Sec-WebSocket-Version: 13\r\nSec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\n\r\n";

/** Every byte as one character, until they end so. */
async function readUntil(connection: Deno.Conn, end: string): Promise<string> {
  const buffer = new Uint8Array(1_000);
  let text = "";
  while (!text.endsWith(end)) {
    const count = await within(connection.read(buffer), `the end of ${text}`);
    if (count === null) throw new Error(`Closed after ${text}`);
    text += String.fromCharCode(...buffer.subarray(0, count));
  }
  return text;
}

/** Opens one, and returns it with a way to wait for its next text. */
async function open(url: string, client?: Deno.HttpClient) {
  const socket = new WebSocket(url, { client });
  const texts: string[] = [];
  let wake = () => {};
  socket.addEventListener("message", ({ data }) => {
    texts.push(data);
    wake();
  });
  const closed = new Promise<number>((resolve) =>
    socket.addEventListener("close", ({ code }) => resolve(code))
  );
  await within(
    new Promise<void>((resolve, reject) => {
      socket.addEventListener("open", () => resolve());
      socket.addEventListener("error", () => reject(new Error("refused")));
    }),
    "the WebSocket to open",
  );
  const next = async () => {
    while (texts.length === 0) {
      await within(new Promise<void>((resolve) => wake = resolve), "a text");
    }
    return texts.shift();
  };
  return { socket, next, closed };
}

async function talk(url: string, listening: Listening, client?: Deno.HttpClient): Promise<void> {
  const first = await open(`${url}/ws`, client);
  assert.equal(await first.next(), "hello");
  first.socket.send("one");
  assert.equal(await first.next(), "echo one");
  first.socket.close(1000);
  assert.equal(await within(first.closed, "the close"), 1000);

  await assert.rejects(open(`${url}/other`, client), /refused/);
  const last = await open(`${url}/ws`, client);
  assert.equal(await last.next(), "hello");
  const stopped = Promise.resolve(listening[Symbol.asyncDispose]());
  assert.equal(await within(last.closed, "the good-bye"), 1001);
  await within(stopped, "the stop", 4_000);
}

Deno.test("plain HTTP hands a connection over as a WebSocket", async () => {
  const listening = servePlain(answer, { hostname: "127.0.0.1", port: 0 });
  const http = await fetch(`http://127.0.0.1:${listening.port}/ws`);
  assert.deepEqual([http.status, await http.text()], [426, "no WebSocket"]);
  await talk(`ws://127.0.0.1:${listening.port}`, listening);
});

tlsTest("HTTPS hands a connection over as a WebSocket", async ({ ca, server }) => {
  const bench = await HttpsBench.open({ lines: tlsLines(server), answer });
  assert.equal((await fetchOnce(`${bench.url}/ws`, { ca })).status, 426);
  const ask = (path: string, more: string) =>
    exchange(
      bench.port,
      ca,
      `GET ${path} HTTP/1.1\r\nHost: localhost\r\nConnection: Upgrade\r\nUpgrade: websocket\r\n` +
        `${more}\r\n`,
    );
  const keys = "Sec-WebSocket-Version: 13\r\nSec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\n";
  assert.match(
    await ask("/other", keys),
    /^HTTP\/1\.1 403 Forbidden\r\n[^]*x-tls: true\r\n[^]*\r\n\r\n\{"detail":"Not here"\}$/,
  );
  assert.match(await ask("/ws", "Sec-WebSocket-Version: 13\r\n"), /^HTTP\/1\.1 400 /);
  const named = handshake.replace("Host: localhost", "Host: name@localhost");
  assert.match(await exchange(bench.port, ca, named), /^HTTP\/1\.1 400 /);
  assert.match(await ask("/ws?full", keys), /^HTTP\/1\.1 503 [^]*no room$/);
  using client = clientOf({ ca });
  await talk(bench.url.replace(/^https/, "wss"), bench.listening, client);
});

tlsTest(
  "a quiet WebSocket outlives the limits of requests; a broken frame ends only its own",
  async (
    { ca, server },
  ) => {
    const limits = { idleMs: 300, keepAliveMs: 200, headersMs: 200, requestMs: 250 };
    await using bench = await HttpsBench.open({ lines: tlsLines(server), answer, limits });
    using client = clientOf({ ca });
    using after = await connect(bench.port, ca);
    const first = "GET / HTTP/1.1\r\nHost: localhost\r\n\r\n";
    await after.write(new TextEncoder().encode(first));
    await after.read(new Uint8Array(1_000));
    await after.write(new TextEncoder().encode(handshake));
    const quiet = await open(`${bench.url.replace(/^https/, "wss")}/ws`, client);
    assert.equal(await quiet.next(), "hello");
    const broken = await exchange(
      bench.port,
      ca,
      "GET /ws HTTP/1.1\r\nHost: localhost\r\nConnection: Upgrade\r\nUpgrade: websocket\r\n" +
        "Sec-WebSocket-Version: 13\r\nSec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\n\r\n\x7f\x7f\x7f",
    );
    assert.match(broken, /^HTTP\/1\.1 101 /);
    await new Promise((resolve) => setTimeout(resolve, 1_500));
    // A ping, masked with zeros: the answer is a pong of no bytes.
    await after.write(new Uint8Array([0x89, 0x80, 0, 0, 0, 0]));
    assert.match(await readUntil(after, "\x8a\x00"), /^HTTP\/1\.1 101 /);
    quiet.socket.send("still here");
    assert.equal(await quiet.next(), "echo still here");
    quiet.socket.close();
    await quiet.closed;
  },
);
