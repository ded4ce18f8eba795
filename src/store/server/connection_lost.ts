/** The connection went away, or none can be made: nobody is to blame who asked. */
export class ConnectionLost extends Error {
  override readonly name = "ConnectionLost";
}

/** What an operator reads of it. */
export const unavailable = {
  code: "store.unavailable",
  message: "Cannot reach the database server",
  hint: "Check [store] server and port, and the server itself; the engine connects again by itself",
} as const;
