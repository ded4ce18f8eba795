/** A store with something in every ciphered column, and all its texts as one value to compare. */
import type { DatabaseSync } from "node:sqlite";
import type { CellCipher } from "../../../src/crypto/cells.ts";
import { keylessCells } from "../../../src/crypto/cells.ts";
import { type CellKeys, keyIdOf } from "../../../src/crypto/keys.ts";
import { cellCipherOf } from "../../../src/crypto/sealed_cells.ts";
import { cipheredColumns } from "../../../src/store/ciphered_cells.ts";
import { textOf } from "../../../src/store/sqlite/cell_text.ts";
import { delivery, type StoreBackend, StoreBench } from "../../contract/store/bench.ts";
import { inspect, openStore, sqliteBackend } from "./bench.ts";

/** A key that begins with what the name of a patient would be. */
export const PATIENT = "CANARYpatient";

/** SQLite stores with these keys, which a test may change between two openings. */
export function backendWith(keys: () => CellKeys | undefined): StoreBackend {
  return {
    ...sqliteBackend,
    open: async (now) => openStore(`${await Deno.makeTempDir()}/store.db`, { now, keys: keys() }),
    reopen: ({ path }, now) => openStore(path, { now, keys: keys() }),
  };
}

/** A bench whose store is closed, with some messages in every state and every column filled. */
export async function filledBench(keys: () => CellKeys | undefined, messages = 5) {
  const bench = await StoreBench.open(backendWith(keys));
  for (let index = 0; index < messages; index += 1) await fill(bench, index);
  await bench.store[Symbol.asyncDispose]();
  const cipher = keys() === undefined ? keylessCells : cellCipherOf(keys());
  // No statement writes these yet; a tool must not forget them when one does.
  inspect(bench.store.path, (db) => {
    db.exec("PRAGMA secure_delete = ON");
    insertRegisters(db, { cipher, rows: messages });
    for (const column of ["summary", "metadata"]) {
      for (const { seq } of db.prepare("SELECT seq FROM messages").all()) {
        db.prepare(`UPDATE messages SET ${column} = ? WHERE seq = ?`)
          .run(cipher.seal(`CANARY${column} ${seq}`), seq!);
      }
    }
  });
  return bench;
}

/** Rows of the registers that have ciphered columns; the audit log's key is the store's own doing. */
function insertRegisters(
  db: DatabaseSync,
  { cipher, rows }: { readonly cipher: CellCipher; readonly rows: number },
): void {
  const user = db.prepare(`
    INSERT INTO users (id, username, username_key, auth_provider, created_at, updated_at,
                       totp_secret, totp_staged)
    VALUES (?1, ?1, ?1, 'local', 1, 1, ?2, ?3)`);
  const alert = db.prepare(`
    INSERT INTO alert_instance (event_type, connection, severity, status, first_seen, last_seen,
                                count, reason)
    VALUES ('down', ?, 'high', 'open', 1, 1, 1, ?)`);
  for (let index = 0; index < rows; index += 1) {
    user.run(
      `user ${index}`,
      cipher.seal(`CANARYtotp ${index}`),
      cipher.seal(`CANARYstaged ${index}`),
    );
    alert.run(`OB_${index}`, cipher.seal(`CANARYalert ${index}`));
  }
}

/** An answer of a partner, and a version of a reference set. */
async function fillSnapshots(bench: StoreBench, index: number): Promise<void> {
  const ward = `OB_C${index}`;
  await bench.queued([ward], { raw: `CANARYasked ${index}` });
  const { seq, token, messageSeq } = await bench.take("outbound", ward);
  const [body, detail] = [`CANARYanswer ${index}`, `CANARYdetail ${index}`];
  await bench.store.submit({
    ...{ kind: "complete_with_response", at: bench.now, seq, token, messageSeq },
    ...{ destination: ward, next: undefined },
    response: { outcome: "accepted", detail, body, reingress: undefined },
  });
  const entries = `[["${PATIENT}","CANARYrow ${index}"]]`;
  await bench.store.submit({
    kind: "register",
    changes: [
      { name: "referencePart", values: [`set ${index}`, "1", 0, entries] },
      { name: "referenceFlip", values: [`set ${index}`, "1", 1, 1, `CANARYdigest ${index}`] },
    ],
    audit: [],
  });
}

