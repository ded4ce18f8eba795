// Goal: a connection of the cluster opens itself, gives up in time, and mixes up no answers.
import assert from "node:assert/strict";
import { Connection, type Line, type Row } from "../../src/cluster/server/connection.ts";
import { pause } from "../connectors/waiting.ts";

class Refused extends Error {}

/** A server whose answers are the test's. */
class Server {
  answer: (text: string) => Promise<readonly Row[]> = async (text) => [{ text }];
  opens: () => Promise<void> = async () => {};
  readonly told: string[] = [];
  readonly #gone: (() => void)[] = [];
  #lines = 0;

  readonly connection = new Connection({
    timeoutMs: 200,
    driver: {
      open: (onGone) => this.#open(onGone),
      refusalOf: (thrown) => thrown instanceof Refused ? "error 208" : undefined,
    },
    onConnected: () => void this.told.push("connected"),
    onLost: () => void this.told.push("lost"),
  });

  /** Ends what stands. */
  end(): void {
    for (const gone of this.#gone.splice(0)) gone();
  }

  async #open(onGone: () => void): Promise<Line> {
    await this.opens();
    const number = this.#lines += 1;
    this.#gone.push(onGone);
    return {
      ask: (text) => this.answer(`${text} over ${number}`),
      drop: () => void this.told.push(`drop ${number}`),
      end: async () => void this.told.push(`end ${number}`),
    };
  }
}

function refuses(asked: Promise<unknown>, code: string): Promise<void> {
  return assert.rejects(asked, { name: "ClusterError", code });
}

Deno.test("what is asked at one moment shares one connection, which is ended in order", async () => {
  const server = new Server();
  const { connection, told } = server;
  assert.equal(connection.isOpen, false);
  const answers = await Promise.all([connection.run("a"), connection.run("b")]);
  assert.deepEqual(answers.flat(), [{ text: "a over 1" }, { text: "b over 1" }]);
  await connection[Symbol.asyncDispose]();
  assert.deepEqual(told, ["connected", "end 1", "drop 1"]);
  await refuses(connection.run("c"), "cluster.closed");
});

Deno.test("a refused statement costs nothing; one that nobody knows of costs the connection", async () => {
  const server = new Server();
  const { connection, told } = server;
  server.answer = () => Promise.reject(new Refused());
  await assert.rejects(connection.run("a"), /\(error 208\)$/);
  assert.deepEqual([told, connection.isOpen], [["connected"], true]);
  server.answer = () => Promise.reject(new Error("socket"));
  await refuses(connection.run("a"), "cluster.connection_lost");
  assert.deepEqual([told, connection.isOpen], [["connected", "lost", "drop 1"], false]);
  server.answer = async (text) => [{ text }];
  assert.deepEqual(await connection.run("a"), [{ text: "a over 2" }]);
  server.end();
  assert.deepEqual([told.slice(3), connection.isOpen], [["connected", "lost"], false]);
});

Deno.test("no answer in time costs the connection, and a late one is nobody's", async () => {
  const server = new Server();
  const { connection, told } = server;
  const late = Promise.withResolvers<Row[]>();
  server.answer = () => late.promise;
  await refuses(connection.run("slow"), "cluster.timeout");
  assert.deepEqual(told, ["connected", "lost", "drop 1"]);
  server.answer = async (text) => [{ text }];
  const next = connection.run("next");
  late.resolve([{ text: "late" }]);
  assert.deepEqual(await next, [{ text: "next over 2" }]);
  const stop = new AbortController();
  server.answer = () => new Promise(() => {});
  const waiting = connection.run("c", [], { signal: stop.signal });
  stop.abort();
  await refuses(waiting, "cluster.closed");
});

Deno.test("a connection that cannot be made, or comes too late, is let go of", async () => {
  const server = new Server();
  const { connection, told } = server;
  server.opens = () => Promise.reject(new Error("refused"));
  await refuses(connection.run("a"), "cluster.unreachable");
  const slow = Promise.withResolvers<void>();
  server.opens = () => slow.promise;
  await refuses(connection.run("a"), "cluster.timeout");
  assert.deepEqual([told, connection.isOpen], [[], false]);
  slow.resolve();
  await pause(5);
  assert.deepEqual(told, ["connected", "drop 1"]);
});

Deno.test("what takes several statements has one bound", async () => {
  const { connection, told } = new Server();
  const both = connection.use(async (line) => [
    ...await line.ask("a", undefined),
    ...await line.ask("b", undefined),
  ]);
  assert.deepEqual(await both, [{ text: "a over 1" }, { text: "b over 1" }]);
  await refuses(connection.use(() => new Promise(() => {}), { timeoutMs: 50 }), "cluster.timeout");
  assert.deepEqual(told, ["connected", "lost", "drop 1"]);
});
