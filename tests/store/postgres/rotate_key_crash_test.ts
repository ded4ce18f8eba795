/**
 * A change of keys on a server that is killed again and again, beside a store at work (I50): after
 * each kill every text is there with both keys, and the next run goes on; in the end the new key
 * alone opens all of it, and no cell of the registry needs the old one.
 */
import assert from "node:assert/strict";
import type { CellKeys } from "../../../src/crypto/keys.ts";
import { Random } from "../../../src/synthetic/random.ts";
import { within } from "../../connectors/waiting.ts";
import { delivery } from "../../contract/store/bench.ts";
import { test } from "../../maintenance/one_server.ts";
import { otherKeys, rotatedKeys, testKeys } from "../ciphers.ts";
import { idOf } from "../sqlite/filled.ts";
import { RotationPlace } from "./rotation_place.ts";

const [oldId, newId] = [idOf(testKeys), idOf(rotatedKeys)];
/** More bodies than a batch takes. */
const MESSAGES = 1_200;
/** Most columns are one batch, so kills walk through them. */
const KILLS = 6;

test("rotateServerKey() that is killed at every turn loses nothing, and is finished by the next", async (server) => {
  const seed = crypto.randomUUID();
  const random = new Random(seed);
  await using place = await RotationPlace.filled(server, { rows: 6 });
  const { bench } = place;
  await Promise.all(
    Array.from(
      { length: MESSAGES },
      (_, index) => bench.receiveCold({ raw: `CANARYmany ${index}` }),
    ),
  );
  await place.close();
  const before = await place.texts(testKeys);
  await place.open(rotatedKeys);
  await using traffic = new Traffic(place);

  let left = (await place.cellsByKey())[oldId]!;
  const points = Array.from({ length: KILLS }, (_, kill) => {
    const point = kill % 2 === 0 ? "before_commit" : "after_commit";
    return `${point}@${kill < 2 ? 1 : random.int(1, 3)}`;
  });
  for (const point of [...points, "before_finish@1", "after_finish@1"]) {
    const where = `seed ${seed}, ${point}`;
    assert.equal(await dieAt(place, `reseal.${point}`), "SIGKILL", where);
    await assertAll(place, before, rotatedKeys, where);
    const now = (await place.cellsByKey())[oldId] ?? 0;
    assert.ok(point === "before_commit@1" ? now <= left : now < left || now === 0, where);
    left = now;
    assert.equal((await place.storeKeys()).includes(oldId), point !== "after_finish@1", where);
  }
  const rounds = await traffic.stop();
  assert.ok(rounds > KILLS, `${rounds} rounds of traffic`);
  assert.equal(await dieAt(place, ""), null);
  assert.deepEqual(Object.keys(await place.cellsByKey()), [newId]);
  assert.deepEqual(await place.storeKeys(), [newId]);

  await place.close();
  const store = await place.open(otherKeys);
  await assertAll(place, before, otherKeys, "with the new key alone");
  const bodies = await store.messageBodies({}, { before: undefined, limit: 10_000 });
  for (const word of ["CANARYmany", "CANARYfresh"]) {
    const found = bodies.filter(({ raw }) => raw?.startsWith(word)).length;
    assert.equal(found, word === "CANARYmany" ? MESSAGES : rounds, word);
  }
  assert.deepEqual(await store.checkIntegrity(), { ok: true, detail: "ok" });
});

/** Messages that come, are handed on and delivered through the store that stays open. */
class Traffic implements AsyncDisposable {
  readonly #place: RotationPlace;
  readonly #running: Promise<void>;
  #rounds = 0;
  #isOver = false;

  constructor(place: RotationPlace) {
    this.#place = place;
    this.#running = this.#run();
  }

  async stop(): Promise<number> {
    this.#isOver = true;
    await this.#running;
    return this.#rounds;
  }

  async #run(): Promise<void> {
    const { bench } = this.#place;
    while (!this.#isOver) {
      const lane = "OB_TRAFFIC";
      const held = await bench.receive({ raw: `CANARYfresh ${this.#rounds}` });
      await bench.handOff(held, { deliveries: [delivery(lane, { payload: "CANARYchanged" })] });
      await bench.complete(await bench.take("outbound", lane), lane);
      // What an operator looks at opens with both keys, whatever was sealed anew by now.
      const { messages } = await bench.store.messages({}, { limit: 5, offset: 0 });
      for (const { id } of messages) assert.match((await bench.store.message(id))!.raw!, /^CANARY/);
      this.#rounds += 1;
    }
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await this.stop();
  }
}

/** Every text of before is there, and no cell is unreadable. */
async function assertAll(
  place: RotationPlace,
  before: Readonly<Record<string, readonly string[]>>,
  keys: CellKeys,
  where: string,
): Promise<void> {
  const now = await place.texts(keys);
  for (const [column, texts] of Object.entries(before)) {
    const found = now[column]!;
    assert.ok(!found.includes("unreadable"), `${where}: ${column}`);
    const there = new Set(found);
    const missing = texts.filter((text) => !there.has(text));
    assert.deepEqual(missing, [], `${where}: ${column}`);
  }
}

async function dieAt({ options }: RotationPlace, failpoints: string): Promise<Deno.Signal | null> {
  const entry = new URL("./rotate_key_child.ts", import.meta.url).pathname;
  const server = { ...options, applicationName: "rotation" };
  const child = new Deno.Command(Deno.execPath(), {
    args: [
      ...["run", "--quiet", "--no-check", "--allow-read", "--allow-write"],
      ...["--allow-net=127.0.0.1", "--allow-env", "--allow-sys"],
      ...[entry, JSON.stringify({ server, failpoints })],
    ],
    stdin: "null",
    stdout: "null",
    stderr: "inherit",
  }).spawn();
  return (await within(child.status, "the rotation to end", 30_000)).signal;
}
