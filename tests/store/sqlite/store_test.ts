/** The store contract on SQLite; every test of it leaves a store that is whole. */
import { testStore } from "../../contract/store_contract.ts";
import { assertWhole, inspect, sqliteBackend } from "./bench.ts";

testStore({
  ...sqliteBackend,
  remove(closed) {
    inspect(closed.path, assertWhole);
    return sqliteBackend.remove(closed);
  },
});
