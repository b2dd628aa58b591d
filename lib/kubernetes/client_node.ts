/**
 * What is used of the client library. Import this module with `import()` only, and only when a
 * Kubernetes feature is on: loading the library takes 60 MB and half a second.
 */
export { CoreV1Api, DiscoveryV1Api, KubeConfig, Observable } from "@kubernetes/client-node";
