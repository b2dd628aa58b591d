import { type Figure, median, ratio } from "../figure.ts";

/** Renders the figures as text: medians, and how many times better the first system is. */
export function formatTable(figures: readonly Figure[], systems: readonly string[]): string {
  const [first = "", other] = systems;
  const rows = figures.map((figure) => [
    figure.name,
    ...systems.map((system) => format(median(figure.samples[system] ?? []))),
    figure.unit,
    other === undefined ? "" : formatRatio(ratio(figure, first, other)),
  ]);
  const head = ["", ...systems, "", other === undefined ? "" : "better by"];
  const widths = head.map((title, column) =>
    Math.max(title.length, ...rows.map((row) => row[column]?.length ?? 0))
  );
  const line = (row: readonly string[]) =>
    row.map((cell, column) =>
      column === 0 || column === row.length - 2
        ? cell.padEnd(widths[column] ?? 0)
        : cell.padStart(widths[column] ?? 0)
    ).join("  ").trimEnd();
  const lines = [line(head)];
  let group = "";
  for (const [index, figure] of figures.entries()) {
    if (figure.group !== group) lines.push("", figure.group);
    group = figure.group;
    lines.push(line(rows[index] ?? []));
  }
  return lines.join("\n");
}

/** Three significant digits, or the whole integer part. */
export function format(value: number): string {
  if (Number.isNaN(value)) return "-";
  return Math.abs(value) >= 100 ? value.toFixed(0) : value.toPrecision(3);
}

function formatRatio(value: number): string {
  return Number.isFinite(value) ? `${value.toFixed(2)}×` : "";
}
