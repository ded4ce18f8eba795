/** How an address of mail is written. */

/**
 * Returns the one address that `text` is, with or without a name before it in angle brackets;
 * undefined for a list, for more than one line and for what is no address.
 */
export function mailAddress(text: string): string | undefined {
  const [, bracketed] = /^[^<>,;:\p{Cc}]*<([^<>]*)>$/u.exec(text.trim()) ?? [];
  const address = (bracketed ?? text).trim();
  const isOne = /^[^\s\p{Cc},;:<>()[\]"\\@]+@[^\s\p{Cc},;:<>()"\\@]+$/u.test(address);
  return isOne ? address : undefined;
}
