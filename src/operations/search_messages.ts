/**
 * Looks for a text, or for a value at a path, in the newest messages.
 *
 * Bodies are sealed, so there is no index to look in: each is opened and read, and the search stops
 * after so many. Source: spec api §1.5.
 */
import { setImmediate } from "node:timers/promises";
import type { Engine } from "../engine.ts";
import { hasAt, summaryOf } from "../hl7/mod.ts";
import type { MessageBody, MessageFilter } from "../store/store.ts";
import { scopeOf } from "./channel_scope.ts";
import { gatedSummary } from "./field_gates.ts";
import { operation, OperationError } from "./operation.ts";
import type { Summarized } from "./summaries.ts";

export interface MessageSearch {
  readonly filter: MessageFilter;
  /** A text anywhere, whatever its case; or a value at a path. */
  readonly needle: { readonly content: string } | {
    readonly path: string;
    /** Undefined: any value. */
    readonly value: string | undefined;
  };
  readonly target: "raw" | "summary" | "both";
  /** Hits that are returned at most. */
  readonly limit: number;
  /** Messages that are opened at most. */
  readonly scanLimit: number;
}

export interface SearchedMessages {
  readonly messages: readonly Summarized<MessageBody>[];
  /** How many messages were looked at. */
  readonly scanned: number;
  readonly matched: number;
  /** More may match among messages nobody looked at, or beyond `limit`. */
  readonly isTruncated: boolean;
}

/** Bodies one read brings into memory. */
const PAGE = 100;

export const searchMessages = operation({
  permission: "messages:read",
  async run(engine, asked: MessageSearch, _rowOf, actor): Promise<SearchedMessages> {
    const search = { ...asked, filter: { ...asked.filter, channels: scopeOf(actor) } };
    const matches = matcherOf(search);
    const messages: Summarized<MessageBody>[] = [];
    let [scanned, matched, isEnd] = [0, 0, false];
    for await (const page of pagesOf(engine, search)) {
      if (page.length === 0) {
        isEnd = true;
        break;
      }
      for (const message of page) {
        scanned += 1;
        if (!matches(message)) continue;
        matched += 1;
        if (messages.length >= search.limit) continue;
        messages.push(gatedSummary({ ...message, summary: summaryOf(message.raw) }, actor));
      }
    }
    return { messages, scanned, matched, isTruncated: !isEnd || matched > messages.length };
  },
  audit: ({ filter, needle, target }, { scanned, matched }) => ({
    action: "message_search",
    channel: filter.channel,
    fields: {
      status: filter.status,
      message_type: filter.messageType,
      by_control_id: filter.controlId !== undefined,
      target,
      field_path: "path" in needle ? needle.path : undefined,
      needle: shapeOf("content" in needle ? needle.content : needle.value),
      scanned,
      matched,
    },
  }),
});

/** Pages until the scan limit; an empty one when there is nothing older. */
async function* pagesOf(
  { store }: Engine,
  { filter, scanLimit }: MessageSearch,
): AsyncGenerator<readonly MessageBody[]> {
  let before: number | undefined;
  for (let left = scanLimit; left > 0;) {
    const page = await store.messageBodies(filter, { before, limit: Math.min(PAGE, left) });
    yield page;
    before = page.at(-1)?.seq;
    left -= page.length;
    if (page.length === 0) return;
    // Messages and partners come between two pages.
    await setImmediate();
  }
  // Whether there is more than was allowed to be looked at.
  const rest = await store.messageBodies(filter, { before, limit: 1 });
  if (rest.length === 0) yield rest;
}

/** @throws {OperationError} `message.search_invalid` for a path that is none. */
function matcherOf({ needle, target }: MessageSearch): (message: MessageBody) => boolean {
  if ("content" in needle) {
    const wanted = needle.content.toLowerCase();
    const has = (text: string | null) => text?.toLowerCase().includes(wanted) ?? false;
    return ({ raw }) => target !== "summary" && has(raw) || target !== "raw" && has(summaryOf(raw));
  }
  const { path, value } = needle;
  try {
    hasAt("", path);
  } catch (cause) {
    throw new OperationError("message.search_invalid", "The field path is none, as PID-3.1 is", {
      cause,
    });
  }
  return ({ raw }) => hasAt(raw, path, value);
}

/** What an audit row may say of a needle, which may be a name: its kind and length. */
function shapeOf(needle: string | undefined): string | undefined {
  if (needle === undefined) return undefined;
  const kind = /^\d+$/.test(needle) ? "digits" : /^[\da-z]+$/i.test(needle) ? "alnum" : "mixed";
  return `${kind} ${needle.length}`;
}
