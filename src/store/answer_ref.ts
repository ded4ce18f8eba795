/** Which answer a row of the stage `response` stands for, as the lane statements say it. */
import type { AnswerRef, ResponseOutcome } from "./intents.ts";

/** @param text `"1 accepted"`; undefined for a row that stands for none. */
export function answerOf(text: string | undefined): AnswerRef | undefined {
  if (text === undefined) return undefined;
  const [seq, outcome] = text.split(" ");
  return { seq: Number(seq), outcome: outcome as ResponseOutcome };
}
