/** Opens the store named by its argument, says so, and holds it until it is killed. */
import { openStore } from "./bench.ts";

const store = await openStore(Deno.args[0]!);
console.log(`holds ${store.path}`);
setInterval(() => store.flush(), 1_000);
