import { RateLimiter } from "../async/rate_limiter.ts";
import type { Config } from "../config/options.ts";
import type { Clock } from "../ports/clock.ts";

/** Bounds of what is exchanged with peers, as far as the configuration has any. */
export function transferLimits(config: Config, clock: Clock) {
  const { uploadLimit, downloadLimit, maxUploads } = config;
  return {
    uploads: uploadLimit === undefined ? undefined : new RateLimiter(clock, uploadLimit),
    downloads: downloadLimit === undefined ? undefined : new RateLimiter(clock, downloadLimit),
    maxUploads: maxUploads === undefined ? {} : { maxUploads },
  };
}
