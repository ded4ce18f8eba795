/**
 * One HL7 v2 message: delimiters, segments, paths, escapes, acknowledgements, character sets.
 *
 * Upstream stand connectors and intake with bytes and text; downstream the pipeline, authors (who
 * get `Message` inside the sandbox, through `surface.ts`) and the validation beside us. No I/O, no
 * rows, no transport and no policy belong here.
 */
export * from "./acknowledgement.ts";
export * from "./charset.ts";
export { hasAt } from "./find.ts";
export * from "./header.ts";
export * from "./normalise.ts";
export { parsePath } from "./path.ts";
export { parseEncodingCharacters, redelimit } from "./redelimit.ts";
export { type BatchMismatch, type BatchSplit, looksLikeHl7, splitBatch } from "./split.ts";
export { refusalReason } from "./refusal_reason.ts";
export { summaryOf } from "./summary.ts";
export * from "./surface.ts";
export * from "./walk.ts";
