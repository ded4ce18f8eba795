/** A store on a server that keys are changed in, with something in every ciphered column. */
import type { CellKeys } from "../../../src/crypto/keys.ts";
import { cellCipherOf } from "../../../src/crypto/sealed_cells.ts";
import { cipheredColumns } from "../../../src/store/ciphered_cells.ts";
import type { ServerOptions } from "../../../src/store/server/dialect.ts";
import {
  rotateServerKey,
  type ServerRotateOptions,
} from "../../../src/store/postgres/rotate_key.ts";
import type { PostgresStore } from "../../../src/store/postgres/store.ts";
import { StoreBench } from "../../contract/store/bench.ts";
import type { PostgresServer } from "../../postgres/server.ts";
import { rotatedKeys, testKeys } from "../ciphers.ts";
import { fill } from "../sqlite/filled.ts";
import { openStore } from "./bench.ts";

/** What the store seals for itself. */
const OWN = "audit_key.key";

/** A store with something in every ciphered column, in a schema of its own. */
export class RotationPlace implements AsyncDisposable {
  readonly server: PostgresServer;
  readonly options: ServerOptions;
  bench!: StoreBench;

  private constructor(server: PostgresServer) {
    this.server = server;
    this.options = server.options();
  }

  static async filled(
    server: PostgresServer,
    { isClear = false, rows = 3 } = {},
  ): Promise<RotationPlace> {
    const keys = isClear ? undefined : testKeys;
    const place = new RotationPlace(server);
    place.bench = await StoreBench.open({
      name: "PostgreSQL:",
      open: (now) => openStore(place.options, { now, keys }),
      reopen: () => Promise.reject(new Error("Reopened by hand")),
      remove: () => server.drop(place.options.schema!),
    });
    for (let index = 0; index < rows; index += 1) await fill(place.bench, index);
    await place.fillRest(keys, rows);
    return place;
  }

  /** What no statement of the bench writes. */
  async fillRest(keys: CellKeys | undefined, rows: number): Promise<void> {
    const cipher = cellCipherOf(keys);
    await this.ask("UPDATE messages SET summary = $1, metadata = $2", [
      cipher.seal("CANARYsummary"),
      cipher.seal("CANARYmetadata"),
    ]);
    for (let index = 0; index < rows; index += 1) {
      await this.ask(
        `INSERT INTO users (id, username, username_key, auth_provider, created_at, updated_at,
                            totp_secret, totp_staged)
         VALUES ($1, $1, $1, 'local', 1, 1, $2, $3)`,
        [`user ${index}`, cipher.seal("CANARYtotp"), cipher.seal("CANARYstaged")],
      );
      await this.ask(
        `INSERT INTO alert_instance (id, event_type, connection, severity, status, first_seen,
                                     last_seen, count, reason)
         VALUES ($3, 'down', $1, 'high', 'open', 1, 1, 1, $2)`,
        [`OB_${index}`, cipher.seal("CANARYalert"), index],
      );
    }
  }

  async ask(text: string, values: (string | number)[] = []) {
    return (await this.server.ask(this.options, (it) => it.ask(text, values))).rows;
  }

  async close(): Promise<void> {
    await this.bench.store[Symbol.asyncDispose]();
  }

  /** Opens the store anew, for the bench. */
  async open(keys: CellKeys | undefined): Promise<PostgresStore> {
    const store = await openStore(this.options, { now: () => this.bench.now, keys });
    this.bench.store = store;
    return store;
  }

  rotate(options: Partial<ServerRotateOptions> = {}) {
    const server = { ...this.options, applicationName: "rotation" };
    return rotateServerKey({ server, keys: rotatedKeys, now: 2_000_000, ...options });
  }

  /** Every cell of every ciphered column, by `table.column`. */
  async cells(): Promise<Readonly<Record<string, readonly string[]>>> {
    const found: Record<string, readonly string[]> = {};
    for (const { table, key, column } of cipheredColumns) {
      const rows = await this.ask(
        `SELECT ${column} AS cell FROM ${table} WHERE ${column} <> '' ORDER BY ${key.join(", ")}`,
      );
      found[`${table}.${column}`] = rows.map(({ cell }) => String(cell));
    }
    return found;
  }

  async texts(keys: CellKeys) {
    const cipher = cellCipherOf(keys);
    const columns = Object.entries(await this.cells()).filter(([name]) => name !== OWN);
    return Object.fromEntries(columns.map(([name, cells]) => [
      name,
      cells.map((cell) => cipher.open(cell) ?? "unreadable"),
    ]));
  }

  async cellsByKey(): Promise<Readonly<Record<string, number>>> {
    const counts: Record<string, number> = {};
    for (const cell of Object.values(await this.cells()).flat()) {
      const keyId = /^mfenc:v1:([0-9a-f]{16}):/.exec(cell)?.[1] ?? "clear";
      counts[keyId] = (counts[keyId] ?? 0) + 1;
    }
    return counts;
  }

  async storeKeys(): Promise<readonly string[]> {
    return (await this.ask("SELECT key_id FROM store_keys ORDER BY key_id"))
      .map(({ key_id }) => String(key_id));
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await this.bench[Symbol.asyncDispose]();
  }
}
