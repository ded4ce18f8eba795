// Goal: wherever a partner's name leads, nothing is sent to a link-local address or a metadata
// service, also where the runtime's own check does not see it.
// Method: a namespace of the test's own whose loopback has such an address.
import assert from "node:assert/strict";
import { fileURLToPath } from "node:url";
import { hasTool, runTool } from "../foreign_tool.ts";

const namespace = Deno.uid() === 0 ? ["-n"] : ["-r", "-n"];
const isHere = await hasTool("unshare", [...namespace, "ip", "link", "set", "lo", "up"]);
const probe = fileURLToPath(new URL("./denied_address_probe.ts", import.meta.url));

async function tried(bind: string, host: string): Promise<Record<string, unknown>> {
  const address = bind.includes(":") ? `${bind}/128` : `${bind}/32`;
  const script = `ip link set lo up && ip addr add ${address} dev lo && exec "$@"`;
  const run = ["run", "--no-prompt", "--cached-only", "--allow-net", "--allow-env", probe];
  const words = ["sh", "-c", script, "sh", Deno.execPath(), ...run, bind, host];
  return JSON.parse(await runTool("unshare", [...namespace, ...words]));
}

Deno.test({
  name: "a partner at a denied address gets no byte, however it is reached",
  ignore: !isHere,
  async fn() {
    for (
      const [bind, host] of [
        ["169.254.10.10", "169.254.10.10"],
        ["169.254.10.10", "::ffff:169.254.10.10"],
        ["fd00:ec2::254", "fd00:ec2::254"],
      ] as const
    ) {
      const { outcome, bytes } = await tried(bind, host);
      assert.deepEqual([outcome, bytes], ["delivery.address_denied", 0], host);
    }
    const { outcome, connections } = await tried("10.9.8.7", "10.9.8.7");
    assert.deepEqual([outcome, connections], ["connected", 1]);
  },
});
