/** Formats bytes, e.g. `12.3 MB`, in decimal units as usual for networks. */
export function formatBytes(bytes: number): string {
  const units = ["B", "kB", "MB", "GB", "TB", "PB"];
  let value = bytes;
  let unit = 0;
  while (value >= 999.5 && unit < units.length - 1) {
    value /= 1000;
    unit++;
  }
  const digits = unit === 0 || value >= 99.95 ? 0 : 1;
  return `${value.toFixed(digits)} ${units[unit]}`;
}

/** Formats milliseconds, e.g. `0.42 ms`, `12 ms`, `1.5 s`. */
export function formatMs(ms: number): string {
  if (ms < 9.995) return `${ms.toFixed(ms < 0.995 ? 2 : 1)} ms`;
  if (ms < 999.5) return `${ms.toFixed(0)} ms`;
  return formatLong(ms);
}

function formatLong(ms: number): string {
  if (ms < 59_950) return `${(ms / 1000).toFixed(1)} s`;
  const minutes = Math.floor(ms / 60_000);
  if (minutes < 60) return `${minutes} min`;
  const hours = Math.floor(minutes / 60);
  return hours < 48 ? `${hours} h ${minutes % 60} min` : `${Math.floor(hours / 24)} d`;
}

/** Formats a throughput. */
export function formatSpeed(bytesPerSecond: number): string {
  return `${formatBytes(bytesPerSecond)}/s`;
}

/** Formats whole numbers, with thousands separators. */
export function formatCount(count: number): string {
  return count.toLocaleString("en");
}

/** Formats a share; a dash if the whole is 0. */
export function formatPercent(part: number, whole: number): string {
  return whole === 0 ? "–" : `${(100 * part / whole).toFixed(0)} %`;
}

/** The end of an id, which distinguishes ids: their beginnings are equal. */
export function shortId(id: string): string {
  return id.length <= 14 ? id : `…${id.slice(-10)}`;
}

/** `sha256:0123456789ab…`. */
export function shortDigest(digest: string): string {
  const colon = digest.indexOf(":");
  return digest.length > colon + 15 ? `${digest.slice(0, colon + 13)}…` : digest;
}
