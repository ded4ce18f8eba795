/// <reference lib="deno.worker" />
/** The thread that validates messages of strict inbounds; it holds the tables of every version. */
import { validateStrict } from "../hl7/validation/mod.ts";

interface Request {
  readonly id: number;
  readonly text: string;
  readonly hl7Version: string | undefined;
}

self.onmessage = ({ data: { id, text, hl7Version } }: MessageEvent<Request>) => {
  const result = validateStrict(text, { hl7Version });
  const verdict = result.ok ? { ok: true } : { ok: false, error: result.error };
  self.postMessage({ id, verdict });
};
