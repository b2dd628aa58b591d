import { httpRequest } from "./http_request.ts";
import type { Host } from "./network.ts";

/** One sample of the Prometheus text format. */
export interface Sample {
  readonly name: string;
  readonly labels: Readonly<Record<string, string>>;
  readonly value: number;
}

/** Reads a metrics page, of the host itself unless an address is given that it reaches. */
export async function readMetrics(
  host: Host,
  port = 9090,
  address = "127.0.0.1",
): Promise<Metrics> {
  const { status, body } = await httpRequest(host, `http://${address}:${port}/metrics`);
  if (status !== 200) throw new Error(`metrics of ${host.name}: status ${status}`);
  return new Metrics(body.split("\n").flatMap(parse));
}

/** Samples of one moment. */
export class Metrics {
  readonly #samples: readonly Sample[];

  constructor(samples: readonly Sample[]) {
    this.#samples = samples;
  }

  /** Sum of all samples of that name whose labels include these; 0 if there is none. */
  sum(name: string, labels: Readonly<Record<string, string>> = {}): number {
    return this.#samples
      .filter((sample) => sample.name === name)
      .filter((sample) => Object.entries(labels).every(([k, v]) => sample.labels[k] === v))
      .reduce((sum, sample) => sum + sample.value, 0);
  }

  /** Names of all samples. */
  names(): string[] {
    return [...new Set(this.#samples.map((sample) => sample.name))];
  }
}

function parse(line: string): Sample[] {
  const match = /^([a-zA-Z_:][\w:]*)(?:\{(.*)\})? (\S+)/.exec(line);
  if (match === null) return [];
  const [, name = "", labels = "", value] = match;
  const pairs = [...labels.matchAll(/(\w+)="((?:[^"\\]|\\.)*)"/g)];
  return [{
    name,
    labels: Object.fromEntries(pairs.map(([, key = "", text = ""]) => [key, text])),
    value: Number(value),
  }];
}
