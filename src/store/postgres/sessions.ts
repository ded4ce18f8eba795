/**
 * Openings of the store, as others see them: which key each seals with, and whether it lives.
 *
 * A session's name ends with the id of its key, and while its writer is connected it holds a lock of
 * that name. One whose row in `store_writer` is gone can commit nothing any more, whatever it is at.
 */
import type { ServerConnection } from "../server/dialect.ts";
import { keyOfSession } from "../server/session_name.ts";

type Asks = Pick<ServerConnection, "ask">;

const LOCK = "hashtext('messagefoundry.writer')";

/** Says that the session lives, for as long as the connection stands. Waits for a former one's end. */
export async function holdSession(connection: Asks, session: string): Promise<void> {
  await connection.ask(`SELECT pg_advisory_lock(${LOCK}, hashtext($1))`, [session]);
}

export interface Sessions {
  /** Ids of the keys that living sessions seal with, `CLEAR` among them; each once. */
  readonly keyIds: readonly string[];
  /** Sessions with another key, that nobody holds. */
  readonly deadOthers: readonly string[];
}

/** Looks at the sessions; those with another key than `keyId` are told apart. */
export async function lookAtSessions(connection: Asks, keyId: string): Promise<Sessions> {
  const { rows } = await connection.ask("SELECT session FROM store_writer ORDER BY session");
  const keyIds = new Set<string>();
  const deadOthers: string[] = [];
  for (const { session } of rows) {
    const name = String(session);
    const own = keyOfSession(name);
    if (await isHeld(connection, name)) keyIds.add(own);
    else if (own !== keyId) deadOthers.push(name);
  }
  return { keyIds: [...keyIds], deadOthers };
}

/** Bars sessions from ever committing again. */
export async function barSessions(connection: Asks, sessions: readonly string[]): Promise<void> {
  for (const session of sessions) {
    await connection.ask("DELETE FROM store_writer WHERE session = $1", [session]);
  }
}

async function isHeld(connection: Asks, session: string): Promise<boolean> {
  const { rows: [row] } = await connection.ask(
    `SELECT pg_try_advisory_lock(${LOCK}, hashtext($1)) AS is_mine`,
    [session],
  );
  if (row?.is_mine !== 1) return true;
  await connection.ask(`SELECT pg_advisory_unlock(${LOCK}, hashtext($1))`, [session]);
  return false;
}
