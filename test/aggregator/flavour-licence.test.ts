// A server of TimescaleDB's Apache edition becomes one of the community edition below a pipeline that goes on.
import { afterAll, beforeAll, expect, it } from "vitest";
import { models } from "../../aggregator/model/models.ts";
import { recompute } from "../../aggregator/model/recompute.ts";
import { refreshHours } from "../../aggregator/store/continuous.ts";
import { systemClock } from "../../shared/clock.ts";
import { differences } from "../answers/facts.ts";
import { linesOf } from "../answers/orders.ts";
import { settled } from "../answers/settled.ts";
import { programsBehind } from "../services/programs-behind.ts";
import { launchTimescale, type TimescaleServer } from "../services/timescale.ts";
import { type Embedded, startEmbedded } from "../support/embedded.ts";
import { openProcesses } from "../support/processes.ts";
import { retailSample } from "../support/retail.ts";
import { describeWith, serviceUrl } from "../support/services.ts";
import { until } from "../support/until.ts";

const minutes = 300_000;
const schema = "weir_licence";
const batchLines = 200;
const newLines = 20;
const { file, facts } = retailSample();

describeWith(["timescale_community"], "a server that changes to the community edition", () => {
  let server: TimescaleServer | undefined;
  let missing: string | undefined;
  let weir: Embedded;
  beforeAll(async () => {
    // The licence is a setting that a server reads when it starts, so one is needed that may be started again.
    const found = await programsBehind(serviceUrl("timescale_community"));
    if ("missing" in found) {
      missing = found.missing;
      console.warn(`NOT RUN: a server that changes to the community edition (${missing})`);
      return;
    }
    server = await launchTimescale(found, licence("apache"));
    weir = await startEmbedded(["default"], { storeUrl: server.url, schema });
  }, minutes);
  afterAll(async () => {
    await weir?.close();
    await server?.stop();
  }, minutes);

  it(
    "loses nothing, answers as before, and keeps columns and hours from then on",
    async (context) => {
      if (missing !== undefined) return context.skip(missing);
      expect(weir.store.flavour).toBe("timescale-apache");
      const lines = linesOf(file);
      const half = Math.floor(lines.length / 2);
      await send(lines.slice(0, half));
      await settled(weir.aggregatorUrl);
      const before = await sumOf(await newest());

      let [isRestarted, isMigrated] = [false, false];
      let sent = half;
      const [quarters, kept] = [half + Math.floor(half / 2), lines.length - batchLines];
      const sending = (async () => {
        // Each request has a few new ones among copies, and some are left for after the start and for the very end.
        while (sent < kept || !isMigrated) {
          const to = Math.min(sent + newLines, isRestarted ? kept : quarters);
          await send(lines.slice(to - batchLines, to));
          sent = to;
        }
      })();
      await server!.restart(licence("timescale"));
      const sentBefore = sent;
      isRestarted = true;
      const processes = openProcesses();
      try {
        const settings = {
          WEIR_STORE_URL: server!.url,
          WEIR_STORE_SCHEMA: schema,
          WEIR_DATA_DIR: weir.folder,
        };
        for (const _ of ["once", "again"]) {
          const { code, said, result } = await processes.run(["migrate", "--json"], settings);
          expect({ code, result }, said).toMatchObject({ code: 0, result: { applied: [] } });
        }
      } finally {
        isMigrated = true;
        await processes.close();
      }
      expect(sent).toBeGreaterThan(sentBefore);
      await sending;
      await settled(weir.aggregatorUrl);
      await weir.store.inspect();
      expect(weir.store.flavour).toBe("timescale-community");
      expect(await policies()).toEqual([
        { policy: "policy_compression", after: "7 days", every: "12:00:00" },
        { policy: "policy_refresh_continuous_aggregate", after: null, every: "00:15:00" },
      ]);
      await runPolicy();
      await until("old chunks are columns", 60_000, async () => (await rowChunks()) === 0);
      expect(await sumOf(before.moment)).toEqual(before);

      // The last ones, late into chunks of columns, and others once more.
      await send(lines.slice(half - batchLines));
      await settled(weir.aggregatorUrl);
      await refreshHours(weir.store);
      expect(await differences(weir.aggregatorUrl, facts, "default")).toEqual([]);
      expect(await differingHours()).toEqual({ differing: 0, events: facts.rows });
      expect(await weir.reconcile()).toMatchObject({ ok: true });
      const session = await weir.store.writer();
      const span = { from: "2010-12-01", to: "2011-12-31" };
      expect(await recompute({ session, models, clock: systemClock, ...span })).toMatchObject({
        changed: [],
      });
    },
    minutes,
  );

  async function send(lines: readonly string[]): Promise<void> {
    for (let at = 0; at < lines.length; at += batchLines) {
      const response = await fetch(`${weir.edge.url}/v1/events`, {
        method: "POST",
        headers: {
          authorization: `Bearer ${weir.keyOf("default")}`,
          "content-type": "application/x-ndjson",
        },
        body: lines.slice(at, at + batchLines).join("\n"),
      });
      expect(response.status, await response.text()).toBe(202);
    }
  }

  /** When the newest row was stored. */
  async function newest(): Promise<string> {
    const [row] = await weir.store.sql`select max(stored_at)::text as moment from events`;
    return row!["moment"];
  }

  /** All that was stored until then, as a number and a sum of hashes. */
  async function sumOf(moment: string): Promise<{ moment: string; rows: number; sum: string }> {
    const [row] = await weir.store.sql<[{ rows: number; sum: string }]>`
      select count(*)::int as rows, sum(hashtextextended(events::text, 0)::numeric)::text as sum
      from events
      where stored_at <= ${moment}::text::timestamptz`;
    return { moment, ...row };
  }

  async function policies(): Promise<unknown[]> {
    const rows = await weir.store.sql`
      select proc_name as policy, config ->> 'compress_after' as after, schedule_interval::text as every
      from timescaledb_information.jobs j
      where (hypertable_schema, hypertable_name) in (
        select ${schema}::name, 'events'::name
        union all
        select x.schema, x.name
        from timescaledb_information.continuous_aggregates,
          lateral (values
            (view_schema, view_name),
            (materialization_hypertable_schema, materialization_hypertable_name)
          ) as x (schema, name)
        where view_schema = ${schema} and view_name = 'hourly_dimensions'
      )
      order by 1`;
    return [...rows];
  }

  /** What the server does by itself from time to time; chunks that came after the last time wait for the next. */
  async function runPolicy(): Promise<void> {
    const [job] = await weir.store.sql`
      select job_id from timescaledb_information.jobs
      where hypertable_schema = ${schema} and hypertable_name = 'events' and proc_name = 'policy_compression'`;
    const session = await weir.store.writer();
    await session.unsafe(`call run_job(${job!["job_id"]})`);
    await session.end();
  }

  /** Chunks of events that are not columns; all of the file's are years old. */
  async function rowChunks(): Promise<number> {
    const [row] = await weir.store.sql`
      select count(*)::int as chunks from timescaledb_information.chunks
      where hypertable_schema = ${schema} and hypertable_name = 'events' and not is_compressed`;
    return row!["chunks"];
  }

  async function differingHours(): Promise<unknown> {
    const [row] = await weir.store.sql`
      with counted as (
        select project_id, date_trunc('hour', event_time) as hour, type, country, city, device, app_version, currency,
          count(*) as events, sum(revenue) as revenue
        from events
        group by 1, 2, 3, 4, 5, 6, 7, 8
      )
      select
        (select sum(events)::int from hourly_dimensions) as events,
        count(*)::int as differing
      from (
        (table counted except all table hourly_dimensions)
        union all
        (table hourly_dimensions except all table counted)
      ) as either`;
    return row;
  }
});

function licence(name: "apache" | "timescale"): string[] {
  return ["-c", `timescaledb.license=${name}`, "-c", "fsync=off"];
}
