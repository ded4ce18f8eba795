import assert from "node:assert/strict";
import { type Deployment, writableDirsOf } from "../../../src/cli/serve/deployment.ts";
import { containerFile } from "../../../src/cli/serve/container_file.ts";
import type { Grant } from "../../../src/cli/serve/permission_set.ts";
import { systemdUnit } from "../../../src/cli/serve/systemd_unit.ts";

function net(value: string, reason: string): Grant {
  return { kind: "net", action: "allow", value, reason };
}

function write(value: string, reason: string): Grant {
  return { kind: "write", action: "allow", value, reason };
}

const API = net("127.0.0.1:8765", "[api] host, port");
const DENIED: Grant = { kind: "net", action: "deny", value: "[fd00:ec2::254]", reason: "none" };

function deployment(given: Partial<Deployment>): Deployment {
  return {
    runtime: "/opt/mf/runtime/deno",
    main: "/opt/mf/engine/main.js",
    programDir: "/opt/mf",
    workDir: "/var/lib/mf",
    args: ["--env", "prod"],
    flags: ["--no-prompt", "--ignore-env"],
    grants: [API, DENIED],
    writableDirs: ["/var/lib/mf"],
    stopSeconds: 45,
    environment: "prod",
    api: { host: "127.0.0.1", port: 8765 },
    service: {
      name: "messagefoundry",
      autoRestart: true,
      stdoutLog: undefined,
      stderrLog: undefined,
    },
    ...given,
  };
}

/** Every value that the unit gives to one key. */
function valuesOf(unit: string, key: string): readonly string[] {
  return [...unit.matchAll(new RegExp(`^${key}=(.*)$`, "gm"))].map(([, value = ""]) => value);
}

Deno.test("addresses are held in the kernel when grants name them all", () => {
  const grants = [
    API,
    net("127.0.0.1:2575", 'inbound "IB_ADT", [inbound] bind_host'),
    net("10.4.0.12:6661", 'outbound "OB_EHR", host and port'),
    net("[2001:db8::7]:6661", 'outbound "OB_LAB", host and port'),
    DENIED,
  ];
  const unit = systemdUnit(deployment({ grants }));
  assert.deepEqual(valuesOf(unit, "IPAddressDeny"), ["any"]);
  assert.deepEqual(valuesOf(unit, "IPAddressAllow"), ["localhost 10.4.0.12 2001:db8::7"]);
});

// A name may lead anywhere, and a listener's grant does not say who comes: "any" would cut both off.
Deno.test("a name or a listener off loopback leaves the kernel's list to what is always refused", () => {
  const named = net("ehr.example:6661", 'outbound "OB_EHR", host and port');
  const exposed = net("10.4.0.5:2575", 'inbound "IB_ADT", bind_address');
  const shared = net("10.4.0.5:2575", 'outbound "OB_X", host and port; inbound "IB_ADT", bind');
  for (const grant of [named, exposed, shared]) {
    const unit = systemdUnit(deployment({ grants: [API, grant, DENIED] }));
    assert.deepEqual(valuesOf(unit, "IPAddressDeny"), ["fd00:ec2::254"]);
    assert.deepEqual(valuesOf(unit, "IPAddressAllow"), []);
    assert.match(unit, new RegExp(`^# Not derived from the grants: .*${grant.value}`, "m"));
  }
});

Deno.test("a port below 1024 asks for one capability, and nothing else does", () => {
  const low = net("127.0.0.1:104", 'inbound "IB_ADT", [inbound] bind_host');
  const lowPartner = net("10.0.0.1:104", 'outbound "OB_ADT", host and port');
  const unit = systemdUnit(deployment({ grants: [API, low] }));
  for (const key of ["CapabilityBoundingSet", "AmbientCapabilities"]) {
    assert.deepEqual(valuesOf(unit, key), ["CAP_NET_BIND_SERVICE"]);
    assert.deepEqual(valuesOf(systemdUnit(deployment({ grants: [API, lowPartner] })), key), [""]);
  }
  assert.deepEqual(valuesOf(unit, "PrivateUsers"), ["no"]);
  assert.deepEqual(valuesOf(systemdUnit(deployment({})), "PrivateUsers"), ["yes"]);
});

