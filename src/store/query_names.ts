/**
 * The reads people and start-up make, by name. Their meaning stands in `reads.ts`, their text in the
 * dialect's folder: a dialect that lacks one does not compile.
 */
export const queryNames = [
  /** channel, status, type, control ID, limit, offset; newest first. */
  "messages",
  /** JSON list of channels, status, type, control ID, limit, offset. */
  "messagesOfChannels",
  /** channel, status, type, control ID, limit, offset. */
  "messagesOfChannel",
  /** control ID, status, type, channel, limit, offset. */
  "messagesOfControlId",
  /** status but processed, type, control ID, JSON list of channels or null, limit, offset. */
  "messagesOfStatus",
  "countOfStatus",
  "countProcessed",
  /** JSON list of channels. */
  "countAllOfChannels",
  "countAll",
  "countMessages",
  "countOfChannels",
  "countOfChannel",
  "countAllOfChannel",
  "countAllOfControlId",
  "countOfControlId",
  /** channel, status, type, control ID, before, limit, JSON list of channels or null. */
  "messageBodies",
  /** JSON list of message numbers, bytes at most. */
  "bodiesOf",
  /** id. */
  "message",
  /** message number; so the next two. */
  "rows",
  "events",
  "outbound",
  /** id. */
  "responses",
  /** channel, destination, limit, offset, JSON list of channels or null. */
  "deadLetters",
  /** channel, destination, JSON list of channels or null. */
  "countDead",
  "outbox",
  "openRows",
  /** destination, rows looked at. */
  "oldestOpen",
  /** stage, lane. */
  "oldestInLane",
  /** since, kinds between spaces, limit, JSON list of inbounds or null. */
  "connectionEvents",
  /** The same, and the connection. */
  "connectionEventsOf",
  "retention",
  "state",
  "countEvents",
  /** Bytes of the store. */
  "pages",
] as const;

export type QueryName = (typeof queryNames)[number];
