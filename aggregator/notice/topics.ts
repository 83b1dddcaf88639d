// Where notices go: the settings of it, and topics made where they are missing.
import type { Log } from "../../shared/log/log.ts";
import type { Notice } from "./notices.ts";

export interface NoticeConfig {
  WEIR_METRICS_TOPIC: string;
  WEIR_ALERTS_TOPIC: string;
  WEIR_LATENESS_ALLOWED_SECONDS: number;
}

type Topics = Pick<NoticeConfig, "WEIR_METRICS_TOPIC" | "WEIR_ALERTS_TOPIC">;

/** Topics by what is told in them; an empty one stays in the table alone. */
export type NoticeTopics = Readonly<Record<Notice["topic"], string>>;

export const noticeTopics = (config: Topics): NoticeTopics => ({
  metrics: config.WEIR_METRICS_TOPIC,
  alerts: config.WEIR_ALERTS_TOPIC,
});

/** Makes the topics on a log that takes notices. Rejects where one can neither be made nor used. */
export async function makeNoticeTopics(log: Log, config: Topics): Promise<void> {
  const named = Object.values(noticeTopics(config)).filter((topic) => topic !== "");
  const publisher = log.notices?.(named);
  await publisher?.create().finally(() => publisher.close());
}
