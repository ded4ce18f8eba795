/** Terms of a whole engine, as many as the argument says: `deno run -P tests/cluster/terms_proof.ts 1000`. */
import { EngineTerms } from "./engine_terms.ts";
import { leaksOf, runTerms } from "./term_counts.ts";

await using terms = await EngineTerms.open();
const counts = await runTerms(terms, Number(Deno.args[0] ?? 1_000));
console.log(counts);
const leaks = leaksOf(counts);
for (const leak of leaks) console.error(leak);
Deno.exitCode = leaks.length === 0 ? 0 : 1;
