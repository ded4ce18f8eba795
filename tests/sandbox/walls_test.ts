// Goal: what gets out of the realm still finds a bare worker.
// Method: the worker's own realm, walls up, is asked what it can reach; nothing plays the author.
import assert from "node:assert/strict";

const walls = new URL("../../src/sandbox/walls.ts", import.meta.url).href;

async function ask(expression: string): Promise<string> {
  const source = `
    import { raiseWalls } from ${JSON.stringify(walls)};
    const post = globalThis.postMessage.bind(globalThis);
    globalThis.onmessage = async () => {
      try { post(String(await (${expression}))); } catch (e) { post(e.name + ": " + e.message); }
    };
    raiseWalls();`;
  const worker = new Worker(`data:text/javascript,${encodeURIComponent(source)}`, {
    type: "module",
    deno: { permissions: "none" },
  });
  try {
    return await new Promise((resolve, reject) => {
      worker.onmessage = (event) => resolve(event.data);
      worker.onerror = (event) => {
        event.preventDefault();
        reject(new Error(event.message));
      };
      worker.postMessage("go");
    });
  } finally {
    worker.terminate();
  }
}

/** Not a literal: the runtime would fetch that ahead of time, with the rights of this test. */
function computed(specifier: string): string {
  return `${JSON.stringify([...specifier])}.join("")`;
}

Deno.test("behind the walls there is nothing to reach for", async (t) => {
  const expressions: readonly (readonly [string, RegExp])[] = [
    ...["Deno", "process", "Buffer", "fetch", "WebSocket", "Worker", "BroadcastChannel", "caches"]
      .map((name) => [`typeof ${name}`, /^undefined$/] as const),
    ...["close", "postMessage", "setTimeout", "navigator", "location", "WebAssembly", "indexedDB"]
      .map((name) => [`typeof globalThis.${name}`, /^undefined$/] as const),
    ["typeof self", /^undefined$/],
    ["typeof eval", /^undefined$/],
    ["typeof Function", /^undefined$/],
    ["typeof [].constructor.constructor", /^undefined$/],
    ["typeof (async () => {}).constructor", /^undefined$/],
    ["typeof Object.getPrototypeOf(globalThis).close", /^undefined$/],
    ...["node:fs", "node:process", "node:worker_threads", "npm:anything", "ext:core/ops"]
      .map((name) => [`import(${computed(name)})`, /^TypeError: Imports end here$/] as const),
    ...["https://127.0.0.1:1/x.js", "file:///etc/hostname", "data:text/javascript,export default 1"]
      .map((name) => [`import(${computed(name)})`, /^TypeError: Imports end here$/] as const),
  ];
  for (const [expression, answer] of expressions) {
    await t.step(expression, async () => assert.match(await ask(expression), answer));
  }
});
