/** The store contract on SQLite. */
import { testStore } from "../../contract/store_contract.ts";
import { sqliteBackend } from "./bench.ts";

testStore(sqliteBackend);
