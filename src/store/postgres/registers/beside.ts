/**
 * The registers of a store on a server, changed past the engines: for whoever stands at a console and
 * cannot sign in. Engines may run or not, one or several.
 *
 * Each change is one transaction under the lock that every writer takes first, in which the audit row
 * takes up the chain where the newest row left it. Nothing is opened as an engine would: no schema is
 * migrated, no key entered, no row claimed. Messages are not within reach here, nor is anything that
 * would have to be sealed.
 */
import type { CellKeys } from "../../../crypto/keys.ts";
import { cellCipherOf } from "../../../crypto/sealed_cells.ts";
import { StoreError } from "../../errors.ts";
import {
  type RegisterIntent,
  type RegisterQueryName,
  type RegisterResult,
  type RegisterRow,
  type RegisterStore,
  type RegisterValue,
  sealedColumns,
  sealedValues,
} from "../../registers/mod.ts";
import { AuditLog, readAuditKey } from "../../server/audit_log.ts";
import type { ServerOptions, ServerResult, ServerRow } from "../../server/dialect.ts";
import {
  changeRegisters,
  NotApplied,
  type RegisterTransaction,
} from "../../server/register_changes.ts";
import { nameOf } from "../../server/server_name.ts";
import type { Connection } from "../connection.ts";
import { connectBeside, lockStore, toError } from "../fit.ts";
import { registerSql } from "./mod.ts";

export interface ServerBesideOptions {
  readonly server: ServerOptions;
  /** Those the engines have: without them the chain of the audit log cannot be gone on with. */
  readonly keys: CellKeys | undefined;
}

export class ServerRegistersBeside implements RegisterStore, AsyncDisposable {
  readonly path: string;
  readonly #connection: Connection;
  readonly #audit: AuditLog;

  /**
   * Opens the registers; makes nothing.
   *
   * @throws {StoreError} `store.not_found`, `store.older_schema`, `store.newer_schema`,
   * `store.key_missing`, `store.unreadable`, or what reaching the server says.
   */
  static async open({ server, keys }: ServerBesideOptions): Promise<ServerRegistersBeside> {
    const connection = await connectBeside(server, keys);
    try {
      const key = await auditKeyOf(connection, keys);
      return new ServerRegistersBeside(nameOf(server), connection, new AuditLog(key));
    } catch (thrown) {
      await connection.close();
      throw toError(thrown);
    }
  }

  private constructor(path: string, connection: Connection, audit: AuditLog) {
    this.path = path;
    this.#connection = connection;
    this.#audit = audit;
  }

  /**
   * Writes all of an intent or nothing of it, durably.
   *
   * @throws {StoreError} nothing was written; with `store.unavailable` it may have been.
   */
  async submit(intent: RegisterIntent): Promise<RegisterResult> {
    if (intent.changes.some(({ name }) => sealedValues[name] !== undefined)) {
      throw new RangeError("Cannot seal values beside the engine");
    }
    const connection = this.#connection;
    const said: Promise<ServerResult>[] = [];
    // Whoever says a statement need not wait for it: the commit does.
    const kept = (answer: Promise<ServerResult>) => {
      answer.catch(() => {});
      said.push(answer);
      return answer;
    };
    const tx: RegisterTransaction = {
      ask: (...of) => kept(connection.ask(...of)),
      all: (...of) => kept(connection.run(...of)),
      first: async (...of) => (await kept(connection.run(...of))).rows[0],
      begun: Promise.resolve(),
    };
    try {
      await connection.begin();
      await lockStore(connection);
      const texts = registerSql;
      const [result] = await changeRegisters(tx, [intent], { audit: this.#audit, texts });
      await Promise.all(said);
      await connection.commit();
      return result!;
    } catch (thrown) {
      this.#audit.forget();
      if (!connection.isLost) await connection.rollBack();
      if (thrown instanceof NotApplied) return thrown.result;
      throw toError(thrown);
    }
  }

  /** Rows of a register; sealed columns stay shut and read as null. */
  async register(
    name: RegisterQueryName,
    ...values: readonly RegisterValue[]
  ): Promise<readonly RegisterRow[]> {
    const shut = sealedColumns[name] ?? [];
    let rows: readonly ServerRow[];
    try {
      ({ rows } = await this.#connection.ask(registerSql[name], values));
    } catch (thrown) {
      throw toError(thrown);
    }
    if (shut.length === 0) return rows;
    const nothing = Object.fromEntries(shut.map((column) => [column, null]));
    return rows.map((row) => ({ ...row, ...nothing }));
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await this.#connection.close();
  }
}

/** Undefined: the chain has no key of its own, and making one is the engine's. */
async function auditKeyOf(
  connection: Connection,
  keys: CellKeys | undefined,
): Promise<Uint8Array | undefined> {
  const { rows: [row] } = await connection.ask("SELECT key FROM audit_key WHERE id = 1");
  if (row === undefined) return undefined;
  const key = readAuditKey(String(row.key), cellCipherOf(keys));
  if (key !== undefined) return key;
  throw new StoreError(
    "store.unreadable",
    "Cannot go on with the audit log: no key opens its own",
    {
      hint: "Set MEFOR_STORE_ENCRYPTION_KEY, and the retired keys, as the engine has them",
    },
  );
}
