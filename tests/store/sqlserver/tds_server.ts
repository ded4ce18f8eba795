/**
 * A server that speaks TDS as far as the library asks for it, on loopback: what a SQL Server would
 * say is the test's own word, how it is said is the protocol's.
 */
import {
  type Call,
  joined,
  type Login,
  messagesOf,
  type Packet,
  packets,
  packetTypes,
  preloginReply,
  readCall,
  readLogin,
  type Row,
  writeDone,
  writeError,
  writeLoginAck,
  Writer,
  writeRows,
  writeTransaction,
} from "./tds_tokens.ts";

/** An error of the server. */
export class Refusal extends Error {
  readonly number: number;
  readonly severity: number;

  constructor(number: number, severity = 16) {
    super(`error ${number}`);
    this.number = number;
    this.severity = severity;
  }
}

export interface Answer {
  readonly rows?: readonly Row[];
  /** Of the columns, where there may be no row. */
  readonly names?: readonly string[];
  readonly count?: number;
  /** In place of rows: columns and rows as they go over the wire. */
  readonly tokens?: Uint8Array;
  /** Behind them, again and again until the client goes. */
  readonly endless?: () => Uint8Array;
}

export type Act = "begin" | "commit" | "rollback";

/** One session's answers. Throwing a {@link Refusal} is an error of the server. */
export interface Session {
  /** @param signal aborted when the client wants no answer any more. */
  ask(call: Call, signal: AbortSignal): Promise<Answer>;
  act(act: Act): Promise<void>;
  close?(): void | Promise<void>;
}

export interface TdsScript {
  login?(login: Login): void;
  open(drop: () => void, login: Login): Session | Promise<Session>;
}

export interface Certificate {
  readonly cert: string;
  readonly key: string;
}

export class TdsServer implements AsyncDisposable {
  readonly #script: TdsScript;
  readonly #listener: Deno.Listener;
  readonly #inner: Deno.TlsListener | undefined;
  readonly #open = new Set<Deno.Conn>();
  readonly #running: Promise<void>[] = [];
  #isClosed = false;
  /** Sign-ins so far. */
  readonly logins: Login[] = [];
  /** What clients asked for, in order: texts, acts, and `attention`. */
  readonly heard: string[] = [];

  constructor(script: TdsScript, certificate?: Certificate) {
    this.#script = script;
    this.#listener = Deno.listen({ hostname: "127.0.0.1", port: 0 });
    if (certificate !== undefined) {
      this.#inner = Deno.listenTls({ hostname: "127.0.0.1", port: 0, ...certificate });
    }
    this.#running.push(this.#accept());
  }

  get port(): number {
    return (this.#listener.addr as Deno.NetAddr).port;
  }

  /** Ends every connection at once. */
  drop(): void {
    for (const conn of this.#open) close(conn);
    this.#open.clear();
  }

  async [Symbol.asyncDispose](): Promise<void> {
    if (this.#isClosed) return;
    this.#isClosed = true;
    this.#listener.close();
    this.#inner?.close();
    this.drop();
    await Promise.allSettled(this.#running);
  }

  async #accept(): Promise<void> {
    try {
      for await (const conn of this.#listener) {
        this.#open.add(conn);
        const serving = this.#inner === undefined ? this.#serve(conn) : this.#unwrap(conn);
        this.#running.push(serving.catch(() => {}).finally(() => this.#gone(conn)));
      }
    } catch {
      // It was closed.
    }
  }

  #gone(conn: Deno.Conn): void {
    close(conn);
    this.#open.delete(conn);
  }

  /**
   * The handshake of TLS travels in packets of the protocol, and from then on everything in TLS. What
   * comes out goes to a listener of TLS, which finds there what it would find on any connection.
   */
  async #unwrap(conn: Deno.Conn): Promise<void> {
    const writer = conn.writable.getWriter();
    const outside = conn.readable.getReader();
    let isWrapped = true;
    const accepted = this.#inner!.accept();
    const inside = await Deno.connect({
      hostname: "127.0.0.1",
      port: (this.#inner!.addr as Deno.NetAddr).port,
    });
    this.#open.add(inside);
    const secured = await accepted;
    this.#open.add(secured);
    const back = (async () => {
      let flight = new Uint8Array();
      for await (const bytes of inside.readable) {
        if (!isWrapped) {
          await writer.write(bytes);
          continue;
        }
        // The client takes one message for each that it sent.
        flight = joined(flight, bytes);
        if (!isWholeFlight(flight)) continue;
        await writer.write(packets(packetTypes.prelogin, flight));
        flight = new Uint8Array();
      }
    })().catch(() => {});
    const serving = this.#serve(secured, { hasBegun: true });
    this.#running.push(serving.catch(() => {}).finally(() => this.#gone(secured)), back);
    const forward = inside.writable.getWriter();
    let bytes = new Uint8Array();
    let isFirst = true;
    for (;;) {
      const { value, done } = await outside.read();
      if (done) break;
      if (!isWrapped) {
        await forward.write(value);
        continue;
      }
      bytes = joined(bytes, value);
      while (bytes.length >= 8) {
        // A record of TLS begins otherwise than a packet.
        if (bytes[0] !== packetTypes.prelogin) {
          isWrapped = false;
          await forward.write(bytes);
          break;
        }
        const length = bytes[2]! << 8 | bytes[3]!;
        if (bytes.length < length) break;
        const body = bytes.slice(8, length);
        bytes = bytes.slice(length);
        if (isFirst) await writer.write(packets(packetTypes.reply, preloginReply(true)));
        else await forward.write(body);
        isFirst = false;
      }
    }
    close(inside);
    close(secured);
  }

  async #serve(conn: Deno.Conn, { hasBegun = false } = {}): Promise<void> {
    const writer = conn.writable.getWriter();
    const reply = (to: Writer) => writer.write(packets(packetTypes.reply, to.bytes));
    const part = (bytes: Uint8Array) =>
      writer.write(packets(packetTypes.reply, bytes, { isWhole: false }));
    let session: Session | undefined;
    let tail: Promise<unknown> = Promise.resolve();
    let stop = new AbortController();
    try {
      for await (const packet of messagesOf(conn.readable)) {
        if (packet.type === packetTypes.prelogin && !hasBegun) {
          await writer.write(packets(packetTypes.reply, preloginReply(false)));
          continue;
        }
        if (packet.type === packetTypes.login) {
          const to = new Writer();
          session = await this.#login(packet, to, () => close(conn));
          await reply(to);
          continue;
        }
        if (packet.type === packetTypes.attention) {
          this.heard.push("attention");
          stop.abort();
          await tail;
          stop = new AbortController();
          const to = new Writer();
          writeDone(to, "batch", { isAttention: true });
          await reply(to);
          continue;
        }
        const { signal } = stop;
        // It goes on listening: somebody may not want to wait any more.
        tail = this.#answer(session!, packet, { reply, part, signal }).catch(() => close(conn));
      }
    } finally {
      stop.abort();
      await session?.close?.();
    }
  }

  /** Writes the answer; a session that began is the caller's to close, whoever still hears of it. */
  async #login({ body }: Packet, to: Writer, drop: () => void): Promise<Session | undefined> {
    const login = readLogin(body);
    try {
      this.#script.login?.(login);
    } catch (thrown) {
      writeError(to, (thrown as Refusal).number, 14);
      writeDone(to, "batch", { isError: true });
      return undefined;
    }
    this.logins.push(login);
    const session = await this.#script.open(drop, login);
    writeLoginAck(to, login.packetSize);
    writeDone(to, "batch", {});
    return session;
  }

