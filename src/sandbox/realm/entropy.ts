/**
 * `crypto.randomUUID()` and `crypto.getRandomValues()` for author code.
 *
 * A ChaCha20 stream made in the realm, keyed anew at every load with 44 bytes of the host's entropy
 * that came in as text, so no host function is reachable. Source: RFC 8439 §2.3.
 */

const roundsOfTwo = 10;
/** RFC 8439 §2.3: "expand 32-byte k". */
const constants = [0x61707865, 0x3320646e, 0x79622d32, 0x6b206574] as const;
/** Bytes one call may ask for, as in Web Crypto. */
const requestBytesMax = 65_536;

/** The key stream as bytes. */
export class ChaCha20 {
  /** Constants, key, counter, nonce. */
  readonly #state = new Uint32Array(16);
  readonly #work = new Uint32Array(16);
  readonly #block = new Uint8Array(this.#work.buffer);
  #used = 64;

  /** `seed`: 32 bytes of key, then 12 of nonce. */
  constructor(seed: Uint8Array) {
    if (seed.length !== 44) throw new RangeError("Cannot seed ChaCha20: want 44 bytes");
    const view = new DataView(seed.buffer, seed.byteOffset, seed.length);
    this.#state.set(constants, 0);
    for (let i = 0; i < 8; i++) this.#state[4 + i] = view.getUint32(i * 4, true);
    for (let i = 0; i < 3; i++) this.#state[13 + i] = view.getUint32(32 + i * 4, true);
  }

  next(): number {
    if (this.#used === 64) this.#refill();
    return this.#block[this.#used++] as number;
  }

  #refill(): void {
    const state = this.#state;
    const work = this.#work;
    work.set(state);
    for (let round = 0; round < roundsOfTwo; round++) {
      quarterRound(work, 0, 4, 8, 12);
      quarterRound(work, 1, 5, 9, 13);
      quarterRound(work, 2, 6, 10, 14);
      quarterRound(work, 3, 7, 11, 15);
      quarterRound(work, 0, 5, 10, 15);
      quarterRound(work, 1, 6, 11, 12);
      quarterRound(work, 2, 7, 8, 13);
      quarterRound(work, 3, 4, 9, 14);
    }
    for (let i = 0; i < 16; i++) work[i] = (work[i] as number) + (state[i] as number);
    state[12] = (state[12] as number) + 1;
    // 256 GiB later the first nonce word takes over, so the stream does not repeat.
    if (state[12] === 0) state[13] = (state[13] as number) + 1;
    this.#used = 0;
  }
}

/** Defines the global `crypto`. `entropy`: 44 bytes as hex. */
export function installCrypto(entropy: string): void {
  const stream = new ChaCha20(Uint8Array.fromHex(entropy));
  const crypto = {
    randomUUID: () => randomUuid(stream),
    getRandomValues<T>(array: T): T {
      fillRandom(array, stream);
      return array;
    },
  };
  Object.defineProperty(globalThis, "crypto", {
    value: crypto,
    writable: false,
    enumerable: false,
    configurable: false,
  });
}

/** Version 4. Source: RFC 9562 §5.4. */
function randomUuid(stream: ChaCha20): string {
  const bytes = new Uint8Array(16);
  for (let i = 0; i < 16; i++) bytes[i] = stream.next();
  bytes[6] = (bytes[6] as number) & 0x0f | 0x40;
  bytes[8] = (bytes[8] as number) & 0x3f | 0x80;
  const hex = bytes.toHex();
  return `${hex.slice(0, 8)}-${hex.slice(8, 12)}-${hex.slice(12, 16)}-${hex.slice(16, 20)}-${
    hex.slice(20)
  }`;
}

function fillRandom(array: unknown, stream: ChaCha20): void {
  const isIntegers = ArrayBuffer.isView(array) && !(array instanceof DataView) &&
    !(array instanceof Float32Array) && !(array instanceof Float64Array);
  if (!isIntegers) throw new TypeError("Cannot fill with random values: want an integer array");
  if (array.byteLength > requestBytesMax) {
    throw new RangeError(`Cannot fill with random values: want at most ${requestBytesMax} bytes`);
  }
  const bytes = new Uint8Array(array.buffer, array.byteOffset, array.byteLength);
  for (let i = 0; i < bytes.length; i++) bytes[i] = stream.next();
}

function quarterRound(x: Uint32Array, a: number, b: number, c: number, d: number): void {
  x[a] = (x[a] as number) + (x[b] as number);
  x[d] = rotate((x[d] as number) ^ (x[a] as number), 16);
  x[c] = (x[c] as number) + (x[d] as number);
  x[b] = rotate((x[b] as number) ^ (x[c] as number), 12);
  x[a] = (x[a] as number) + (x[b] as number);
  x[d] = rotate((x[d] as number) ^ (x[a] as number), 8);
  x[c] = (x[c] as number) + (x[d] as number);
  x[b] = rotate((x[b] as number) ^ (x[c] as number), 7);
}

function rotate(value: number, bits: number): number {
  return value << bits | value >>> (32 - bits);
}
