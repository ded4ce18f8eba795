/** Synthetic messages to validate, and ways to change one place of them. */

export const adt = [
  "MSH|^~\\&|MFHIS|MFHOSP|MEFOR|MFHUB|20240108061500||ADT^A01^ADT_A01|C1|T|2.5.1",
  "EVN|A01|20240108061500",
  "PID|1||1000017^5^M10^MFHOSP^MR~777^^^MFHOSP^PI||Mockingham^Testina^Q^^^^L||19800229|F|||" +
  "1 Sample Square^^Testville^ZZ^00001^USA^H||(555)555-0101^PRN^PH",
  "NK1|1|Mockingham^Testopher|SPO^Spouse^HL70063",
  "PV1|1|I|ICU^1^A^MFHOSP||||70001^Curemock^Testina|||MED||||||||V1",
  "AL1|1|DA^^HL70127|PCN^Penicillin^L|MO^^HL70128|Hives",
  "DG1|1||I10^Hypertension^I10C|||W",
  "IN1|1|PLAN1^Mock plan^L|PAYER1",
].join("\r") + "\r";

export const oru = [
  "MSH|^~\\&|MFLAB|MFHOSP|MEFOR|MFHUB|20240108061500||ORU^R01^ORU_R01|C2|T|2.5.1",
  "PID|1||1000017^5^M10^MFHOSP^MR||Mockingham^Testina",
  "ORC|RE|P1^MFHIS|F1^MFLAB",
  "OBR|1|P1^MFHIS|F1^MFLAB|58410-2^CBC^LN|||20240108060000||||||||||||||||||F",
  "OBX|1|NM|718-7^Hemoglobin^LN||13.4|g/dL^^UCUM|12-17.5|N|||F|||20240108061000",
  "OBX|2|NM|777-3^Platelets^LN||250|10*3/uL^^UCUM|150-400|N|||F",
  "NTE|1|L|Fine \\T\\ well",
  "OBR|2|P2^MFHIS|F2^MFLAB|24331-1^Lipid panel^LN|||20240108060000||||||||||||||||||F",
  "OBX|1|ST|2093-3^Cholesterol^LN||see text||||||F",
  "SPM|1|P2&MFHIS^F2&MFLAB||SER^Serum^HL70487",
].join("\r") + "\r";

/** Returns `text` with field `position` of the `nth` segment `id` set to `value`; MSH-3 is 3. */
export function withField(
  text: string,
  [id, position, nth = 1]: readonly [id: string, position: number, nth?: number],
  value: string,
): string {
  let seen = 0;
  return text.split("\r").map((line) => {
    if (!line.startsWith(id) || ++seen !== nth) return line;
    const fields = line.split("|");
    const index = id === "MSH" ? position - 1 : position;
    while (fields.length <= index) fields.push("");
    fields[index] = value;
    return fields.join("|");
  }).join("\r");
}

/** Returns `text` without its first segment `id`. */
export function withoutSegment(text: string, id: string): string {
  const lines = text.split("\r");
  lines.splice(lines.findIndex((line) => line.startsWith(id)), 1);
  return lines.join("\r");
}

/** Returns `text` with `line` put in after the first segment `id`. */
export function withSegment(text: string, id: string, line: string): string {
  const lines = text.split("\r");
  lines.splice(lines.findIndex((one) => one.startsWith(id)) + 1, 0, line);
  return lines.join("\r");
}
