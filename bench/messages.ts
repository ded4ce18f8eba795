/**
 * Framed messages of a wanted size with a control ID that can be overwritten in place.
 *
 * Upstream: `src/synthetic`; `sender.ts` asks for a pool once, before it sends. Downstream: nothing
 * is built per message; a send writes nine digits into a frame. All people in them are invented.
 */
import { Buffer } from "node:buffer";
import { sizedMessage } from "../src/synthetic/mod.ts";
import { CONTROL_ID_BYTES } from "./control_id.ts";
import { frame, headerField } from "./mllp.ts";

/** A framed message; the control ID stands at `controlIdAt` and is `CONTROL_ID_BYTES` long. */
export interface MessageFrame {
  readonly bytes: Buffer;
  readonly controlIdAt: number;
}

/** MSH-4 of every message; the engine's graph maps it to `FACILITY_MAPPED` by a code set. */
export const FACILITY = "MFHOSP";
export const FACILITY_MAPPED = "BENCHHOSP";

const PLACEHOLDER = "B".padEnd(CONTROL_ID_BYTES, "0");

/** Builds `count` different messages of about `bytes` (at least 1,700). */
export function messagePool(
  options: { readonly count: number; readonly bytes: number },
): readonly MessageFrame[] {
  return Array.from({ length: options.count }, (_, index) => {
    const parts = { seed: index, sequence: 0, controlId: PLACEHOLDER, bytes: options.bytes };
    const framed = frame(new TextEncoder().encode(sizedMessage(parts)));
    return { bytes: framed, controlIdAt: headerField(framed, 1, 10) };
  });
}

/** Copies a frame, so that each sending slot owns its bytes. */
export function copyFrame(message: MessageFrame): MessageFrame {
  return { bytes: Buffer.from(message.bytes), controlIdAt: message.controlIdAt };
}
