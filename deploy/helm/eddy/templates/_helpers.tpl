{{- define "eddy.name" -}}
{{- default .Chart.Name .Values.nameOverride | trunc 63 | trimSuffix "-" }}
{{- end }}

{{/* Short enough that what is appended fits into 63 characters. */}}
{{- define "eddy.fullname" -}}
{{- $name := default .Chart.Name .Values.nameOverride }}
{{- if .Values.fullnameOverride }}
{{- .Values.fullnameOverride | trunc 50 | trimSuffix "-" }}
{{- else if contains $name .Release.Name }}
{{- .Release.Name | trunc 50 | trimSuffix "-" }}
{{- else }}
{{- printf "%s-%s" .Release.Name $name | trunc 50 | trimSuffix "-" }}
{{- end }}
{{- end }}

{{- define "eddy.namespace" -}}
{{- default .Release.Namespace .Values.namespaceOverride }}
{{- end }}

{{/* Name of what is cluster-wide: unique among the releases of all namespaces. */}}
{{- define "eddy.clusterName" -}}
{{- printf "%s:%s" (include "eddy.namespace" .) (include "eddy.fullname" .) }}
{{- end }}

{{/* The same for kinds whose names may not have colons. */}}
{{- define "eddy.clusterDnsName" -}}
{{- printf "%s.%s" (include "eddy.fullname" .) (include "eddy.namespace" .) }}
{{- end }}

{{- define "eddy.selectorLabels" -}}
app.kubernetes.io/name: {{ include "eddy.name" . }}
app.kubernetes.io/instance: {{ .Release.Name }}
{{- end }}

{{- define "eddy.labels" -}}
helm.sh/chart: {{ printf "%s-%s" .Chart.Name .Chart.Version | replace "+" "_" }}
{{ include "eddy.selectorLabels" . }}
app.kubernetes.io/version: {{ .Chart.AppVersion | quote }}
app.kubernetes.io/managed-by: {{ .Release.Service }}
{{- with .Values.commonLabels }}
{{ toYaml . }}
{{- end }}
{{- end }}

{{- define "eddy.serviceAccountName" -}}
{{- default (include "eddy.fullname" .) .Values.serviceAccount.name }}
{{- end }}

{{- define "eddy.image" -}}
{{- with .Values.image }}
{{- if .digest }}
{{- .repository }}@{{ .digest }}
{{- else }}
{{- .repository }}:{{ .tag | default $.Chart.AppVersion }}
{{- end }}
{{- end }}
{{- end }}

{{/*
Settings of the agent, as YAML: Spegel's key goes before Eddy's, and the distribution's paths are for
what neither sets.
*/}}
{{- define "eddy.config" -}}
{{- $config := mergeOverwrite (deepCopy .Values.eddy) (default dict .Values.spegel) }}
{{- $paths := .Files.Get "files/distributions.yaml" | fromYaml }}
{{- range $name, $path := get $paths (default "containerd" .Values.distribution) }}
{{- if kindIs "invalid" (index $config $name) }}
{{- $_ := set $config $name $path }}
{{- end }}
{{- end }}
{{- $config | toYaml }}
{{- end }}

{{/* "true" if the agent uses the API server. */}}
{{- define "eddy.usesApi" -}}
{{- $config := include "eddy.config" . | fromYaml }}
{{- if or $config.startupTaint $config.nodeTopology (eq $config.bootstrapKind "kubernetes") }}true{{ end }}
{{- end }}

{{/* "true" if the agent reads or changes its node. */}}
{{- define "eddy.usesNode" -}}
{{- $config := include "eddy.config" . | fromYaml }}
{{- if or $config.startupTaint $config.nodeTopology }}true{{ end }}
{{- end }}

{{/* Directory of registry hosts as it is mounted. */}}
{{- define "eddy.registryConfigMount" -}}
{{- $config := include "eddy.config" . | fromYaml }}
{{- $path := $config.containerdRegistryConfigPath | trimSuffix "/" }}
{{- $parent := $config.containerdRegistryConfigMountParent }}
{{- if kindIs "invalid" $parent }}
{{- $parent = hasPrefix "/var/lib/rancher/" $path }}
{{- end }}
{{- if $parent }}{{ dir $path }}{{ else }}{{ $path }}{{ end }}
{{- end }}

{{/* "true" if containerd's configuration file is beside the mounted directory, for the doctor to read. */}}
{{- define "eddy.mountsContainerdConfig" -}}
{{- $config := include "eddy.config" . | fromYaml }}
{{- if and $config.containerdMirrorAdd (eq (include "eddy.registryConfigMount" .) "/etc/containerd/certs.d") }}true{{ end }}
{{- end }}

{{/* URL under which containerd reaches the agent of its node. */}}
{{- define "eddy.mirrorTarget" -}}
{{- with .Values.service.registry }}
{{- if eq .exposure "hostNetwork" }}
{{- printf "http://127.0.0.1:%v" .port }}
{{- else }}
{{- printf "http://$(NODE_IP):%v" .nodePort }}
{{- end }}
{{- end }}
{{- end }}

{{- define "eddy.nodeIp" -}}
- name: NODE_IP
  {{- if .Values.service.registry.nodeIp }}
  value: {{ .Values.service.registry.nodeIp | quote }}
  {{- else }}
  valueFrom:
    fieldRef:
      fieldPath: status.hostIP
  {{- end }}
{{- end }}

{{/* Secret with the cluster's key; empty without one. */}}
{{- define "eddy.clusterKeySecret" -}}
{{- with .Values.clusterKey }}
{{- if .enabled }}
{{- if .existingSecret }}
{{- .existingSecret }}
{{- else if .create }}
{{- include "eddy.fullname" $ }}-cluster-key
{{- else }}
{{- fail "clusterKey: name a Secret by existingSecret, or set create to true or enabled to false" }}
{{- end }}
{{- end }}
{{- end }}
{{- end }}
