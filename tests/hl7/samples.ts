/**
 * Messages the tests of this room share. Synthetic people only.
 */
import { EngineError } from "../../src/errors.ts";

/** Joins segments the way they travel: CR after each. */
export function lines(...segments: readonly string[]): string {
  return segments.map((segment) => segment + "\r").join("");
}

/** A small result message with two orders, one escape and two identifiers. */
export const oru = lines(
  "MSH|^~\\&|LABCO|MAIN|ACME|HOSP|20260102030405||ORU^R01^ORU_R01|MSG0001|P|2.5.1",
  "PID|1||123^^^ACME^MR~987^^^STATE^SS||DOE^JANE^Q||19800229|F",
  "ORC|RE|PLACER123",
  "OBR|1|P1|F1|24331-1^Lipids^LN",
  "OBX|1|NM|2093-3^Cholesterol^LN||180|mg/dL|||||F",
  "OBX|2|TX|NOTE^Comment^L||a\\T\\b &amp sub||||||F",
  "OBR|2|P2|F2|718-7^Hemoglobin^LN",
  "OBX|1|NM|718-7^Hemoglobin^LN||13.5|g/dL|||||F",
);

/** 20 segments, about 2 KB: what the speed targets are measured with. */
export const adtOf20Segments = lines(
  "MSH|^~\\&|EPIC|ACMEHOSP|MEFOR|INTEGRATION|20260102030405.123+0100||ADT^A08^ADT_A01|MSG00000042|P|2.5.1|||AL|NE||UNICODE UTF-8",
  "EVN|A08|20260102030405|||ADMIN^CLERK^ALEX|20260102030000",
  "PID|1||1000042^^^ACME^MR~999-00-4242^^^SSA^SS||TESTER^TERRY^T^^MR^^L||19800229|M||2106-3^White^HL70005|1 SAMPLE ST^^SAMPLETOWN^CA^90001^USA^H||^PRN^PH^^1^555^5550142|^WPN^PH^^1^555^5550143|eng^English^ISO639|M^Married^HL70002|CHR|ACC0042^^^ACME^AN|999-00-4242",
  "PD1|||ACME CLINIC^^10042|1234^FAMILY^FIONA^^^DR^^^NPI||||||||N",
  "NK1|1|TESTER^TONI^^^MRS|SPO^Spouse^HL70063|1 SAMPLE ST^^SAMPLETOWN^CA^90001^USA|^PRN^PH^^1^555^5550144||C^Emergency Contact^HL70131",
  "NK1|2|TESTER^TESS|CHD^Child^HL70063|1 SAMPLE ST^^SAMPLETOWN^CA^90001^USA|^PRN^PH^^1^555^5550145",
  "PV1|1|I|3WEST^301^A^ACMEHOSP^^^^^MAIN|U|||1234^ATTEND^ANDY^^^DR^^^NPI|2345^REFER^ROBIN^^^DR^^^NPI|3456^CONSULT^CHRIS^^^DR^^^NPI|MED||||7|A0||1234^ATTEND^ANDY^^^DR^^^NPI|INP|VN0042^^^ACME^VN|||||||||||||||||||||||||20260101120000",
  "PV2|||R07.9^Chest pain^I10|||||20260101|20260105|4|||||||||N|N",
  "OBX|1|NM|8302-2^Body height^LN||180|cm^centimeter^UCUM|||||F|||20260102030000",
  "OBX|2|NM|29463-7^Body weight^LN||82.5|kg^kilogram^UCUM|||||F|||20260102030000",
  "OBX|3|ST|8663-7^Smoking^LN||never smoked||||||F|||20260102030000",
  "AL1|1|DA^Drug allergy^HL70127|70618^Penicillin^RXN|SV^Severe^HL70128|Hives\\.br\\Swelling|20100501",
  "AL1|2|FA^Food allergy^HL70127|PEANUT^Peanuts^L|MO^Moderate^HL70128|Rash",
  "DG1|1|I10|R07.9^Chest pain, unspecified^I10|Chest pain|20260101120000|A",
  "DG1|2|I10|I10^Essential hypertension^I10|Hypertension|20200101|F",
  "GT1|1|G0042|TESTER^TERRY^T||1 SAMPLE ST^^SAMPLETOWN^CA^90001^USA|^PRN^PH^^1^555^5550142||19800229|M||SEL^Self^HL70063",
  "IN1|1|PPO01^Preferred^L|INS042^^^ACME|SAMPLE INSURANCE CO|PO BOX 42^^SAMPLETOWN^CA^90002|||GRP042|||||20250101|20261231||PPO|TESTER^TERRY^T|SEL^Self^HL70063|19800229|1 SAMPLE ST^^SAMPLETOWN^CA^90001^USA",
  "IN2|1|999-00-4242|||||||||||||||||||||||||||||||||||||||||||||||||||||||||||POL0042",
  "ACC|20260101113000|FALL^Fall^L|1 SAMPLE ST",
  "ZPI|1|VIP^N|PORTAL^Y|20260102",
);

/** Matches an error of this room by its code, for `assert.throws`. */
export function code(wanted: string): (thrown: unknown) => boolean {
  return (thrown) => {
    if (!(thrown instanceof EngineError)) throw thrown;
    if (thrown.code !== wanted) throw new Error(`want code ${wanted}, got ${thrown.code}`);
    return true;
  };
}
