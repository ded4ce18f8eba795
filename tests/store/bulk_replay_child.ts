/** Opens the store that its argument names, replays every dead delivery, and dies at a failpoint. */
import type { ReplayDeadIntent } from "../../src/store/intents.ts";
import { openStore as openPostgres } from "./postgres/bench.ts";
import { openStore as openSqlite } from "./sqlite/bench.ts";

export const bulkReplay: ReplayDeadIntent = {
  kind: "replay_dead",
  channel: undefined,
  destination: undefined,
  at: 2_000_000,
  audit: { at: 2_000_000, actor: "ann", action: "dead_letter_replay", channel: null, detail: {} },
};

if (import.meta.main) {
  const { path, server, failpoints } = JSON.parse(Deno.args[0]!);
  await using store = path === undefined
    ? await openPostgres(server, { failpoints })
    : await openSqlite(path, { failpoints });
  await store.submit(bulkReplay);
}