  async #answer(
    session: Session,
    packet: Packet,
    { reply, part, signal }: {
      reply: (to: Writer) => Promise<void>;
      part: (bytes: Uint8Array) => Promise<void>;
      signal: AbortSignal;
    },
  ): Promise<void> {
    const to = new Writer();
    const isCall = packet.type !== packetTypes.transaction;
    try {
      if (isCall) await this.#call(session, packet, { to, part, signal });
      else await this.#act(session, packet, to);
    } catch (thrown) {
      if (!(thrown instanceof Refusal)) throw thrown;
      writeError(to, thrown.number, thrown.severity);
      // Whatever fails in a transaction ends it (XACT_ABORT).
      if (this.#isInTransaction.delete(session)) writeTransaction(to, 10);
      writeDone(to, packet.type === packetTypes.rpc ? "procedure" : "batch", { isError: true });
    }
    // Each message is answered by one, also one that nobody waits for any more.
    await reply(to);
  }

  readonly #isInTransaction = new Set<Session>();

  async #call(
    session: Session,
    packet: Packet,
    { to, part, signal }: {
      to: Writer;
      part: (bytes: Uint8Array) => Promise<void>;
      signal: AbortSignal;
    },
  ): Promise<void> {
    const call = readCall(packet);
    this.heard.push(call.text);
    const { rows = [], names, count, tokens, endless } = await session.ask(call, signal);
    if (tokens === undefined) writeRows(to, rows, names === undefined ? undefined : [...names]);
    else to.put(...tokens);
    if (endless !== undefined) {
      await part(to.bytes);
      for (;;) await part(endless());
    }
    const isRpc = packet.type === packetTypes.rpc;
    if (isRpc) writeDone(to, "statement", { count: count ?? rows.length, isMore: true });
    writeDone(to, isRpc ? "procedure" : "batch", isRpc ? {} : { count: count ?? rows.length });
  }

  async #act(session: Session, { body }: Packet, to: Writer): Promise<void> {
    const at = body[0]! | body[1]! << 8;
    const act = ({ 5: "begin", 7: "commit", 8: "rollback" } as const)[body[at]! as 5 | 7 | 8];
    this.heard.push(act);
    await session.act(act);
    if (act === "begin") this.#isInTransaction.add(session);
    else this.#isInTransaction.delete(session);
    writeTransaction(to, act === "begin" ? 8 : act === "commit" ? 9 : 10);
    writeDone(to, "batch", {});
  }
}

const [changeCipher, handshake, serverHelloDone] = [20, 22, 14];

/** Whether a server's turn of a TLS 1.2 handshake is over. Source: RFC 5246 §7.3. */
function isWholeFlight(bytes: Uint8Array): boolean {
  let hasChangedCipher = false;
  let messages = new Uint8Array();
  for (let at = 0; at + 5 <= bytes.length;) {
    const [type, length] = [bytes[at]!, bytes[at + 3]! << 8 | bytes[at + 4]!];
    if (at + 5 + length > bytes.length) return false;
    if (type === changeCipher) hasChangedCipher = true;
    else if (type === handshake && hasChangedCipher) return true;
    else if (type === handshake) {
      messages = joined(messages, bytes.subarray(at + 5, at + 5 + length));
    }
    at += 5 + length;
  }
  for (let at = 0; at + 4 <= messages.length;) {
    if (messages[at] === serverHelloDone) return true;
    at += 4 + (messages[at + 1]! << 16 | messages[at + 2]! << 8 | messages[at + 3]!);
  }
  return false;
}

function close(conn: Deno.Conn): void {
  try {
    conn.close();
  } catch {
    // It is closed already.
  }
}
