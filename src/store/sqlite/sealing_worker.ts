/// <reference lib="deno.worker" />
/**
 * The thread that seals what a store held in clear before it had a key, while its engine runs. It
 * ends by itself.
 */
import { describeFailure } from "../errors.ts";
import type { FromSealer, ToSealer } from "./protocol.ts";
import { reseal } from "./reseal.ts";

const stop = new AbortController();

self.onmessage = ({ data }: MessageEvent<ToSealer>) => {
  if (data.type === "stop") stop.abort();
  else void run(data);
};

async function run({ path, keys }: Extract<ToSealer, { type: "seal" }>): Promise<void> {
  try {
    const { cells } = await reseal({ path, keys, which: "clear", signal: stop.signal });
    post({ type: "sealed", cells });
  } catch (thrown) {
    if (stop.signal.aborted) post({ type: "stopped" });
    else post({ type: "failed", failure: describeFailure(thrown) });
  }
  self.close();
}

function post(message: FromSealer): void {
  self.postMessage(message);
}
