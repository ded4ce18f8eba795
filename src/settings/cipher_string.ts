/**
 * What an OpenSSL cipher string means for the suites the runtime negotiates.
 *
 * The runtime has one fixed list and takes no other, so a string can only be honoured when it
 * permits that whole list. TLS 1.3 suites stand outside cipher strings. Source: openssl-ciphers(1).
 */

const common = ["ALL", "DEFAULT", "HIGH", "TLSV1.2", "ECDHE", "KECDHE", "EECDH", "KEECDH"];

/** The TLS 1.2 suites by name, each with the words of a cipher string that select it. */
const suites: ReadonlyMap<string, ReadonlySet<string>> = new Map(
  ["ECDSA", "RSA"].flatMap((signature) =>
    ([
      ["AES256-GCM-SHA384", ["AES", "AES256", "AESGCM"]],
      ["AES128-GCM-SHA256", ["AES", "AES128", "AESGCM"]],
      ["CHACHA20-POLY1305", ["CHACHA20"]],
    ] as const).map(([cipher, words]) => {
      const name = `ECDHE-${signature}-${cipher}`;
      // "RSA" alone selects the key exchange, which none of these uses.
      const signed = signature === "ECDSA" ? ["ECDSA", "AECDSA"] : ["ARSA"];
      return [name, new Set([...common, ...signed, ...words, name])] as const;
    })
  ),
);

export const negotiatedSuites: readonly string[] = [...suites.keys()];

/** Reads as: no suite that the runtime negotiates is left out by `text`. */
export function permitsNegotiatedSuites(text: string): boolean {
  const permitted = new Set<string>();
  const banned = new Set<string>();
  for (const element of text.toUpperCase().split(/[:, ]+/)) {
    const [, operator, words = ""] = /^([!+-]?)(.*)$/.exec(element) ?? [];
    const selected = negotiatedSuites.filter((name) =>
      words.split("+").every((word) => suites.get(name)?.has(word))
    );
    for (const name of selected) {
      if (operator === "!") banned.add(name);
      if (operator === "!" || operator === "-") permitted.delete(name);
      // A leading plus only moves what is there.
      if (operator === "" && !banned.has(name)) permitted.add(name);
    }
  }
  return permitted.size === negotiatedSuites.length;
}
