/**
 * The used parts of the client library. Import this module only with `import()`, and only for a
 * Kubernetes feature: loading the library takes 60 MB and half a second.
 */
export {
  AppsV1Api,
  CoreV1Api,
  DiscoveryV1Api,
  KubeConfig,
  Observable,
} from "@kubernetes/client-node";
