/**
 * What can be granted, the six built-in roles, and what a set of roles adds up to.
 *
 * Everything that is not granted is denied. Source: spec api §3.
 */

export const permissions = [
  "monitoring:read",
  "monitoring:diagnose",
  "messages:read",
  "messages:view_summary",
  "messages:view_raw",
  "messages:replay",
  "messages:purge",
  "connections:control",
  "connections:test",
  "dr:operate",
  "config:deploy",
  "config:validate",
  "code:edit",
  "ai:assist",
  "service:configure",
  "users:read",
  "users:manage",
  "audit:read",
  "approvals:approve",
] as const;

export type Permission = (typeof permissions)[number];

export interface BuiltInRole {
  readonly id: string;
  readonly displayName: string;
  readonly description: string;
  readonly permissions: readonly Permission[];
}

export const ADMINISTRATOR = "administrator";

export const builtInRoles: readonly BuiltInRole[] = [
  {
    id: ADMINISTRATOR,
    displayName: "Administrator",
    description: "Everything, the accounts of others included",
    permissions,
  },
  {
    id: "operator",
    displayName: "Operator",
    description: "Runs the interfaces: messages with content, replay, purge, connections",
    permissions: [
      "monitoring:read",
      "monitoring:diagnose",
      "messages:read",
      "messages:view_summary",
      "messages:view_raw",
      "messages:replay",
      "messages:purge",
      "connections:control",
      "connections:test",
    ],
  },
  {
    id: "deployment",
    displayName: "Deployment",
    description: "Brings new bundles into the engine, sees no message",
    permissions: ["monitoring:read", "connections:test", "config:deploy", "config:validate"],
  },
  {
    id: "coding",
    displayName: "Coding",
    description: "Writes interfaces, sees no message",
    permissions: ["monitoring:read", "config:validate", "code:edit", "ai:assist"],
  },
  {
    id: "viewer",
    displayName: "Viewer",
    description: "Sees that messages flow, not what is in them",
    permissions: ["monitoring:read", "messages:read"],
  },
  {
    id: "auditor",
    displayName: "Auditor",
    description: "Reads the audit log, sees no message",
    permissions: ["monitoring:read", "audit:read"],
  },
];

const builtIn: ReadonlyMap<string, BuiltInRole> = new Map(
  builtInRoles.map((role) => [role.id, role]),
);
const known: ReadonlySet<string> = new Set(permissions);
/** A role of one's own never holds what would let its holders raise themselves. */
const neverCustom: ReadonlySet<Permission> = new Set([
  "users:manage",
  "approvals:approve",
  "dr:operate",
]);

/** For who named a role that is none: which there always are. */
export const noSuchRole = `There is no such role; built in are ${
  builtInRoles.map(({ id }) => id).join(", ")
}`;

export function isBuiltInRole(id: string): boolean {
  return builtIn.has(id);
}

/** Whether a role of the installation's own may grant it. */
export function isGrantable(permission: string): permission is Permission {
  return known.has(permission) && !neverCustom.has(permission as Permission);
}

/**
 * The permissions of built-in and custom roles together. A stored value that is unknown or may not
 * be granted grants nothing.
 */
export function permissionsOf(
  roleIds: readonly string[],
  customPermissions: readonly string[],
): ReadonlySet<Permission> {
  return new Set([
    ...roleIds.flatMap((id) => builtIn.get(id)?.permissions ?? []),
    ...customPermissions.filter(isGrantable),
  ]);
}
