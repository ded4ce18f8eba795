/**
 * Posts JSON to the one address that `[alerts]` names.
 *
 * No redirect is followed: the allow-list speaks of the host that is configured, not of one it sends
 * us to. Nothing of an answer is read but its status. The address may carry a token, so no error and
 * no log line shows it. Source: A `[alerts]`; spec pipeline-store-cluster §8.
 */
import { errorClass } from "../errors.ts";
import { isListedHost } from "../settings/mod.ts";
import { VERSION } from "../version.ts";
import { SendError } from "./send_error.ts";

export interface WebhookOptions {
  readonly url: string;
  readonly timeoutMs: number;
  readonly allowedHosts: readonly string[];
}

/** Busy, late or broken: the only refusals that another attempt may change. */
const PASSING: ReadonlySet<number> = new Set([408, 425, 429]);

export class Webhook {
  readonly #options: WebhookOptions;

  constructor(options: WebhookOptions) {
    this.#options = options;
  }

  /** @throws {SendError} `alerts.host_not_allowed` or `alerts.webhook_failed`. */
  async send(body: Readonly<Record<string, unknown>>, signal: AbortSignal): Promise<void> {
    const { url, timeoutMs, allowedHosts } = this.#options;
    const { hostname } = new URL(url);
    if (!isListedHost(hostname, allowedHosts)) {
      throw new SendError(
        "alerts.host_not_allowed",
        `Cannot post to "${hostname}": it is not in webhook_allowed_hosts`,
        { isFinal: true },
      );
    }
    const status = await this.#post(JSON.stringify(body), {
      signal: AbortSignal.any([signal, AbortSignal.timeout(timeoutMs)]),
      hostname,
    });
    if (status >= 200 && status < 300) return;
    throw new SendError(
      "alerts.webhook_failed",
      status >= 300 && status < 400
        ? `Cannot post to "${hostname}": it answers with a redirect, and none is followed`
        : `Cannot post to "${hostname}": it answers ${status}`,
      { status, isFinal: status < 500 && !PASSING.has(status) },
    );
  }

  async #post(
    body: string,
    { signal, hostname }: { signal: AbortSignal; hostname: string },
  ): Promise<number> {
    try {
      const response = await fetch(this.#options.url, {
        method: "POST",
        redirect: "manual",
        headers: { "content-type": "application/json", "user-agent": `messagefoundry/${VERSION}` },
        body,
        signal,
      });
      await response.body?.cancel();
      return response.status;
    } catch (cause) {
      const isLate = errorClass(cause) === "TimeoutError";
      throw new SendError(
        "alerts.webhook_failed",
        `Cannot post to "${hostname}": ${isLate ? "no answer in time" : "no connection"}`,
        { cause, isFinal: false },
      );
    }
  }
}
