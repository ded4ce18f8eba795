/**
 * Sends mail by the one server that `[alerts]` names, one connection a mail.
 *
 * Unless it is switched off, TLS is required, with a certificate that is valid for the server's name.
 * We open the connection ourselves, so that the only address this process ever asks for is the one
 * that was granted to it. Source: A `[alerts]`.
 */
import { connect, isIP, isIPv6, type Socket } from "node:net";
import { isListedHost, mailAddress, plainHost } from "../settings/mod.ts";
import { SendError } from "./send_error.ts";

export interface MailOptions {
  readonly host: string;
  readonly port: number;
  readonly from: string;
  /** After STARTTLS, from the first byte, or never. */
  readonly tls: "starttls" | "first" | "none";
  readonly username: string | undefined;
  readonly password: string | undefined;
  /** For a whole mail, from connecting to the server's last answer. */
  readonly timeoutMs: number;
  readonly allowedHosts: readonly string[];
  /** Authorities in PEM; those of the runtime when left out. */
  readonly ca?: string;
}

/** One mail of plain text. */
export interface Mail {
  readonly to: readonly string[];
  readonly subject: string;
  readonly text: string;
}

/** Port 465 is for TLS from the first byte (RFC 8314 §3.3). */
const SUBMISSIONS_PORT = 465;

export function mailTls(
  { usesTls, port }: { readonly usesTls: boolean; readonly port: number },
): MailOptions["tls"] {
  if (!usesTls) return "none";
  return port === SUBMISSIONS_PORT ? "first" : "starttls";
}

export class MailSender {
  readonly #options: MailOptions;

  constructor(options: MailOptions) {
    this.#options = options;
  }

  /**
   * Resolves when the server has taken the mail for one recipient at least; returns how many it
   * refused.
   *
   * @throws {SendError} `alerts.host_not_allowed`, `alerts.address_invalid` or `alerts.mail_failed`.
   */
  async send({ to, subject, text }: Mail, signal: AbortSignal): Promise<{ refused: number }> {
    const { host, port, timeoutMs, allowedHosts } = this.#options;
    if (!isListedHost(host, allowedHosts)) {
      throw new SendError(
        "alerts.host_not_allowed",
        `Cannot send mail by "${host}": it is not in smtp_allowed_hosts`,
        { isFinal: true },
      );
    }
    const addresses = to.map(plainAddress);
    const limit = AbortSignal.any([signal, AbortSignal.timeout(timeoutMs)]);
    let socket: Socket | undefined;
    try {
      const { createTransport } = await import("nodemailer");
      socket = await open({ host: plainHost(host), port, signal: limit });
      const transport = createTransport({ ...this.#connection(socket), connection: socket });
      const { rejected } = await transport.sendMail({
        from: this.#options.from,
        to: addresses.map((address) => ({ name: "", address })),
        subject: subject.replace(/\p{Cc}+/gu, " "),
        text,
        signal: limit,
      });
      return { refused: rejected.length };
    } catch (cause) {
      throw failure(cause, { host, isLate: limit.aborted && !signal.aborted });
    } finally {
      socket?.destroy();
    }
  }

  #connection(socket: Socket) {
    const { host: given, port, tls, username, password, timeoutMs, ca } = this.#options;
    const host = plainHost(given);
    return {
      host,
      port,
      // Address literals need no name of this machine (RFC 5321 §4.1.3).
      name: literalOf(socket.localAddress),
      secure: tls === "first",
      requireTLS: tls === "starttls",
      ignoreTLS: tls === "none",
      auth: username === undefined ? undefined : { user: username, pass: password ?? "" },
      tls: {
        ca,
        minVersion: "TLSv1.2",
        ...(isIP(host) === 0 ? { servername: host } : {}),
      } as const,
      connectionTimeout: timeoutMs,
      greetingTimeout: timeoutMs,
      socketTimeout: timeoutMs,
      disableFileAccess: true,
      disableUrlAccess: true,
    };
  }
}

function plainAddress(text: string): string {
  const address = mailAddress(text);
  if (address !== undefined) return address;
  throw new SendError("alerts.address_invalid", "Cannot send mail: a recipient is no address", {
    isFinal: true,
  });
}

function literalOf(address = "127.0.0.1"): string {
  return isIPv6(address) ? `[IPv6:${address.replace(/%.*$/, "")}]` : `[${address}]`;
}

function open(
  { host, port, signal }: { host: string; port: number; signal: AbortSignal },
): Promise<Socket> {
  const { promise, resolve, reject } = Promise.withResolvers<Socket>();
  const socket = connect({ host, port });
  const onAbort = () => socket.destroy(new Error("Connecting took too long"));
  signal.addEventListener("abort", onAbort, { once: true });
  if (signal.aborted) onAbort();
  socket.once("error", reject);
  socket.once("connect", () => {
    socket.off("error", reject);
    resolve(socket);
  });
  return promise.finally(() => signal.removeEventListener("abort", onAbort));
}

/** The server's own words are left out: they may repeat what it was sent. */
function failure(
  cause: unknown,
  { host, isLate }: { host: string; isLate: boolean },
): SendError {
  const { code, responseCode } = cause as { code?: unknown; responseCode?: unknown };
  const status = typeof responseCode === "number" ? responseCode : undefined;
  const what = isLate
    ? "it did not take the mail in time"
    : WORDS[String(code)] ?? (status === undefined ? "no connection" : `it answers ${status}`);
  return new SendError("alerts.mail_failed", `Cannot send mail by "${host}": ${what}`, {
    cause,
    status,
    isFinal: !isLate && (code === "EAUTH" || status !== undefined && status >= 500),
  });
}

const WORDS: Readonly<Record<string, string>> = {
  EAUTH: "it does not take email_username and email_password",
  ENOAUTH: "it does not take email_username and email_password",
  ETLS: "it offers no TLS, or a certificate that is not trusted",
  ESOCKET: "the connection broke, or its certificate is not trusted",
};
