const WIDTH = 640;
const HEIGHT = 360;
const MARGIN = { left: 70, right: 150, top: 36, bottom: 48 };
const COLOURS = ["#0b6e99", "#c0561d", "#3d7a3d", "#7a4fa3"];

/** A line, or only points. */
export interface Series {
  readonly name: string;
  readonly points: readonly (readonly [x: number, y: number])[];
  readonly line: boolean;
}

/** Plots series on two logarithmic axes. */
export function plot(
  title: string,
  axes: { x: string; y: string },
  series: readonly Series[],
): string {
  const all = series.flatMap(({ points }) => points).filter(([x, y]) => x > 0 && y > 0);
  const x = scale(all.map(([x]) => x), MARGIN.left, WIDTH - MARGIN.right);
  const y = scale(all.map(([, y]) => y), HEIGHT - MARGIN.bottom, MARGIN.top);
  const marks = [
    ...x.ticks.map((tick) =>
      `<path d="M${x.at(tick)} ${MARGIN.top}V${HEIGHT - MARGIN.bottom}" class="grid"/>` +
      text(x.at(tick), HEIGHT - MARGIN.bottom + 16, format(tick), "middle")
    ),
    ...y.ticks.map((tick) =>
      `<path d="M${MARGIN.left} ${y.at(tick)}H${WIDTH - MARGIN.right}" class="grid"/>` +
      text(MARGIN.left - 8, y.at(tick) + 4, format(tick), "end")
    ),
  ];
  const drawn = series.map(({ name, points, line }, i) => {
    const colour = COLOURS[i % COLOURS.length];
    const shown = points.filter(([x, y]) => x > 0 && y > 0)
      .map(([px, py]) => `${x.at(px).toFixed(1)},${y.at(py).toFixed(1)}`);
    const path = line
      ? `<polyline points="${shown.join(" ")}" fill="none" stroke="${colour}" stroke-width="2"/>`
      : "";
    const dots = shown.map((point) => {
      const [cx, cy] = point.split(",");
      return `<circle cx="${cx}" cy="${cy}" r="${line ? 2 : 4}" fill="${colour}"/>`;
    });
    const at = MARGIN.top + 16 * i;
    const legend = `<circle cx="${WIDTH - MARGIN.right + 14}" cy="${at}" r="4" fill="${colour}"/>` +
      text(WIDTH - MARGIN.right + 24, at + 4, name, "start");
    return path + dots.join("") + legend;
  });
  return [
    `<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 ${WIDTH} ${HEIGHT}" font-family="sans-serif" font-size="12">`,
    "<style>.grid{stroke:#ccc;stroke-width:1}</style>",
    `<rect width="${WIDTH}" height="${HEIGHT}" fill="#fff"/>`,
    text(MARGIN.left, 20, title, "start"),
    ...marks,
    text((MARGIN.left + WIDTH - MARGIN.right) / 2, HEIGHT - 10, axes.x, "middle"),
    `<g transform="rotate(-90 14 ${HEIGHT / 2})">${text(14, HEIGHT / 2, axes.y, "middle")}</g>`,
    ...drawn,
    "</svg>",
    "",
  ].join("\n");
}

function scale(values: readonly number[], from: number, to: number) {
  const low = Math.floor(Math.log10(Math.min(...values)));
  const high = Math.max(low + 1, Math.ceil(Math.log10(Math.max(...values))));
  return {
    at: (value: number) => from + (Math.log10(value) - low) / (high - low) * (to - from),
    ticks: Array.from({ length: high - low + 1 }, (_, i) => 10 ** (low + i)),
  };
}

function format(tick: number): string {
  return tick >= 1 ? tick.toLocaleString("en") : String(Number(tick.toPrecision(1)));
}

function text(x: number, y: number, content: string, anchor: string): string {
  const escaped = content.replaceAll("&", "&amp;").replaceAll("<", "&lt;");
  return `<text x="${x}" y="${y}" text-anchor="${anchor}">${escaped}</text>`;
}
