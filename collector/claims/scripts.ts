// The claim scripts that Redis runs: one call for a whole batch, atomic as a whole.
import { claimDoneMs, claimLeaseMs } from "../../shared/limits.ts";
import type { ClaimRequest } from "./claims.ts";

/** How long claims stand, in ms. A lease may not outlast the done time, since slots are as long as that. */
export interface ClaimTimes {
  leaseMs?: number | undefined;
  doneMs?: number | undefined;
}

// Claims lie in one hash per slot of `doneMs`, written to the current slot and sought in the one before as
// well: a claim lives for one to two slots, and no key carries a time to live of its own. A key per claim
// cost 8 µs for both phases, this 3, since a script pays for every command it calls and not for every
// field. The server's own clock says which slot it is, so collectors need not agree on theirs.
//
// A pending value is `p`, the end of its lease in 13 digits, and the attempt; a done one is `d`, the batch
// id and the fingerprint. KEYS[1] is the prefix; ARGV the hashes, fingerprints, batch id, attempt, lease,
// slot length, and the widths of a hash and of a fingerprint.
const look = `
local call, sub = redis.call, string.sub
local hashes, prints, batch, attempt = ARGV[1], ARGV[2], ARGV[3], ARGV[4]
local lease, span, width, printWidth = tonumber(ARGV[5]), tonumber(ARGV[6]), tonumber(ARGV[7]), tonumber(ARGV[8])
local time = call('TIME')
local now = time[1] * 1000 + math.floor(time[2] / 1000)
local slot = math.floor(now / span)
local current, previous = KEYS[1] .. slot, KEYS[1] .. (slot - 1)
local count, keys = #hashes / width, {}
for i = 1, count do keys[i] = sub(hashes, (i - 1) * width + 1, i * width) end
local values, older = call('HMGET', current, unpack(keys)), {}
if call('EXISTS', previous) == 1 then
  for i = 1, count do
    if not values[i] then
      older = call('HMGET', previous, unpack(keys))
      break
    end
  end
end
local function lapsed(value) return sub(value, 1, 1) == 'p' and tonumber(sub(value, 2, 14)) <= now end
local function printAt(i) return sub(prints, (i - 1) * printWidth + 1, i * printWidth) end
local write, n = {}, 0
local function put(key, value)
  write[n + 1], write[n + 2] = key, value
  n = n + 2
end
local function store()
  if n == 0 then return 0 end
  local added = call('HSET', current, unpack(write))
  call('PEXPIRE', current, 3 * span)
  call('UNLINK', KEYS[1] .. (slot - 2))
  return added
end
`;

// HSET counts the fields it made. Fewer than were free means lapsed leases, or one key twice in the batch.
const claim = `${look}
local held = 'p' .. string.format('%013.0f', now + lease) .. attempt
local found, free = {}, 0
for i = 1, count do
  local value = values[i] or older[i]
  if not value or lapsed(value) then
    found[i], free = '0', free + 1
    put(keys[i], held)
  elseif sub(value, 1, 1) == 'p' then
    found[i] = '1'
  else
    if not values[i] then put(keys[i], value) end
    if sub(value, 2, 1 + #batch) == batch then found[i] = '2'
    elseif sub(value, 2 + #batch) == printAt(i) then found[i] = '3'
    else found[i] = '4' end
  end
end
if store() < free then
  local seen = {}
  for i = 1, count do
    if found[i] == '0' and seen[keys[i]] then found[i] = '1' end
    seen[keys[i]] = true
  end
end
return table.concat(found)
`;

// Backwards, so that of one key twice in a batch the first is written last and stands.
const settle = `${look}
local own = 'd' .. batch
for i = count, 1, -1 do
  local value = values[i] or older[i]
  if not value or sub(value, 1, 1) == 'p' then put(keys[i], own .. printAt(i))
  elseif not values[i] then put(keys[i], value) end
end
store()
return 'OK'
`;

const release = `${look}
for i = 1, count do
  local value = values[i] or older[i]
  if value and sub(value, 1, 1) == 'p' and sub(value, 15) == attempt then
    call('HDEL', values[i] and current or previous, keys[i])
  end
end
return 'OK'
`;

// KEYS[1] is the counter; ARGV what is added, and when it is gone.
const count = `
local events = tonumber(ARGV[1])
if events == 0 then return tonumber(redis.call('GET', KEYS[1]) or 0) end
local sum = redis.call('INCRBY', KEYS[1], events)
if sum == events then redis.call('PEXPIREAT', KEYS[1], ARGV[2]) end
return sum
`;

/** A script and the name by which EVALSHA knows it. */
export interface ClaimScript {
  lua: string;
  sha: string;
}

/** The script of each call of the port. */
export const claimScripts: Readonly<Record<"claim" | "settle" | "release" | "count", ClaimScript>> = {
  claim: named(claim),
  settle: named(settle),
  release: named(release),
  count: named(count),
};

/** The numbers that follow a request's four blobs, for blobs whose bytes are `scale` characters each. */
export function scriptNumbers(times: ClaimTimes, scale: 1 | 2): string[] {
  const { leaseMs = claimLeaseMs, doneMs = claimDoneMs } = times;
  if (leaseMs > doneMs) throw new Error("a lease may not outlast the time a claim stays done");
  return [leaseMs, doneMs, 16 * scale, 8 * scale].map(String);
}

/** What the claim script answered, one digit a key. Throws where that is not what was asked. */
export function readFound(answer: unknown, request: ClaimRequest): Uint8Array {
  if (typeof answer !== "string" || answer.length !== request.count) {
    throw new Error("the claims answered for another number of keys");
  }
  return Uint8Array.from({ length: request.count }, (_, at) => answer.charCodeAt(at) - 48);
}

/** What the counter's script answered. Throws where that is no number. */
export function readSum(answer: unknown): number {
  const sum = Number(answer);
  if (Number.isSafeInteger(sum)) return sum;
  throw new Error("the claims answered no number");
}

function named(lua: string): ClaimScript {
  return { lua, sha: new Bun.CryptoHasher("sha1").update(lua).digest("hex") };
}
