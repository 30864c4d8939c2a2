{{- define "hordelet.fullname" -}}
{{- $name := default .Chart.Name .Values.nameOverride -}}
{{- if .Values.fullnameOverride -}}
{{- .Values.fullnameOverride | trunc 54 | trimSuffix "-" -}}
{{- else if contains $name .Release.Name -}}
{{- .Release.Name | trunc 54 | trimSuffix "-" -}}
{{- else -}}
{{- printf "%s-%s" .Release.Name $name | trunc 54 | trimSuffix "-" -}}
{{- end -}}
{{- end -}}

{{- define "hordelet.namespace" -}}
{{- default .Release.Namespace .Values.namespaceOverride -}}
{{- end -}}

{{- define "hordelet.selectorLabels" -}}
app.kubernetes.io/name: {{ default .Chart.Name .Values.nameOverride | trunc 63 | trimSuffix "-" }}
app.kubernetes.io/instance: {{ .Release.Name }}
{{- end -}}

{{- define "hordelet.labels" -}}
helm.sh/chart: {{ printf "%s-%s" .Chart.Name .Chart.Version | replace "+" "_" }}
app.kubernetes.io/managed-by: {{ .Release.Service }}
{{ include "hordelet.selectorLabels" . }}
app.kubernetes.io/version: {{ .Chart.AppVersion | quote }}
{{- with .Values.commonLabels }}
{{ toYaml . }}
{{- end }}
{{- end -}}

{{- /* The metadata of an object of ours. Arguments: the root, what follows the full name. */ -}}
{{- define "hordelet.metadata" -}}
{{- $root := index . 0 -}}
name: {{ include "hordelet.fullname" $root }}{{ index . 1 }}
namespace: {{ include "hordelet.namespace" $root }}
labels:
  {{- include "hordelet.labels" $root | nindent 2 }}
{{- with $root.Values.commonAnnotations }}
annotations:
  {{- toYaml . | nindent 2 }}
{{- end }}
{{- end -}}

{{- /* Arguments: the root, an image's values, the tag if they have none. */ -}}
{{- define "hordelet.image" -}}
{{- $root := index . 0 -}}
{{- $image := index . 1 -}}
{{- with default $image.registry $root.Values.global.imageRegistry }}{{ . }}/{{ end -}}
{{- $image.repository -}}
{{- if $image.digest }}@{{ $image.digest }}{{ else }}:{{ default (index . 2) $image.tag }}{{ end -}}
{{- end -}}

{{- define "hordelet.agentImage" -}}
{{- include "hordelet.image" (list . .Values.image .Chart.AppVersion) -}}
{{- end -}}

{{- define "hordelet.serviceAccountName" -}}
{{- if .Values.serviceAccount.create -}}
{{- default (include "hordelet.fullname" .) .Values.serviceAccount.name -}}
{{- else -}}
{{- default "default" .Values.serviceAccount.name -}}
{{- end -}}
{{- end -}}

{{- define "hordelet.gossipSecret" -}}
{{- default (printf "%s-gossip" (include "hordelet.fullname" .)) .Values.gossip.existingSecret -}}
{{- end -}}

{{- /* "true" if gossip is sealed: always, but for a laboratory that gives no key. */ -}}
{{- define "hordelet.sealed" -}}
{{- if or (not .Values.insecure) .Values.gossip.existingSecret .Values.gossip.key -}}
true
{{- end -}}
{{- end -}}

{{- define "hordelet.apiSecret" -}}
{{- default (printf "%s-api" (include "hordelet.fullname" .)) .Values.api.tls.existingSecret -}}
{{- end -}}

{{- define "hordelet.onSigterm" -}}
{{- default (ternary "drain" "detach" .Values.podman.enabled) .Values.onSigterm -}}
{{- end -}}

{{- define "hordelet.engineSocket" -}}
{{- ternary "/run/hordelet-podman/podman.sock" .Values.runtime.socket .Values.podman.enabled -}}
{{- end -}}

