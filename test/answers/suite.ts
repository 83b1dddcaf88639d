// Real events through the whole pipeline, in any order and more than once: every answer is as the facts say.
import { writeFileSync } from "node:fs";
import { join } from "node:path";
import { afterAll, beforeAll, describe, expect, it } from "vitest";
import { importFile } from "../../edge/command/import.ts";
import { createRandom } from "../../edge/command/load/random.ts";
import { type Embedded, type Places, startEmbedded } from "../support/embedded.ts";
import { retail, retailSample } from "../support/retail.ts";
import { differences } from "./facts.ts";
import { linesOf, orders } from "./orders.ts";
import { settled } from "./settled.ts";

const minutes = 20 * 60_000;
const isLong = process.env["WEIR_TEST_LONG"] === "1";
const seed = Number(process.env["WEIR_TEST_SEED"] ?? Date.now() % 1_000_000);

/** The suite for one flavour of storage; each store that it needs lies at a new `place`. */
export function answersSuite(place: () => Places): void {
  const begun = (): (() => Embedded) => {
    let weir: Embedded | undefined;
    beforeAll(async () => {
      weir = await startEmbedded(["default", ...orders.map(({ project }) => project)], place());
    }, minutes);
    afterAll(() => weir?.close(), minutes);
    return () => weir!;
  };
  // So many whole files in one store would make every question about one of them slow.
  const shared = isLong ? undefined : begun();

  describe("the retail file, as it is", () => {
    const weir = shared ?? begun();
    const { file, facts } = retail();
    it(
      "is answered as its facts say",
      async () => {
        const result = await importFile(file, { map: [] }, weir().importDeps("default"));
        expect(result).toMatchObject({ stored: facts.rows, duplicate: 0, quarantined: 0, ok: true });
        await settled(weir().aggregatorUrl);
        expect(await differences(weir().aggregatorUrl, facts, "default")).toEqual([]);
      },
      minutes,
    );
  });

  // The whole file so often takes minutes; the sample shows the same of the order.
  const { file, facts } = isLong ? retail() : retailSample();
  for (const { name, project, pieces, copies } of orders) {
    describe(`the retail ${isLong ? "file" : "sample"} ${name}`, () => {
      const weir = shared ?? begun();
      it(
        "is answered as its facts say",
        async () => {
          console.info(`in an order drawn at random: WEIR_TEST_SEED=${seed}`);
          const lines = linesOf(file);
          let [stored, duplicate] = [0, 0];
          for (const [at, piece] of pieces(lines, createRandom(seed)).entries()) {
            const path = join(weir().folder, `${project}-${at}.ndjson`);
            writeFileSync(path, `${piece.join("\n")}\n`);
            const result = await importFile(path, { map: [] }, weir().importDeps(project));
            expect(result).toMatchObject({ received: piece.length, ok: true });
            stored += result.stored;
            duplicate += result.duplicate;
          }
          expect({ stored, duplicate }).toEqual({ stored: facts.rows, duplicate: copies(lines.length) });
          await settled(weir().aggregatorUrl);
          expect(await differences(weir().aggregatorUrl, facts, project)).toEqual([]);
        },
        minutes,
      );
    });
  }
}
