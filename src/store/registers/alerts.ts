/** Alert instances as a register: one live one for each kind of event on each connection. */

export const alertChanges = [
  /**
   * `type`, `connection`, `severity`, `first_seen`, `last_seen`, `count`, `reason`: makes the live
   * instance, or adds the count to it. One that was acknowledged stays so.
   */
  "alertRaise",
  /** `actor`, `at`, `id`: a live instance is acknowledged; whoever did so first stays named. */
  "alertAcknowledge",
  /** `at`, `id`: a live instance is resolved. The next event of its kind makes another. */
  "alertResolve",
] as const;

export const alertQueries = [
  /** `limit`: live instances, last seen first. */
  "alertsLive",
  /** `id`. */
  "alertById",
  /** How many instances of each connection nobody has acknowledged. */
  "alertsOpen",
] as const;

export type AlertChange = (typeof alertChanges)[number];
export type AlertQuery = (typeof alertQueries)[number];

export const alertSealedValues: Readonly<Partial<Record<AlertChange, readonly number[]>>> = {
  alertRaise: [6],
};

export const alertSealedColumns: Readonly<Partial<Record<AlertQuery, readonly string[]>>> = {
  alertsLive: ["reason"],
  alertById: ["reason"],
};