Deno.test("write grants become folders, and those under /var/lib are made", () => {
  const grants = [
    write("/var/lib/mf/mf.db", "[store] path"),
    write("/var/lib/mf/mf.db-wal", "[store] path"),
    write("/var/lib/mf/archive", 'outbound "FILE"'),
    write("/srv/out", 'outbound "FILE"'),
    write("/srv/known.txt", 'outbound "FILE"'),
  ];
  const dirs = writableDirsOf(grants, (path) => path === "/srv/known.txt" ? false : undefined);
  assert.deepEqual(dirs, ["/srv", "/var/lib/mf"]);
  const writableDirs = ["/srv/a $b", "/srv/out", "/var/lib/mf/data"];
  const unit = systemdUnit(deployment({ writableDirs }));
  assert.deepEqual(valuesOf(unit, "ReadWritePaths"), ['"/srv/a $b" /srv/out /var/lib/mf/data']);
  assert.deepEqual(valuesOf(unit, "StateDirectory"), ["mf/data"]);
  assert.match(unit, /^# +install -d -o messagefoundry -g messagefoundry -m 0700 \/srv\/out$/m);
});

Deno.test("homes and temporary folders stay hidden unless the engine lives there", () => {
  const hidden = systemdUnit(deployment({}));
  assert.deepEqual(valuesOf(hidden, "ProtectHome"), ["yes"]);
  assert.deepEqual(valuesOf(hidden, "PrivateTmp"), ["yes"]);
  const shown = systemdUnit(deployment({
    workDir: "/home/mf",
    grants: [API, { kind: "read", action: "allow", value: "/var/tmp/x", reason: "--config" }],
  }));
  assert.deepEqual(valuesOf(shown, "ProtectHome"), ["read-only"]);
  assert.deepEqual(valuesOf(shown, "PrivateTmp"), ["no"]);
});

// systemd.service(5), "Command lines"; systemd.unit(5), "Specifiers".
Deno.test("words of the command line mean themselves", () => {
  const unit = systemdUnit(deployment({ args: ["--config", '/srv/a b/50%/$HOME "x"'] }));
  assert.match(unit, /^ {2}"\/srv\/a b\/50%%\/\$\$HOME \\"x\\""$/m);
});

Deno.test("only listeners off loopback are exposed, and those on it ask for the host's network", () => {
  const lan = net("0.0.0.0:2575", 'inbound "IB_ADT", [inbound] bind_host');
  const local = containerFile(deployment({}));
  assert.doesNotMatch(local, /^EXPOSE/m);
  assert.match(local, /--network=host/);
  const open = containerFile(deployment({
    grants: [net("0.0.0.0:8765", "[api] host, port"), lan],
    api: { host: "0.0.0.0", port: 8765 },
  }));
  assert.match(open, /^EXPOSE 8765 2575$/m);
  assert.doesNotMatch(open, /--network=host/);
  assert.match(open, /^HEALTHCHECK .*"--allow-net=127\.0\.0\.1:8765"/m);
});

// Goal: every key of [service] changes the unit, and nothing of it does without.
Deno.test("the unit takes name, restarts and log files from [service]", () => {
  const usual = systemdUnit(deployment({}));
  const keys = ["Restart", "SyslogIdentifier", "StandardOutput", "StandardError"];
  const of = (unit: string) => keys.map((key) => valuesOf(unit, key));
  assert.deepEqual(of(usual), [["on-failure"], ["messagefoundry"], [], []]);
  const service = {
    name: "mf-lab",
    autoRestart: false,
    stdoutLog: "/var/log/mf lab/out.log",
    stderrLog: "/var/log/100%.log",
  };
  const unit = systemdUnit(deployment({ service }));
  assert.deepEqual(of(unit), [
    ["no"],
    ["mf-lab"],
    ["append:/var/log/mf lab/out.log"],
    ["append:/var/log/100%%.log"],
  ]);
  assert.match(unit, /enable --now mf-lab$/m);
  assert.doesNotMatch(unit, /RestartSec|StartLimit/);
});
