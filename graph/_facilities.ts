/** Shared by all modules: the names partners know our facilities by. */
import { codeSet, type Message } from "messagefoundry";

const mnemonics = codeSet("facilities");

/** Puts the partners' mnemonic for the sending facility into MSH-4; an unknown one stays. */
export function nameFacility(message: Message): void {
  const mnemonic = mnemonics.get(message.get("MSH-4.1"));
  if (mnemonic !== undefined) message.set("MSH-4.1", mnemonic);
}
