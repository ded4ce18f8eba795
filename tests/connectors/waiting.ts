/** Bounded waits: no test of sockets or files may hang, and none sleeps where it can be told. */
import net from "node:net";

/** Settles as `promise` does, or rejects after `ms` naming `what` never came. */
export async function within<T>(promise: Promise<T>, what: string, ms = 5_000): Promise<T> {
  let timer: ReturnType<typeof setTimeout> | undefined;
  const tooLate = new Promise<never>((_, reject) => {
    timer = setTimeout(() => reject(new Error(`Waited ${ms} ms for ${what}`)), ms);
  });
  try {
    return await Promise.race([promise, tooLate]);
  } finally {
    clearTimeout(timer);
  }
}

/** Polls every 5 ms until `condition` holds; for state that announces itself to nobody. */
export async function until(condition: () => boolean, what: string, ms = 5_000): Promise<void> {
  const deadline = performance.now() + ms;
  while (!condition()) {
    if (performance.now() > deadline) throw new Error(`Waited ${ms} ms for ${what}`);
    await pause(5);
  }
}

/** The same for what has to be asked for, every 20 ms. */
export async function eventually(
  isTrue: () => Promise<boolean>,
  what: string,
  ms = 15_000,
): Promise<void> {
  const deadline = performance.now() + ms;
  while (!await isTrue()) {
    if (performance.now() > deadline) throw new Error(`Waited ${ms} ms for ${what}`);
    await pause(20);
  }
}

export function pause(ms: number): Promise<void> {
  return new Promise((resolve) => setTimeout(resolve, ms));
}

/** Returns a loopback port that was free a moment ago. */
export async function freePort(host = "127.0.0.1"): Promise<number> {
  for (let tries = 0; tries < 1_000; tries += 1) {
    const port = PORTS_FROM + nextPort++ % PORTS;
    if (await canListen(port, host)) return port;
  }
  throw new Error(`No port of ${host} is free`);
}

/** Below those that the system gives out itself: nobody gets one between its choice and its use. */
const PORTS_FROM = 10_240;
const PORTS = 22_000;
/** Several processes of tests begin far from each other. */
let nextPort = crypto.getRandomValues(new Uint16Array(1))[0]! % PORTS;

async function canListen(port: number, host: string): Promise<boolean> {
  const server = net.createServer();
  const isFree = await new Promise<boolean>((resolve) => {
    server.once("error", () => resolve(false));
    server.listen({ port, host }, () => resolve(true));
  });
  if (isFree) await new Promise<void>((resolve) => server.close(() => resolve()));
  return isFree;
}
