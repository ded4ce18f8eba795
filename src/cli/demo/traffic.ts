/**
 * What the demo sends: a hospital's day, with the few odd messages every real interface gets.
 *
 * Pure; the same seed gives the same bytes.
 */
import { Buffer } from "node:buffer";
import { Message } from "../../hl7/mod.ts";
import { generateMessages, type StoryMessage, trafficStory } from "../../synthetic/mod.ts";

export type InboundName = "IB_HOSPITAL_ADT" | "IB_LAB_ORU" | "IB_WARD_ORM";

/** One message to send. */
export interface PlannedMessage {
  readonly inbound: InboundName;
  readonly controlId: string;
  readonly text: string;
  /** What goes on the wire; not always the UTF-8 of `text`. */
  readonly bytes: Uint8Array;
  /** The engine must refuse it: its bytes are no text in the inbound's character set. */
  readonly isUnreadable: boolean;
}

const inboundOf: Readonly<Record<StoryMessage["kind"], InboundName>> = {
  ADT: "IB_HOSPITAL_ADT",
  ORU: "IB_LAB_ORU",
  ORM: "IB_WARD_ORM",
};

const PATIENTS = 12;
/** After so many messages the odd ones come again. */
const ROUND = 100;

/** Returns `count` messages in the order of sending. */
export function planTraffic(
  { count, seed }: { readonly count: number; readonly seed: string },
): readonly PlannedMessage[] {
  const story = trafficStory({ seed, patients: PATIENTS });
  const allergies = oddMessages({ type: "ADT", trigger: "A60", count, seed });
  const documents = oddMessages({ type: "MDM", trigger: "T02", count, seed });
  const planned: PlannedMessage[] = [];
  let owesNamelessResult = false;
  for (let index = 0; index < count; index++) {
    const slot = index % ROUND;
    // The graph does not forward allergy updates, and its admissions router knows no documents.
    if (slot === 12 || slot === 50) planned.push(allergies.next().value!);
    else if (slot === 30) planned.push(documents.next().value!);
    else {
      const message = story.next().value;
      if (slot === 60) owesNamelessResult = true;
      if (owesNamelessResult && message.kind === "ORU") {
        owesNamelessResult = false;
        planned.push(plain("IB_LAB_ORU", withoutPatientIdentifier(message.text)));
      } else if (slot === 80) planned.push(unreadable(inboundOf[message.kind], message.text));
      else planned.push(plain(inboundOf[message.kind], message.text));
    }
  }
  return planned;
}

function* oddMessages(
  { type, trigger, count, seed }: { type: string; trigger: string; count: number; seed: string },
): Generator<PlannedMessage, void> {
  for (const { text } of generateMessages({ type, triggers: [trigger], count, seed })) {
    yield plain("IB_HOSPITAL_ADT", text);
  }
}

function plain(inbound: InboundName, text: string): PlannedMessage {
  const bytes = new TextEncoder().encode(text);
  return { inbound, controlId: controlIdOf(text), text, bytes, isUnreadable: false };
}

/** A result that says of nobody: the handler for research throws, the other one delivers. */
function withoutPatientIdentifier(text: string): string {
  return Message.parse(text).clear("PID-3").encode();
}

/** A sender that was set up for another character set: the bytes are no UTF-8. */
function unreadable(inbound: InboundName, text: string): PlannedMessage {
  const bytes = Buffer.from(`${text}NTE|1||caf\u00e9\r`, "latin1");
  return { inbound, controlId: controlIdOf(text), text, bytes, isUnreadable: true };
}

/** MSH-10 of a message of ours. */
function controlIdOf(text: string): string {
  return text.split("|", 10)[9] ?? "";
}
