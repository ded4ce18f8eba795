/** What both servers of the API take and give. */

export interface ListenAt {
  /** A name or an address; an IPv6 one without brackets. */
  readonly hostname: string;
  /** 0 takes any free one. */
  readonly port: number;
}

/** Disposed, it takes no new request, lets answers under way end within the grace, closes the rest. */
export interface Listening extends AsyncDisposable {
  readonly port: number;
}

/** How long answers under way are waited for at the end. */
export const STOP_GRACE_MS = 5_000;

/** Code a WebSocket is closed with when the engine stops. Source: RFC 6455 §7.4.1. */
export const GOING_AWAY = 1001;
