/**
 * Takes events in, keeps them in the store, and tells those whom the rules name.
 *
 * `raise()` only counts and queues: whoever calls it never waits and is never thrown at.
 */
import type { Clock } from "../clock.ts";
import type { Logger } from "../logging/mod.ts";
import { type AlertsSettings, alertTransports } from "../settings/mod.ts";
import { type AlertEvent, payloadOf, reasonOf, type Transport } from "./event.ts";
import { InstanceLog, type WriteRaised } from "./instances.ts";
import { type Mail, MailSender, mailTls } from "./mail.ts";
import { noticeMail } from "./notice_mail.ts";
import { decide } from "./rules.ts";
import { SendQueue } from "./send_queue.ts";
import { type Notice, Throttle } from "./throttle.ts";
import { Webhook } from "./webhook.ts";

export interface AlertsOptions {
  readonly settings: AlertsSettings;
  readonly clock: Clock;
  readonly logger: Logger;
  /** Adds to the live instances of the store. */
  readonly write: WriteRaised;
}

/** A mail on its way, and what the log calls it. */
interface QueuedMail {
  readonly mail: Mail;
  readonly about: string;
}

export class Alerts implements AsyncDisposable {
  readonly #options: AlertsOptions;
  readonly #transports: readonly Transport[];
  readonly #instances: InstanceLog;
  readonly #throttle: Throttle;
  readonly #webhook: SendQueue<Notice> | undefined;
  readonly #mail: SendQueue<QueuedMail> | undefined;

  constructor(options: AlertsOptions) {
    const { settings, clock, logger, write } = options;
    this.#options = options;
    this.#transports = alertTransports(settings);
    this.#instances = new InstanceLog({ write, clock, logger });
    const cooldowns = settings.rules.map(({ cooldownMs }) => cooldownMs ?? 0);
    this.#throttle = new Throttle(clock, Math.max(settings.realertMs, ...cooldowns));
    this.#webhook = webhookQueue(options);
    this.#mail = mailQueue(options);
  }

  /** Something happened. Returns at once and never throws. */
  raise(event: AlertEvent): void {
    const { settings, clock } = this.#options;
    const { severity, transports, cooldownMs } = decide(event, settings);
    const at = clock.now();
    // Kept whatever the rule says of telling.
    this.#instances.add(event, { severity, at });
    if (transports?.length === 0) return this.#throttle.dropHeld(event);
    const told = this.#transports.filter((name) => transports?.includes(name) ?? true);
    const notice = { event, severity, transports: told, cooldownMs, at };
    if (this.#throttle.offer(notice)) this.#tell(notice);
  }

  /** Tells what came too early before and still holds. Called every second or so. */
  tellDue(stillHolds: (event: AlertEvent) => boolean): void {
    for (const notice of this.#throttle.takeDue(stillHolds)) this.#tell(notice);
  }

  /** Whether `sendMail()` has a server to send by. */
  get hasMail(): boolean {
    return this.#mail !== undefined;
  }

  /**
   * Queues a mail that is no alert, such as a notice to an account's owner; returns whether it was
   * taken. `about` is what the log says of it, the name of an event: no address and no text is logged.
   */
  sendMail(mail: Mail, about: string): boolean {
    return this.#mail?.push({ mail, about }) ?? false;
  }

  /** Notices and mails lost so far by each transport that is on: not taken in, or given up. */
  get lost(): Readonly<Partial<Record<Transport, number>>> {
    const of = ({ dropped, failed }: { dropped: number; failed: number }) => dropped + failed;
    return {
      ...(this.#webhook && { webhook: of(this.#webhook) }),
      ...(this.#mail && { email: of(this.#mail) }),
    };
  }

  /** Writes what is to be kept, and gives what is queued a short time to leave. */
  async [Symbol.asyncDispose](): Promise<void> {
    await Promise.all([
      this.#instances[Symbol.asyncDispose](),
      this.#webhook?.[Symbol.asyncDispose](),
      this.#mail?.[Symbol.asyncDispose](),
    ]);
  }

  #tell(notice: Notice): void {
    const { event, severity, transports } = notice;
    const { logger, settings } = this.#options;
    logger.warning("alert.raised", {
      type: event.type,
      connection: event.connection,
      severity,
      reason: reasonOf(event),
    });
    if (transports.includes("webhook")) this.#webhook?.push(notice);
    if (transports.includes("email")) {
      const mail = noticeMail(notice, settings.emailTo ?? []);
      this.#mail?.push({ mail, about: event.type });
    }
  }
}

function webhookQueue({ settings, logger, clock }: AlertsOptions): SendQueue<Notice> | undefined {
  const { webhookUrl, webhookTimeoutMs, webhookAllowedHosts } = settings;
  if (webhookUrl === undefined) return undefined;
  const webhook = new Webhook({
    url: webhookUrl,
    timeoutMs: webhookTimeoutMs,
    allowedHosts: webhookAllowedHosts,
  });
  return new SendQueue({
    transport: "webhook",
    send: ({ event, severity, at }, signal) =>
      webhook.send({ ...payloadOf(event), ts: at / 1000, severity }, signal),
    describe: ({ event: { type, connection } }) => ({ about: type, connection }),
    logger,
    clock,
  });
}

/** Also without recipients of alerts: other notices have theirs. */
function mailQueue(
  { settings, logger, clock }: AlertsOptions,
): SendQueue<QueuedMail> | undefined {
  const { emailSmtpHost, emailSmtpPort, emailFrom, emailUseTls, emailUsername } = settings;
  if (emailSmtpHost === undefined || emailFrom === undefined) return undefined;
  const sender = new MailSender({
    host: emailSmtpHost,
    port: emailSmtpPort,
    from: emailFrom,
    tls: mailTls({ usesTls: emailUseTls, port: emailSmtpPort }),
    username: emailUsername,
    password: settings.emailPassword?.reveal(),
    timeoutMs: settings.emailTimeoutMs,
    allowedHosts: settings.smtpAllowedHosts,
  });
  return new SendQueue({
    transport: "email",
    async send({ mail, about }, signal) {
      const { refused } = await sender.send(mail, signal);
      if (refused > 0) logger.warning("alert.recipient_refused", { about, recipients: refused });
    },
    describe: ({ about }) => ({ about }),
    logger,
    clock,
  });
}
