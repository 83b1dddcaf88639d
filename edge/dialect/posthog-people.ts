// Which of PostHog's ids names a user and which a visitor: on the wire there is one, `distinct_id`, for both.

type Value = Readonly<Record<string, unknown>>;

const idNames: ReadonlySet<string> = new Set([
  ...["distinct_id", "$distinct_id", "$user_id", "$device_id", "$anon_distinct_id"],
]);
const aliasNames: ReadonlySet<unknown> = new Set(["$create_alias", "$merge_dangerously"]);

export interface People {
  named: { user_id: unknown; anonymous_id: unknown };
  /** Whether a property is an id of somebody. */
  isId(name: string): boolean;
  /** Whether a value is one of the two named, so that it need not stand anywhere else too. */
  holds(id: unknown): boolean;
}

/** A text, or a number as text; null and an empty text are none. */
export function readId(id: unknown): unknown {
  if (typeof id === "number" && Number.isFinite(id)) return String(id);
  return id === null || id === "" ? undefined : id;
}

/** Who an event is about, by what its client says of the id. */
export function peopleOf(value: Value, properties: Value): People {
  const distinct = readId(value["distinct_id"] ?? value["$distinct_id"] ?? properties["distinct_id"]);
  const named = namesOf(value["event"], distinct, properties);
  const held = new Set([named.user_id, named.anonymous_id]);
  const isAlias = aliasNames.has(value["event"]);
  return {
    named,
    isId: (name) => idNames.has(name) || (isAlias && name === "alias"),
    holds: (id) => id !== undefined && held.has(readId(id)),
  };
}

function namesOf(event: unknown, distinct: unknown, properties: Value): People["named"] {
  const device = readId(properties["$device_id"]);
  switch (event) {
    case "$identify": {
      const before = readId(properties["$anon_distinct_id"]) ?? device;
      return { user_id: distinct, anonymous_id: before === distinct ? undefined : before };
    }
    // A visitor who takes a name is that name's; a user who gets another one keeps their own.
    case "$create_alias":
    case "$merge_dangerously": {
      const alias = readId(properties["alias"]);
      return isVisitor(distinct, properties)
        ? { user_id: alias, anonymous_id: distinct }
        : { user_id: distinct, anonymous_id: alias };
    }
    case "$groupidentify":
      if (isMadeUp(distinct, properties)) return { user_id: undefined, anonymous_id: undefined };
  }
  if (isVisitor(distinct, properties)) return { user_id: undefined, anonymous_id: distinct };
  const user = readId(properties["$user_id"]) ?? distinct;
  return { user_id: user, anonymous_id: device === user ? undefined : device };
}

// Browsers say whether they know the user. A server only says so of those it keeps no profile of.
function isVisitor(distinct: unknown, properties: Value): boolean {
  const isIdentified = properties["$is_identified"];
  if (typeof isIdentified === "boolean") return !isIdentified;
  if (readId(properties["$user_id"]) !== undefined) return false;
  return (
    properties["$process_person_profile"] === false ||
    (distinct !== undefined && distinct === readId(properties["$device_id"]))
  );
}

// A server that knows no user makes up an id out of the group's own.
function isMadeUp(distinct: unknown, { $group_type: type, $group_key: key }: Value): boolean {
  const isKey = typeof key === "string" || typeof key === "number";
  return typeof type === "string" && isKey && distinct === `$${type}_${key}`;
}
