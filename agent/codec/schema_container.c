/* spec.container: the fields of a Kubernetes Container, with the same names and meaning, and
 * spec.volumes. Fields of Kubernetes that are missing here are refused by name. */
#include "agent/codec/schema.h"

#include "agent/core/limits.h"

enum {
    ARGUMENTS_MAX = 1024,
    VARIABLES_MAX = 1000, /* the engine's driver adds a few of its own below its 1,024 */
    CAPABILITIES_MAX = 64,
    PATH_BYTES_MAX = 4095,
};

/* ---- env ---- */

static const struct schema_field variable_rows[] = {
    {
        .name = "name",
        .type = SCHEMA_STRING,
        .flags = SCHEMA_REQUIRED | SCHEMA_NOT_EMPTY,
        .format = SCHEMA_ENV_NAME,
        .max = 255,
        .description = "Name of the environment variable: printable ASCII without =.",
    },
    {
        .name = "value",
        .type = SCHEMA_STRING,
        .fallback = "\"\"",
        .description = "Value of the variable. $(NAME) is replaced by the value of a variable "
                       "defined before, $$ is "
                       "one dollar.",
    },
    SCHEMA_REFUSED("valueFrom"),
};
static const struct schema_object variable =
    SCHEMA_OBJECT_OF("EnvVar", variable_rows, "One environment variable.");
static const struct schema_field variable_item = {.type = SCHEMA_OBJECT, .object = &variable};

/* ---- ports ---- */

static const char *const protocols[] = {"TCP", "UDP", NULL};
static const char *const protocols_later[] = {"SCTP", NULL};

static const struct schema_field port_rows[] = {
    {
        .name = "name",
        .type = SCHEMA_STRING,
        .format = SCHEMA_PORT_NAME,
        .max = 15,
        .description =
            "Name of the port, unique in the workload; spec.names and probes refer to it.",
    },
    {
        .name = "containerPort",
        .type = SCHEMA_INTEGER,
        .flags = SCHEMA_REQUIRED,
        .min = 1,
        .max = 65535,
        .description = "Port that the process in the container listens on. Published on a port of "
                       "the node that the "
                       "engine chooses, unless hostPort is given.",
    },
    {
        .name = "hostPort",
        .type = SCHEMA_INTEGER,
        .min = 0,
        .max = 65535,
        .description = "Port of the node to publish on. With it one node runs at most one replica.",
    },
    {
        .name = "protocol",
        .type = SCHEMA_STRING,
        .values = protocols,
        .unsupported = protocols_later,
        .fallback = "\"TCP\"",
        .description = "TCP or UDP.",
    },
    {
        .name = "hostIP",
        .type = SCHEMA_STRING,
        .format = SCHEMA_IP,
        .max = 45,
        .description = "Address of the node to publish on; all of them if unset.",
    },
};
static const struct schema_object port =
    SCHEMA_OBJECT_OF("ContainerPort", port_rows, "One port that the container listens on.");
static const struct schema_field port_item = {.type = SCHEMA_OBJECT, .object = &port};

/* ---- volumes ---- */

static const struct schema_field mount_rows[] = {
    {
        .name = "name",
        .type = SCHEMA_STRING,
        .flags = SCHEMA_REQUIRED,
        .format = SCHEMA_NAME,
        .max = NAME_BYTES_MAX,
        .description = "Name of a volume in spec.volumes.",
    },
    {
        .name = "mountPath",
        .type = SCHEMA_STRING,
        .flags = SCHEMA_REQUIRED,
        .format = SCHEMA_ABSOLUTE_PATH,
        .max = PATH_BYTES_MAX,
        .description = "Path in the container at which the volume is mounted.",
    },
    {
        .name = "readOnly",
        .type = SCHEMA_BOOLEAN,
        .fallback = "false",
        .description = "Whether the container may only read the volume.",
    },
    {
        .name = "subPath",
        .type = SCHEMA_STRING,
        .format = SCHEMA_RELATIVE_PATH,
        .max = PATH_BYTES_MAX,
        .description =
            "Path in the volume that is mounted instead of its root. Only for hostPath volumes.",
    },
    SCHEMA_REFUSED("subPathExpr"),
    SCHEMA_REFUSED("mountPropagation"),
    SCHEMA_REFUSED("recursiveReadOnly"),
};
static const struct schema_object mount =
    SCHEMA_OBJECT_OF("VolumeMount", mount_rows, "Where the container sees a volume.");
static const struct schema_field mount_item = {.type = SCHEMA_OBJECT, .object = &mount};

static const char *const path_types[] = {"",  "DirectoryOrCreate", "Directory", "File", "Socket",
                                         NULL};
static const char *const path_types_later[] = {"FileOrCreate", "CharDevice", "BlockDevice", NULL};
static const char *const media[] = {"", "Memory", NULL};

