/** Which ports the demo takes, and who is told when one is taken. */
import { CommandFailure } from "../failure.ts";

export interface DemoPorts {
  /** Where the three inbounds of the shipped graph listen. */
  readonly adt: number;
  readonly oru: number;
  readonly orm: number;
  /** Where the demo's own partners listen. */
  readonly ehr: number;
  readonly lab: number;
  readonly api: number;
}

const usual: DemoPorts = { adt: 2575, oru: 2576, orm: 2577, ehr: 6661, lab: 6662, api: 8765 };

const users: Readonly<Record<keyof DemoPorts, string>> = {
  adt: "inbound IB_HOSPITAL_ADT",
  oru: "inbound IB_LAB_ORU",
  orm: "inbound IB_WARD_ORM",
  ehr: "the demo's health record",
  lab: "the demo's laboratory",
  api: "the API",
};

/**
 * Returns the usual ports, or free ones.
 *
 * @throws {CommandFailure} when one of the usual ports is in use; all of them are named.
 */
export function choosePorts({ freePorts }: { readonly freePorts: boolean }): DemoPorts {
  if (freePorts) return takeFreePorts();
  const taken = Object.entries(usual).filter(([, port]) => !isFree(port));
  if (taken.length === 0) return usual;
  const list = taken.map(([key, port]) => `${port} (${users[key as keyof DemoPorts]})`);
  const ports = taken.length === 1 ? "port" : "ports";
  throw new CommandFailure(
    `Cannot start the demo: another program on this machine uses ${ports} ${list.join(", ")}`,
    { hint: 'Stop that program, or let the demo take other ports: "deno task demo --free-ports"' },
  );
}

/** All are held until the last is known, so that none is given out twice. */
function takeFreePorts(): DemoPorts {
  const listeners = new Map(
    Object.keys(usual).map((key) => [key, Deno.listen({ hostname: "127.0.0.1", port: 0 })]),
  );
  const portOf = (key: keyof DemoPorts) => listeners.get(key)!.addr.port;
  const ports = {
    adt: portOf("adt"),
    oru: portOf("oru"),
    orm: portOf("orm"),
    ehr: portOf("ehr"),
    lab: portOf("lab"),
    api: portOf("api"),
  };
  for (const listener of listeners.values()) listener.close();
  return ports;
}

function isFree(port: number): boolean {
  try {
    Deno.listen({ hostname: "127.0.0.1", port }).close();
    return true;
  } catch (thrown) {
    if (thrown instanceof Deno.errors.AddrInUse) return false;
    throw thrown;
  }
}
