import type { Host } from "./host.ts";

/**
 * Disables the library's own store of provider records: its reprovider announces its content
 * slowly, and its lists are scanned on each lookup. The router stores and serves records itself.
 */
export function disableLibraryRecords({ dht }: Pick<Host, "dht">): void {
  dht.providers.addProvider = () => Promise.resolve();
  dht.providers.removeProvider = () => Promise.resolve();
  dht.providers.getProviders = () => Promise.resolve([]);
}