static const struct schema_field host_path_rows[] = {
    {
        .name = "path",
        .type = SCHEMA_STRING,
        .flags = SCHEMA_REQUIRED,
        .format = SCHEMA_ABSOLUTE_PATH,
        .max = PATH_BYTES_MAX,
        .description = "Path of a directory or file on the node.",
    },
    {
        .name = "type",
        .type = SCHEMA_STRING,
        .values = path_types,
        .unsupported = path_types_later,
        .description = "What must be at the path: with DirectoryOrCreate a directory is made if "
                       "nothing is there.",
    },
};
static const struct schema_object host_path =
    SCHEMA_OBJECT_OF("HostPathVolumeSource", host_path_rows,
                     "A directory or file of the node. It does not move with the child.");

static const struct schema_field empty_directory_rows[] = {
    {
        .name = "medium",
        .type = SCHEMA_STRING,
        .values = media,
        .description =
            "Where the directory is kept: on the node's disk (the default) or in Memory.",
    },
    {
        .name = "sizeLimit",
        .type = SCHEMA_QUANTITY,
        .description = "How much fits, for medium Memory.",
    },
};
static const struct schema_object empty_directory =
    SCHEMA_OBJECT_OF("EmptyDirVolumeSource", empty_directory_rows,
                     "A directory that is empty when the container starts and gone when it ends.");

static const struct schema_field volume_rows[] = {
    {
        .name = "name",
        .type = SCHEMA_STRING,
        .flags = SCHEMA_REQUIRED,
        .format = SCHEMA_NAME,
        .max = NAME_BYTES_MAX,
        .description = "Name of the volume; volumeMounts refer to it.",
    },
    {
        .name = "hostPath",
        .type = SCHEMA_OBJECT,
        .object = &host_path,
        .description = "A directory or file of the node.",
    },
    {
        .name = "emptyDir",
        .type = SCHEMA_OBJECT,
        .object = &empty_directory,
        .description = "A directory that lives as long as the container.",
    },
    SCHEMA_REFUSED("configMap"),
    SCHEMA_REFUSED("secret"),
    SCHEMA_REFUSED("persistentVolumeClaim"),
    SCHEMA_REFUSED("projected"),
    SCHEMA_REFUSED("downwardAPI"),
    SCHEMA_REFUSED("nfs"),
    SCHEMA_REFUSED("csi"),
    SCHEMA_REFUSED("ephemeral"),
    SCHEMA_REFUSED("image"),
};
const struct schema_object schema_volume =
    SCHEMA_OBJECT_OF("Volume", volume_rows, "Storage that the container can mount.");

/* ---- resources ---- */

static const char *const resource_names[] = {"cpu", "memory", NULL};

static const struct schema_field resources_rows[] = {
    {
        .name = "limits",
        .type = SCHEMA_QUANTITY_MAP,
        .values = resource_names,
        .description = "The most that the container may use: cpu in cores, memory in bytes.",
    },
    {
        .name = "requests",
        .type = SCHEMA_QUANTITY_MAP,
        .values = resource_names,
        .description = "What the container needs: cpu is its share when the node is busy.",
    },
    SCHEMA_REFUSED("claims"),
};
static const struct schema_object resources = SCHEMA_OBJECT_OF(
    "ResourceRequirements", resources_rows, "Processor time and memory of the container.");

/* ---- securityContext ---- */

static const struct schema_field capability_item = {
    .type = SCHEMA_STRING,
    .format = SCHEMA_CAPABILITY,
    .max = 64,
    .description = "A capability of Linux without CAP_, or ALL.",
};

static const struct schema_field capabilities_rows[] = {
    {
        .name = "add",
        .type = SCHEMA_LIST,
        .item = &capability_item,
        .max = CAPABILITIES_MAX,
        .description = "Capabilities given beyond the engine's default set.",
    },
    {
        .name = "drop",
        .type = SCHEMA_LIST,
        .item = &capability_item,
        .max = CAPABILITIES_MAX,
        .description = "Capabilities taken away.",
    },
};
static const struct schema_object capabilities = SCHEMA_OBJECT_OF(
    "Capabilities", capabilities_rows, "Capabilities of the processes in the container.");

static const struct schema_field security_rows[] = {
    {
        .name = "runAsUser",
        .type = SCHEMA_INTEGER,
        .min = 0,
        .max = INT32_MAX,
        .description = "User id of the first process; the image's user if unset.",
    },
    {
        .name = "runAsGroup",
        .type = SCHEMA_INTEGER,
        .min = 0,
        .max = INT32_MAX,
        .description = "Group id of the first process. Needs runAsUser.",
    },
    {
        .name = "runAsNonRoot",
        .type = SCHEMA_BOOLEAN,
        .description = "Demands a runAsUser other than 0.",
    },
    {
        .name = "readOnlyRootFilesystem",
        .type = SCHEMA_BOOLEAN,
        .description = "Whether the container's own files can only be read.",
    },
    {
        .name = "allowPrivilegeEscalation",
        .type = SCHEMA_BOOLEAN,
        .description =
            "Whether a process can gain more privileges than its parent; false sets no_new_privs.",
    },
    {
        .name = "privileged",
        .type = SCHEMA_BOOLEAN,
        .description = "Runs the container with all privileges of root on the node.",
    },
    {
        .name = "capabilities",
        .type = SCHEMA_OBJECT,
        .object = &capabilities,
        .description = "Capabilities to add and drop.",
    },
    SCHEMA_REFUSED("procMount"),
    SCHEMA_REFUSED("seLinuxOptions"),
    SCHEMA_REFUSED("seccompProfile"),
    SCHEMA_REFUSED("appArmorProfile"),
    SCHEMA_REFUSED("windowsOptions"),
};
static const struct schema_object security = SCHEMA_OBJECT_OF(
    "SecurityContext", security_rows, "User, privileges and capabilities of the container.");

