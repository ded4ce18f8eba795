/**
 * Speaks LDAP badly, as no real directory can be made to: silence, nonsense, endless answers.
 *
 * What each request is answered with is bytes; a test writes them with the builders below.
 */
import net from "node:net";
import { BerReader } from "ldapts";

export interface LdapRequest {
  readonly id: number;
  readonly kind: "bind" | "search" | "other";
  /** Of a bind. */
  readonly dn: string;
  /** Asks for a user, and not for groups. */
  readonly isUserSearch: boolean;
  /** Counts from 1 over all connections. */
  readonly number: number;
}

/** Undefined: no answer, ever. `"close"`: the connection ends. */
export type Answering = (request: LdapRequest) => Uint8Array | "close" | undefined;

export class FakeDirectory implements AsyncDisposable {
  readonly requests: LdapRequest[] = [];
  connections = 0;
  readonly #server: net.Server;
  readonly #sockets = new Set<net.Socket>();

  private constructor(answer: Answering) {
    this.#server = net.createServer((socket) => {
      this.connections += 1;
      this.#sockets.add(socket);
      socket.on("error", () => socket.destroy());
      socket.on("close", () => this.#sockets.delete(socket));
      socket.on("data", (bytes) => {
        const request = this.#read(bytes);
        if (request === undefined || request.kind === "other") return;
        this.requests.push(request);
        const reply = answer(request);
        if (reply === "close") socket.destroy();
        else if (reply !== undefined) socket.write(reply);
      });
    });
  }

  static async start(answer: Answering): Promise<FakeDirectory> {
    const fake = new FakeDirectory(answer);
    await new Promise<void>((resolve) =>
      fake.#server.listen({ host: "127.0.0.1", port: 0 }, resolve)
    );
    return fake;
  }

  get address(): string {
    return `127.0.0.1:${(this.#server.address() as net.AddressInfo).port}`;
  }

  /** Each request of the client comes in one piece, for it waits for the answer. */
  #read(bytes: Uint8Array): LdapRequest | undefined {
    try {
      const reader = new BerReader(Buffer.from(bytes));
      reader.readSequence();
      const id = reader.readInt() ?? 0;
      const operation = reader.readSequence();
      const number = this.requests.length + 1;
      const isUserSearch = new TextDecoder().decode(bytes).includes("userPrincipalName");
      const request = { id, dn: "", isUserSearch, number };
      if (operation === 0x63) return { ...request, kind: "search" };
      if (operation !== 0x60) return { ...request, kind: "other" };
      reader.readInt();
      return { ...request, kind: "bind", dn: reader.readString() ?? "" };
    } catch {
      // A handshake of TLS, for one.
      return undefined;
    }
  }

  async [Symbol.asyncDispose](): Promise<void> {
    for (const socket of this.#sockets) socket.destroy();
    await new Promise((resolve) => this.#server.close(resolve));
  }
}

/** One BER value. Source: X.690 §8.1. */
export function ber(tag: number, ...parts: readonly (Uint8Array | string | number)[]): Uint8Array {
  const content = concat(
    parts.map((part) =>
      typeof part === "number"
        ? Uint8Array.of(part)
        : typeof part === "string"
        ? new TextEncoder().encode(part)
        : part
    ),
  );
  const { length } = content;
  const head = length < 128
    ? [tag, length]
    : [tag, 0x84, length >>> 24, (length >>> 16) & 255, (length >>> 8) & 255, length & 255];
  return concat([Uint8Array.from(head), content]);
}

export function concat(parts: readonly Uint8Array[]): Uint8Array {
  const joined = new Uint8Array(parts.reduce((sum, { length }) => sum + length, 0));
  let at = 0;
  for (const part of parts) {
    joined.set(part, at);
    at += part.length;
  }
  return joined;
}

function message(id: number, operation: Uint8Array): Uint8Array {
  return ber(0x30, ber(0x02, id), operation);
}

function result(tag: number, code: number, text: string): Uint8Array {
  return ber(tag, ber(0x0a, code), ber(0x04), ber(0x04, text));
}

/** Source: RFC 4511 §4.2.2. */
export function bindAnswer({ id }: LdapRequest, code = 0, text = ""): Uint8Array {
  return message(id, result(0x61, code, text));
}

/** Source: RFC 4511 §4.5.2. */
export function entry(
  { id }: LdapRequest,
  dn: string,
  attributes: Readonly<Record<string, readonly string[]>>,
): Uint8Array {
  const list = Object.entries(attributes).map(([type, values]) =>
    ber(0x30, ber(0x04, type), ber(0x31, ...values.map((value) => ber(0x04, value))))
  );
  return message(id, ber(0x64, ber(0x04, dn), ber(0x30, ...list)));
}

export function searchDone({ id }: LdapRequest, code = 0): Uint8Array {
  return message(id, result(0x65, code, ""));
}

/** A directory that is well and has one user in it, whatever the password. */
export function oneUser(
  dn: string,
  attributes: Readonly<Record<string, readonly string[]>>,
): Answering {
  return (request) => {
    if (request.kind === "bind") return bindAnswer(request);
    const done = searchDone(request);
    return request.isUserSearch ? concat([entry(request, dn, attributes), done]) : done;
  };
}