/** Messages in every state, an answer, a reference set, a state entry and an event of connections. */
export async function fill(bench: StoreBench, index: number): Promise<void> {
  const refused = bench.message({ raw: `CANARYrefused ${index}\0\u{1F600}` });
  await bench.store.submit({
    kind: "record_error",
    message: refused,
    error: `CANARYerror ${index}`,
  });
  const held = await bench.receive({ raw: `CANARYraw ${index}` });
  const [lab, ward] = [`OB_A${index}`, `OB_B${index}`];
  await bench.handOff(held, {
    deliveries: [delivery(lab, { payload: `CANARYpayload ${index}` }), delivery(ward)],
    failures: [{ handler: "h", error: `CANARYfailure ${index}` }],
    state: [{ namespace: "beds", key: `${PATIENT} ${index}`, value: `CANARYvalue ${index}` }],
  });
  await bench.retry(await bench.take("outbound", lab), lab, bench.now, `CANARYretry ${index}`);
  await bench.bury(await bench.take("outbound", ward), ward, `CANARYdead ${index}`);
  await fillSnapshots(bench, index);
  await bench.store.submit({
    kind: "connection_events",
    events: [{
      ...{ at: bench.now, connection: "IB", transport: "mllp", direction: "inbound" },
      ...{ event: "closed", peer: undefined, reason: `CANARYreason ${index}` },
    }],
  });
}

/** Every cell of every ciphered column, as bytes, by `table.column`. */
export function cellsOf(db: DatabaseSync): Readonly<Record<string, readonly string[]>> {
  return Object.fromEntries(cipheredColumns.map(({ table, key, column }) => [
    `${table}.${column}`,
    db.prepare(`
      SELECT CAST(${column} AS BLOB) AS cell
        FROM ${table}
       WHERE ${column} <> '' ORDER BY ${key.join(", ")}`).all()
      .map(({ cell }) => textOf(cell as Uint8Array)!),
  ]));
}

/** Cells the store makes itself when it first has a key: the audit log's key. */
export const OWN_CELLS = 1;
const OWN_COLUMN = "audit_key.key";

/** Every text of every ciphered column but the store's own; "unreadable" for what no key opens. */
export function textsOf(path: string, keys: CellKeys | undefined) {
  const cipher: CellCipher = cellCipherOf(keys);
  const cells = inspect(path, cellsOf);
  return Object.fromEntries(
    Object.entries(cells).filter(([name]) => name !== OWN_COLUMN).map(([name, of]) => [
      name,
      of.map((cell) => cipher.open(cell) ?? "unreadable"),
    ]),
  );
}

/** How many cells begin as one of these keys seals, by key id; `clear` for all others. */
export function cellsByKey(path: string): Readonly<Record<string, number>> {
  const counts: Record<string, number> = {};
  for (const cell of Object.values(inspect(path, cellsOf)).flat()) {
    const keyId = /^mfenc:v1:([0-9a-f]{16}):/.exec(cell)?.[1] ?? "clear";
    counts[keyId] = (counts[keyId] ?? 0) + 1;
  }
  return counts;
}

/** What the store says its cells are sealed with, and how often each key was used at most. */
export function storeKeysOf(path: string): Readonly<Record<string, number>> {
  const rows = inspect(
    path,
    (db) => db.prepare("SELECT key_id, uses FROM store_keys ORDER BY key_id").all(),
  );
  return Object.fromEntries(rows.map(({ key_id, uses }) => [String(key_id), Number(uses)]));
}

export function idOf({ active }: CellKeys): string {
  return keyIdOf(active);
}
