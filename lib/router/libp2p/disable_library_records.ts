import type { Host } from "./host.ts";

/**
 * Empties the library's own store of provider records: its reprovider announces what it finds there
 * in a way of its own, which is slow, and its lists are scanned on each lookup. Records are kept and
 * served by the router.
 */
export function disableLibraryRecords({ dht }: Pick<Host, "dht">): void {
  dht.providers.addProvider = () => Promise.resolve();
  dht.providers.removeProvider = () => Promise.resolve();
  dht.providers.getProviders = () => Promise.resolve([]);
}
