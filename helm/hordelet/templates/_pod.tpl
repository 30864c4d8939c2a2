{{- /* An HTTP probe. Arguments: the root, path, the probe's times. */ -}}
{{- define "hordelet.probe" -}}
{{- $root := index . 0 -}}
httpGet:
  {{- if include "hordelet.apiIsLocal" $root }}
  host: {{ $root.Values.api.host | quote }}
  {{- end }}
  path: {{ index . 1 }}
  port: api
  {{- if $root.Values.api.tls.enabled }}
  scheme: HTTPS
  {{- end }}
{{ toYaml (index . 2) }}
{{- end -}}

{{- /* Podman's API service: starts before the agent and ends after it. It sees the directories out of which the agent
  mounts, at the same paths. Containers of its own take what privileged allows. */ -}}
{{- define "hordelet.podman" -}}
- name: podman
  image: {{ include "hordelet.image" (list . .Values.podman.image "") }}
  imagePullPolicy: {{ .Values.podman.image.pullPolicy }}
  restartPolicy: Always
  command: [podman, system, service, --time=0, "unix://{{ include "hordelet.engineSocket" . }}"]
  env:
  - {name: CONTAINERS_CONF, value: /etc/hordelet/podman/containers.conf}
  startupProbe:
    exec: {command: [podman, --url, "unix://{{ include "hordelet.engineSocket" . }}", version]}
    periodSeconds: 2
    timeoutSeconds: 10
    failureThreshold: 30
  {{- with .Values.podman.resources }}
  resources:
    {{- toYaml . | nindent 4 }}
  {{- end }}
  securityContext: {privileged: true, runAsUser: 0}
  volumeMounts:
  - {name: podman-config, mountPath: /etc/hordelet/podman, readOnly: true}
  - {name: engine, mountPath: {{ dir (include "hordelet.engineSocket" .) }}}
  - {name: podman, mountPath: /var/lib/containers}
  - {name: data, mountPath: {{ .Values.dataDir }}}
  - {name: run, mountPath: {{ .Values.runDir }}}
{{- end -}}
