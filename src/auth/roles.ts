/**
 * Roles of the installation's own, and what groups of a directory mean. A role that changes ends
 * the sessions of everybody who holds it. Source: spec api §1.8, §3.
 */
import type { RegisterChange } from "../store/registers/mod.ts";
import { stringsOf } from "./account.ts";
import { type By, newId } from "./accounts.ts";
import { invalid, notFound } from "./errors.ts";
import { isBuiltInRole, isGrantable, noSuchRole, type Permission } from "./permissions.ts";
import type { IdentityRegister } from "./register.ts";

export interface CustomRole {
  /** `custom:` and 32 hex digits. */
  readonly id: string;
  readonly displayName: string;
  readonly description: string | null;
  readonly permissions: readonly string[];
}

export interface RoleDraft {
  readonly displayName: string;
  readonly description: string | null;
  readonly permissions: readonly string[];
}

export interface GroupRole {
  readonly group: string;
  readonly role: string;
}

export interface GroupScope {
  readonly group: string;
  /** An inbound, or `*` for all. */
  readonly channel: string;
}

export class Roles {
  readonly #register: IdentityRegister;

  constructor(register: IdentityRegister) {
    this.#register = register;
  }

  /** By name. */
  async custom(): Promise<readonly CustomRole[]> {
    return (await this.#register.rows("customRoles")).map((row) => ({
      id: String(row.id),
      displayName: String(row.display_name),
      description: row.description === null ? null : String(row.description),
      permissions: stringsOf(row.permissions).filter(isGrantable),
    }));
  }

  /** @throws {AuthError} `auth.invalid`. */
  async create(by: By, draft: RoleDraft): Promise<CustomRole> {
    const granted = grantable(draft.permissions);
    const id = `custom:${newId()}`;
    const { displayName, description } = draft;
    const permissions = JSON.stringify(granted);
    await this.#register.commit([{
      name: "createRole",
      values: [id, displayName, description, permissions, this.#register.now],
      expect: 1,
    }], factOf(by, "role.created", id, granted));
    return { id, displayName, description, permissions: granted };
  }

  /** @throws {AuthError} `auth.invalid`, `auth.not_found`. */
  async update(by: By, id: string, draft: RoleDraft): Promise<CustomRole> {
    const granted = grantable(draft.permissions);
    const { displayName, description } = draft;
    const isChanged = await this.#register.commit([
      {
        name: "updateRole",
        values: [displayName, description, JSON.stringify(granted), id],
        expect: 1,
      },
      { name: "revokeSessionsOfRole", values: [this.#register.now, id] },
    ], factOf(by, "role.updated", id, granted));
    if (!isChanged) throw notFound("No role has this id");
    return { id, displayName, description, permissions: granted };
  }

  /** @throws {AuthError} `auth.not_found`. */
  async delete(by: By, id: string): Promise<void> {
    const role = (await this.custom()).find((one) => one.id === id);
    if (role === undefined) throw notFound("No role has this id");
    const isDeleted = await this.#register.commit([
      { name: "deleteRole", values: [id], expect: 1 },
      // Before nobody holds it any more.
      { name: "revokeSessionsOfRole", values: [this.#register.now, id] },
      { name: "dropRoleFromUsers", values: [id] },
      { name: "dropRoleFromGroups", values: [id] },
    ], factOf(by, "role.deleted", id, role.permissions));
    if (!isDeleted) throw notFound("No role has this id");
  }

  async groupRoles(): Promise<readonly GroupRole[]> {
    const rows = await this.#register.rows("groupRoles");
    return rows.map((row) => ({ group: String(row.ad_group), role: String(row.role_id) }));
  }

  /** Replaces the whole map. @throws {AuthError} `auth.invalid`. */
  async setGroupRoles(by: By, given: readonly GroupRole[]): Promise<void> {
    const custom = await this.custom();
    const isKnown = (id: string) => isBuiltInRole(id) || custom.some((role) => role.id === id);
    const entries = given.map(({ group, role }) => ({ group: groupKey(group), role }))
      .filter(({ group }) => group !== "");
    if (!entries.every(({ role }) => isKnown(role))) throw invalid(noSuchRole);
    await this.#register.commit([
      { name: "clearGroupRoles", values: [] },
      ...entries.map(({ group, role }): RegisterChange => ({
        name: "mapGroupRole",
        values: [group, role],
      })),
    ], { actor: by.name, action: "ad_group_map.updated", facts: { count: entries.length } });
  }

  async groupScopes(): Promise<readonly GroupScope[]> {
    const rows = await this.#register.rows("groupScopes");
    return rows.map((row) => ({ group: String(row.ad_group), channel: String(row.channel_id) }));
  }

  /** Replaces the whole map. */
  async setGroupScopes(by: By, given: readonly GroupScope[]): Promise<void> {
    const entries = given.map(({ group, channel }) => ({ group: groupKey(group), channel }))
      .filter(({ group }) => group !== "");
    await this.#register.commit([
      { name: "clearGroupScopes", values: [] },
      ...entries.map(({ group, channel }): RegisterChange => ({
        name: "mapGroupScope",
        values: [group, channel],
      })),
    ], { actor: by.name, action: "ad_group_scope_map.updated", facts: { count: entries.length } });
  }
}

/** A directory does not tell case apart. */
function groupKey(group: string): string {
  return group.trim().toLowerCase();
}

/** @throws {AuthError} `auth.invalid`. */
function grantable(given: readonly string[]): readonly Permission[] {
  if (given.length === 0) throw invalid("A role needs at least one permission");
  if (!given.every(isGrantable)) {
    throw invalid("A role takes known permissions only, and none that administrators alone hold");
  }
  return [...new Set(given as readonly Permission[])].sort();
}

function factOf(by: By, action: string, id: string, permissions: readonly string[]) {
  return { actor: by.name, action, facts: { role_id: id, permissions } };
}