{{- /* "true" if no other machine reaches the API. */ -}}
{{- define "hordelet.apiIsLocal" -}}
{{- if or (hasPrefix "127." .Values.api.host) (eq .Values.api.host "::1") (eq .Values.api.host "localhost") -}}
true
{{- end -}}
{{- end -}}

{{- /* HOST:PORT. Arguments: host, port. */ -}}
{{- define "hordelet.address" -}}
{{- $host := index . 0 -}}
{{- if contains ":" $host }}[{{ $host }}]{{ else }}{{ $host }}{{ end }}:{{ index . 1 }}
{{- end -}}

{{- /* The flags that the chart decides, then those of `config`. */ -}}
{{- define "hordelet.config" -}}
{{- $values := .Values -}}
{{- $own := dict
      "cluster" $values.cluster
      "data-dir" $values.dataDir
      "run-dir" $values.runDir
      "runtime" (printf "unix://%s" (include "hordelet.engineSocket" .))
      "gossip" (include "hordelet.address" (list $values.gossip.host $values.gossip.port))
      "api" (include "hordelet.address" (list $values.api.host $values.api.port)) -}}
{{- if $values.insecure -}}
{{- $_ := set $own "insecure" true -}}
{{- end -}}
{{- if include "hordelet.sealed" . -}}
{{- $_ := set $own "gossip-key-file" "/etc/hordelet/gossip/gossip.key" -}}
{{- end -}}
{{- if $values.api.tls.enabled -}}
{{- $_ := set $own "api-cert" "/etc/hordelet/tls/tls.crt" -}}
{{- $_ := set $own "api-key" "/etc/hordelet/tls/tls.key" -}}
{{- end -}}
{{- if $values.api.clients.existingSecret -}}
{{- $_ := set $own "api-ca" "/etc/hordelet/clients/ca.crt" -}}
{{- end -}}
{{- if $values.api.tokens.existingSecret -}}
{{- $_ := set $own "api-token-file" "/etc/hordelet/tokens/tokens" -}}
{{- end -}}
{{- with $values.policy.hostPaths -}}
{{- $_ := set $own "allow-host-path" . -}}
{{- end -}}
{{- with $values.policy.capabilities -}}
{{- $_ := set $own "allow-capability" . -}}
{{- end -}}
{{- if $values.policy.hostNetwork -}}
{{- $_ := set $own "allow-host-network" true -}}
{{- end -}}
{{- if $values.policy.privileged -}}
{{- $_ := set $own "allow-privileged" true -}}
{{- end -}}
{{- with $values.seeds -}}
{{- $_ := set $own "join" (join "," .) -}}
{{- end -}}
{{- $service := printf "%s-gossip" (include "hordelet.fullname" .) -}}
{{- $namespace := include "hordelet.namespace" . -}}
{{- if eq $values.discovery.method "kubernetes" -}}
{{- $_ := set $own "discover-kubernetes" (printf "%s/%s" $namespace $service) -}}
{{- end -}}
{{- $names := $values.discovery.dnsNames -}}
{{- if eq $values.discovery.method "dns" -}}
{{- $names = prepend $names (printf "%s.%s.svc.%s." $service $namespace (trimSuffix "." $values.discovery.clusterDomain)) -}}
{{- end -}}
{{- with $names -}}
{{- $_ := set $own "discover-dns" (join "," .) -}}
{{- end -}}
{{- with $values.labels -}}
{{- $labels := list -}}
{{- range $key, $value := . -}}
{{- $labels = append $labels (printf "%s=%v" $key $value) -}}
{{- end -}}
{{- $_ := set $own "labels" (join "," $labels) -}}
{{- end -}}
{{- toYaml (merge $own $values.config) -}}
{{- end -}}

