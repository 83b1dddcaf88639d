// The whole pipeline, embedded: `weir import` into a fresh folder, its rate and the memory of its process.
import { createReadStream, createWriteStream, mkdtempSync, readFileSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { createInterface } from "node:readline";
import { Readable } from "node:stream";
import { pipeline } from "node:stream/promises";
import { createGunzip, createGzip } from "node:zlib";
import { retail } from "../support/retail.ts";
import { type Bench, median } from "./bench.ts";

const rounds = 3;
/** A file is repeated until it holds so many events: less would measure the start. */
const eventsMin = 300_000;
/** How many times as large the file is that shows whether memory grows with it. */
const longTimes = 10;
const rateGoal = 25_000;
const memoryGoalMb = 400;
/** How often the memory of the process is looked at; the kernel keeps the peak between two looks. */
const lookMs = 50;
const root = join(import.meta.dirname, "../..");

export default {
  name: "pipeline",
  needs: [],
  async run({ add, say, isLong }) {
    const folder = mkdtempSync(join(tmpdir(), "weir-bench-"));
    try {
      const { file, facts } = retail();
      const times = Math.ceil(eventsMin / facts.rows);
      const events = facts.rows * times;
      const whole = times === 1 ? file : await repeat(file, times, join(folder, "whole.ndjson.gz"));
      const runs: Run[] = [];
      for (let round = 1; round <= rounds; round += 1) {
        runs.push(await importInto(join(folder, `data-${round}`), whole, events));
        say(`round ${round} of ${rounds}: ${JSON.stringify(runs.at(-1))}`);
      }
      const [rate, peakMb] = [
        median(runs.map((run) => run.rate)),
        Math.max(...runs.map((run) => run.peakMb)),
      ];
      const goal = `≥ ${rateGoal.toLocaleString("en")}`;
      add(`import of ${events} events, embedded`, rate, "events/s", { goal, ok: rate >= rateGoal });
      add("from the first byte of the command to its end", median(runs.map((run) => run.seconds)), "s");
      add("our processor time, without PostgreSQL's", median(runs.map((run) => run.cpuUs)), "µs/event");
      const judge = (mb: number) => ({ goal: `≤ ${memoryGoalMb}`, ok: mb <= memoryGoalMb });
      add("peak memory of our process, highest round", peakMb, "MB", judge(peakMb));
      if (isLong) {
        say(`the same with a file ${longTimes} times as large`);
        const large = await repeat(whole, longTimes, join(folder, "large.ndjson.gz"));
        const run = await importInto(join(folder, "data-large"), large, longTimes * events);
        add(`import of ${longTimes * events} events, embedded`, run.rate, "events/s", {
          ratio: run.rate / rate,
          goal,
          ok: run.rate >= rateGoal,
        });
        const ratio = run.peakMb / peakMb;
        add(`peak memory, a file ${longTimes} times as large`, run.peakMb, "MB", {
          ratio,
          ...judge(run.peakMb),
        });
      }
    } finally {
      rmSync(folder, { recursive: true, force: true });
    }
  },
} satisfies Bench;

interface Run {
  /** Events a second, as the command itself counts from the first line to the last outcome. */
  rate: number;
  /** With everything: starting, making the database, ending. */
  seconds: number;
  peakMb: number;
  /** Our own processor time an event, without PostgreSQL's; not a number where the system does not tell. */
  cpuUs: number;
}

async function importInto(dataDir: string, file: string, events: number): Promise<Run> {
  const startedAt = performance.now();
  const child = Bun.spawn([process.execPath, join(root, "weir.ts"), "import", file, "--json"], {
    cwd: root,
    env: { ...process.env, WEIR_DATA_DIR: dataDir },
    stdout: "pipe",
    stderr: "inherit",
  });
  let [peakKb, cpuMs] = [0, Number.NaN];
  const timer = setInterval(() => {
    peakKb = Math.max(peakKb, peakKbOf(child.pid));
    cpuMs = cpuMsOf(child.pid) ?? cpuMs;
  }, lookMs);
  try {
    const output = await new Response(child.stdout).text();
    const code = await child.exited;
    if (code !== 0) throw new Error(`the import ended with ${code}: ${output}`);
    const result = JSON.parse(output.trimEnd().split("\n").at(-1)!) as Record<string, unknown>;
    if (result["ok"] !== true || result["stored"] !== events) throw new Error(`the import says ${output}`);
    const seconds = (performance.now() - startedAt) / 1000;
    // Where there is no /proc the system tells at the end, and may mean the database it waited for.
    const peakMb = peakKb > 0 ? peakKb / 1024 : (child.resourceUsage()?.maxRSS ?? 0) / 1024 / 1024;
    const cpuUs = (cpuMs * 1000) / events;
    return { rate: Number(result["events_per_second"]), seconds, peakMb, cpuUs };
  } finally {
    clearInterval(timer);
    rmSync(dataDir, { recursive: true, force: true });
  }
}

// What the process has used so far, in ticks of 10 ms; undefined where there is no /proc, or no process.
function cpuMsOf(pid: number): number | undefined {
  const text = readOf(pid, "stat");
  if (text === "") return undefined;
  // The name, in brackets, may hold spaces; user and system time are the 12th and 13th field behind it.
  const fields = text.replace(/^.*\) /s, "").split(" ");
  return (Number(fields[11]) + Number(fields[12])) * 10;
}

// The most that the process ever had in memory, shared pages included.
function peakKbOf(pid: number): number {
  return Number(/^VmHWM:\s+(\d+) kB/m.exec(readOf(pid, "status"))?.[1] ?? 0);
}

function readOf(pid: number, file: string): string {
  try {
    return readFileSync(`/proc/${pid}/${file}`, "utf8");
  } catch {
    return "";
  }
}

/** Writes a file `times` over, each time under other event ids; answers its path. */
async function repeat(file: string, times: number, target: string): Promise<string> {
  async function* lines(): AsyncGenerator<string> {
    for (let time = 0; time < times; time += 1) {
      let chunk = "";
      const input = createReadStream(file).pipe(createGunzip());
      for await (const line of createInterface({ input })) {
        chunk += `${line.replace('"event_id":"', `"event_id":"${time}-`)}\n`;
        if (chunk.length < 256 * 1024) continue;
        yield chunk;
        chunk = "";
      }
      yield chunk;
    }
  }
  await pipeline(Readable.from(lines()), createGzip({ level: 1 }), createWriteStream(target));
  return target;
}