/* ---- the container ---- */

static const struct schema_field argument_item = {.type = SCHEMA_STRING};
static const char *const pull_policies[] = {"IfNotPresent", "Always", "Never", NULL};

static const struct schema_field container_rows[] = {
    {
        .name = "name",
        .type = SCHEMA_STRING,
        .format = SCHEMA_NAME,
        .max = NAME_BYTES_MAX,
        .description = "Name of the container. Kubernetes asks for one; here it changes nothing.",
    },
    {
        .name = "image",
        .type = SCHEMA_STRING,
        .flags = SCHEMA_REQUIRED | SCHEMA_NOT_EMPTY,
        .format = SCHEMA_IMAGE,
        .max = IMAGE_BYTES_MAX,
        .description = "Image to run, with registry, tag or digest as the engine understands it.",
    },
    {
        .name = "imagePullPolicy",
        .type = SCHEMA_STRING,
        .values = pull_policies,
        .description = "When the image is pulled. Default: Always for an image with the tag latest "
                       "or without a tag, "
                       "IfNotPresent for all others.",
    },
    {
        .name = "command",
        .type = SCHEMA_LIST,
        .item = &argument_item,
        .max = ARGUMENTS_MAX,
        .description = "Replaces the image's entrypoint; not run in a shell. $(NAME) is replaced "
                       "by the environment "
                       "variable of that name.",
    },
    {
        .name = "args",
        .type = SCHEMA_LIST,
        .item = &argument_item,
        .max = ARGUMENTS_MAX,
        .description = "Arguments of the entrypoint; replaces the image's command. $(NAME) is "
                       "replaced as in command.",
    },
    {
        .name = "workingDir",
        .type = SCHEMA_STRING,
        .format = SCHEMA_ABSOLUTE_PATH,
        .max = PATH_BYTES_MAX,
        .description = "Directory in which the first process starts; the image's if unset.",
    },
    {
        .name = "env",
        .type = SCHEMA_LIST,
        .item = &variable_item,
        .key = {"name"},
        .max = VARIABLES_MAX,
        .description = "Environment variables. Of two with one name the later counts.",
    },
    {
        .name = "ports",
        .type = SCHEMA_LIST,
        .item = &port_item,
        .key = {"containerPort", "protocol"},
        .key_fallback = {NULL, "TCP"},
        .max = PORTS_PER_WORKLOAD_MAX,
        .description = "Ports that the container listens on.",
    },
    {
        .name = "volumeMounts",
        .type = SCHEMA_LIST,
        .item = &mount_item,
        .key = {"mountPath"},
        .max = 64,
        .description = "Which volumes the container sees, and where.",
    },
    {
        .name = "resources",
        .type = SCHEMA_OBJECT,
        .object = &resources,
        .description = "Limits and needs of processor time and memory.",
    },
    {
        .name = "securityContext",
        .type = SCHEMA_OBJECT,
        .object = &security,
        .description = "User, privileges and capabilities.",
    },
    {
        .name = "tty",
        .type = SCHEMA_BOOLEAN,
        .fallback = "false",
        .description = "Whether the container gets a terminal; needs stdin.",
    },
    {
        .name = "stdin",
        .type = SCHEMA_BOOLEAN,
        .fallback = "false",
        .description = "Whether the container's standard input is kept open.",
    },
    {
        .name = "stdinOnce",
        .type = SCHEMA_BOOLEAN,
        .fallback = "false",
        .description =
            "Whether standard input is closed after the first client that attached to it.",
    },
    {
        .name = "readinessProbe",
        .type = SCHEMA_OBJECT,
        .object = &schema_probe,
        .description = "Whether the container can be used: only then is it ready and has its "
                       "names. Without it as soon as it runs.",
    },
    {
        .name = "livenessProbe",
        .type = SCHEMA_OBJECT,
        .object = &schema_probe,
        .description = "Whether the container still works: if not it is stopped and judged as one "
                       "that has failed.",
    },
    SCHEMA_REFUSED("startupProbe"),
    SCHEMA_REFUSED("envFrom"),
    SCHEMA_REFUSED("lifecycle"),
    SCHEMA_REFUSED("restartPolicy"),
    SCHEMA_REFUSED("resizePolicy"),
    SCHEMA_REFUSED("terminationMessagePath"),
    SCHEMA_REFUSED("terminationMessagePolicy"),
    SCHEMA_REFUSED("volumeDevices"),
};

const struct schema_object schema_container = SCHEMA_OBJECT_OF(
    "Container", container_rows,
    "The container to run: the fields of a Kubernetes Container, same names and meaning.");
