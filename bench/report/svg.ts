import { type Figure, median, ratio } from "../figure.ts";
import { format } from "./table.ts";

const ROW = 22;
const LABEL_WIDTH = 520;
const BAR_WIDTH = 360;
const MARGIN = 16;

/** Renders the ratios as bars: right of the line is better than the other system. */
export function formatSvg(figures: readonly Figure[], first: string, other: string): string {
  const shown = figures.filter((figure) => Number.isFinite(Math.log(ratio(figure, first, other))));
  const logs = shown.map((figure) => Math.log2(ratio(figure, first, other)));
  const most = Math.max(1, ...logs.map(Math.abs));
  const middle = LABEL_WIDTH + BAR_WIDTH / 2;
  const rows = shown.map((figure, index) => {
    const y = 3 * MARGIN + index * ROW;
    const width = Math.abs(logs[index] ?? 0) / most * BAR_WIDTH / 2;
    const better = (logs[index] ?? 0) >= 0;
    const values = [first, other].map((system) => format(median(figure.samples[system] ?? [])));
    const text = `${figure.group}: ${figure.name} (${values.join(" / ")} ${figure.unit})`;
    return [
      `<text x="${MARGIN}" y="${y}">${escape(text)}</text>`,
      `<rect x="${better ? middle : middle - width}" y="${y - 11}" width="${width.toFixed(1)}" ` +
      `height="14" fill="${better ? "#2a7f62" : "#b5443c"}"/>`,
      `<text x="${LABEL_WIDTH + BAR_WIDTH + 8}" y="${y}">` +
      `${ratio(figure, first, other).toFixed(2)}×</text>`,
    ].join("");
  });
  const height = 4 * MARGIN + shown.length * ROW;
  const width = LABEL_WIDTH + BAR_WIDTH + 80;
  return [
    `<svg xmlns="http://www.w3.org/2000/svg" width="${width}" height="${height}" ` +
    `font-family="sans-serif" font-size="12">`,
    `<rect width="100%" height="100%" fill="white"/>`,
    `<text x="${MARGIN}" y="${MARGIN + 4}" font-weight="bold">` +
    `${escape(`${first} against ${other}: how many times better`)}</text>`,
    `<line x1="${middle}" x2="${middle}" y1="${2 * MARGIN}" y2="${height - MARGIN}" ` +
    `stroke="#888"/>`,
    ...rows,
    "</svg>",
    "",
  ].join("\n");
}

function escape(text: string): string {
  return text.replaceAll("&", "&amp;").replaceAll("<", "&lt;").replaceAll('"', "&quot;");
}