{{- /* Values that are right one by one and wrong together. */ -}}
{{- define "hordelet.check" -}}
{{- $values := .Values -}}
{{- $local := include "hordelet.apiIsLocal" . -}}
{{- $credential := or $values.api.clients.existingSecret $values.api.tokens.existingSecret -}}
{{- if not (or $local $values.insecure (and $values.api.tls.enabled $credential)) -}}
{{- fail (printf "api.host %s: other machines could reach it without TLS and a credential: set api.tls.enabled, and api.clients.existingSecret or api.tokens.existingSecret" $values.api.host) -}}
{{- end -}}
{{- if and $values.api.clients.existingSecret (not $values.api.tls.enabled) -}}
{{- fail "api.clients.existingSecret: clients show certificates with api.tls.enabled only" -}}
{{- end -}}
{{- if $values.api.tls.certManager.enabled -}}
{{- if not $values.api.tls.enabled -}}
{{- fail "api.tls.certManager.enabled: nothing uses the certificate without api.tls.enabled" -}}
{{- end -}}
{{- if not $values.api.tls.certManager.issuerRef.name -}}
{{- fail "api.tls.certManager.issuerRef.name: is required" -}}
{{- end -}}
{{- if not (.Capabilities.APIVersions.Has "cert-manager.io/v1") -}}
{{- fail "api.tls.certManager.enabled: this cluster has no cert-manager.io/v1 (with helm template: --api-versions cert-manager.io/v1)" -}}
{{- end -}}
{{- end -}}
{{- if and $values.gossip.key $values.gossip.existingSecret -}}
{{- fail "gossip.key: not together with gossip.existingSecret" -}}
{{- end -}}
{{- if has (int $values.api.port) (list (int $values.gossip.port) (add (int $values.gossip.port) 2 | int)) -}}
{{- fail (printf "api.port %v: is one of the two that gossip uses (%v and %v)" $values.api.port $values.gossip.port (add (int $values.gossip.port) 2)) -}}
{{- end -}}
{{- if and $values.podman.enabled (semverCompare "<1.29.0-0" .Capabilities.KubeVersion.Version) -}}
{{- fail (printf "podman.enabled: needs Kubernetes 1.29, not %s (containers that start before the agent and end after it)" .Capabilities.KubeVersion.Version) -}}
{{- end -}}
{{- if and $values.podman.enabled (eq (include "hordelet.onSigterm" .) "detach") -}}
{{- fail "onSigterm detach: with podman.enabled the containers end with the pod" -}}
{{- end -}}
{{- if and $values.podMonitor.enabled $local -}}
{{- fail (printf "podMonitor.enabled: Prometheus does not reach an API on %s" $values.api.host) -}}
{{- end -}}
{{- if and $values.podMonitor.enabled (not (.Capabilities.APIVersions.Has "monitoring.coreos.com/v1")) -}}
{{- fail "podMonitor.enabled: this cluster has no monitoring.coreos.com/v1 (with helm template: --api-versions monitoring.coreos.com/v1)" -}}
{{- end -}}
{{- if and $values.podMonitor.enabled $values.api.tls.enabled (not $values.podMonitor.tokenSecret.name) (not $values.podMonitor.tlsConfig.cert) -}}
{{- fail "podMonitor.tokenSecret.name: the API tells its metrics only to whom may read (or give podMonitor.tlsConfig.cert)" -}}
{{- end -}}
{{- $elsewhere := and $values.podMonitor.namespace (ne $values.podMonitor.namespace (include "hordelet.namespace" .)) -}}
{{- if and $values.podMonitor.enabled $values.api.tls.enabled $elsewhere (not $values.podMonitor.tlsConfig) -}}
{{- fail (printf "podMonitor.tlsConfig: is required in namespace %s, which cannot refer to the API's Secret" $values.podMonitor.namespace) -}}
{{- end -}}
{{- if and $values.networkPolicy.enabled (not $values.networkPolicy.nodeNetworks) -}}
{{- fail "networkPolicy.enabled: the agents would not reach each other without networkPolicy.nodeNetworks" -}}
{{- end -}}
{{- end -}}
