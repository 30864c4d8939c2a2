/* Every bound of the system, with its reason. Reaching one is an error that somebody sees. */
#ifndef AGENT_CORE_LIMITS_H
#define AGENT_CORE_LIMITS_H

#define NAME_BYTES_MAX 63              /* DNS-1123 label */
#define UID_BYTES 36                   /* a UUID in text */
#define ADDRESS_BYTES_MAX 127          /* host:port */
#define CONTAINER_ID_BYTES_MAX 64      /* what engines use */
#define REASON_BYTES_MAX 63            /* one CamelCase word */
#define MESSAGE_BYTES_MAX 255          /* a sentence for a person */
#define IMAGE_BYTES_MAX 1023           /* longer than any reference an engine takes */
#define DOCUMENT_BYTES_MAX (64 * 1024) /* stored form of a workload or supervisor */
#define VALUE_BYTES_MAX 4096           /* value of a name */
#define OUTSIDE_NAMES_MAX 16384        /* registered from outside, in the cluster: swept when due */
#define OUTSIDE_TTL_MS_MIN 1000        /* renewals must reach an agent that is busy, too */
#define OUTSIDE_TTL_MS_MAX 3600000     /* what nobody renews is gone within an hour */
#define OUTSIDE_TTL_MS_DEFAULT 30000
#define OWNER_TOKEN_BYTES_MIN 16 /* of an outside owner: less could be guessed */
#define OWNER_TOKEN_BYTES_MAX 128
#define OWNER_HASH_BYTES 32               /* SHA-256 of it: all that is stored */
#define STATE_BYTES_MAX (256 * 1024)      /* what a child leaves to its successor */
#define STATE_PIECE_BYTES_MAX (32 * 1024) /* two fit into a push, a few siblings into a message */
#define STATE_TOTAL_BYTES_MAX (64 * 1024 * 1024) /* of all children: every member holds them */
#define METAS_MAX 4096               /* entries of the registry's meta, in the cluster */
#define BODY_BYTES_MAX (1024 * 1024) /* of an API request */
#define REPLICAS_MAX 100000
/* Of one machine, or asked for by one child: beyond any, and sums of all children still fit. */
#define CPU_MILLI_MAX (UINT64_C(1) << 32)
#define MEMORY_BYTES_MAX (UINT64_C(1) << 46)
#define NAMES_PER_WORKLOAD_MAX 16
#define PORTS_PER_WORKLOAD_MAX 64
#define LABELS_MAX 64
#define MEMBERS_MAX 10000
#define SUPERVISOR_MEMBERS_MAX 1000
#define SEEDS_MAX 64

#define GOSSIP_BYTES_MAX (512 * 1024) /* one message between peers; RECVMAXSZ */
#define BULK_CHUNK_BYTES_MAX (256 * 1024)
#define PUSH_BYTES_MAX (64 * 1024) /* one push */
#define WHOLE_MAP_MS 30000         /* more than a peer takes to send us its whole map */

#define PENDING_REQUESTS_MAX 4096 /* writes that wait for durability; more are told 429 */
#define REQUEST_TIMEOUT_MS 5000   /* no second member has acknowledged: 504 */
/* Of an answer in pieces, held for a client that reads slowly: more than a bulk chunk, and with a
 * thousand such clients still no danger. */
#define STREAM_WINDOW_BYTES (512 * 1024)
/* Of a container's output on its way from the engine to a client; what the driver may tell beyond
 * what was granted; one message of it; readers at one agent. */
#define OUTPUT_WINDOW_BYTES (256 * 1024)
#define OUTPUT_SLACK_BYTES (64 * 1024)
#define OUTPUT_PIECE_BYTES_MAX (64 * 1024)
#define OUTPUT_READERS_MAX 256

#define RUNTIME_STARTS_IN_FLIGHT_MAX 6 /* engines are CPU-bound at 4 to 8 starts */
#define RUNTIME_STOPS_IN_FLIGHT_MAX 64
#define RUNTIME_PULLS_IN_FLIGHT_MAX 4
#define RUNTIME_PROBES_IN_FLIGHT_MAX 32  /* each a connection or a process in a container */
#define RUNTIME_OUTPUTS_IN_FLIGHT_MAX 64 /* each a connection to the engine, held for hours */
#define RUNTIME_START_TIMEOUT_MS 120000
#define RUNTIME_STOP_MARGIN_MS 30000 /* beyond the stop's own timeout */
#define RUNTIME_REMOVE_TIMEOUT_MS 60000
#define RUNTIME_PULL_TIMEOUT_MS 1800000
#define RUNTIME_LIST_TIMEOUT_MS 10000

#define PROBE_SECONDS_MAX 86400  /* of a delay, a period or a timeout: a day */
#define PROBE_THRESHOLD_MAX 1000 /* beyond that nobody waits */
#define PROBE_COMMAND_MAX 256    /* words */
#define PROBE_HEADERS_MAX 32

#define FROZEN_AFTER_MS 500       /* a turn this late means that we, not the peers, were away */
#define SYNC_BEFORE_WRITE_MS 5000 /* how long an agent that knows peers waits for a comparison */

/* How long an agent may be away while its containers live on. Less is no time for a new run to
 * start; for more it should drain: what ends meanwhile is neither restarted nor moved. */
#define DETACH_MS_MIN 1000
#define DETACH_MS_MAX 3600000
#define DETACH_MS_DEFAULT 60000

#define QUORUM_WAIT_MS_MAX 60000 /* a request that waits holds a connection: longer, ask again */

#define COUNTER_BLOCK 65536 /* dots reserved on disk at a time */

#endif
