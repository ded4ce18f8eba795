/** Lists deliveries that were given up, newest failure first. */
import type { DeadLetter, DeadLetterFilter, Page } from "../store/store.ts";
import { scopeOf } from "./channel_scope.ts";
import { gatedDeadLetter } from "./field_gates.ts";
import { operation } from "./operation.ts";
import { type Summarized, summarized } from "./summaries.ts";

export interface DeadLetterList {
  readonly filter: DeadLetterFilter;
  readonly page: Page;
}

export interface ListedDeadLetters {
  readonly total: number;
  readonly deadLetters: readonly Summarized<DeadLetter>[];
}

export const listDeadLetters = operation({
  permission: "messages:read",
  async run(engine, { filter, page }: DeadLetterList, _rowOf, actor): Promise<ListedDeadLetters> {
    const found = await engine.store.deadLetters({ ...filter, channels: scopeOf(actor) }, page);
    const listed = await summarized(
      { engine, actor },
      found.deadLetters,
      ({ messageSeq }) => messageSeq,
    );
    const deadLetters = listed.map((dead) => gatedDeadLetter(dead, actor));
    const count = deadLetters.filter(({ summary, lastError }) =>
      summary !== null || lastError !== null
    ).length;
    engine.summaryAccess.add({ actor: actor.name, channel: filter.channel, count });
    return { ...found, deadLetters };
  },
});
