/* The metrics, one after the other, in the order in which a person would ask (see metrics.h). */
#include "agent/codec/metrics.h"

#include <inttypes.h>
#include <stdarg.h>
#include <stdio.h>
#include <string.h>

/* What a double, as which metrics are kept, has exactly. */
#define DIGEST_MASK ((UINT64_C(1) << 52) - 1)

static void print(struct buffer *out, const char *format, ...)
    __attribute__((format(printf, 2, 3)));

static void print(struct buffer *out, const char *format, ...)
{
    char line[512];
    va_list arguments;
    va_start(arguments, format);
    int bytes = vsnprintf(line, sizeof line, format, arguments);
    va_end(arguments);
    if (bytes > 0)
        buffer_append(out, line, (size_t)bytes < sizeof line ? (size_t)bytes : sizeof line - 1);
}

static void family(struct buffer *out, const char *name, const char *type, const char *help)
{
    print(out, "# HELP %s %s\n# TYPE %s %s\n", name, help, name, type);
}

static void gauge(struct buffer *out, const char *name, const char *help, uint64_t value)
{
    family(out, name, "gauge", help);
    print(out, "%s %" PRIu64 "\n", name, value);
}

static void counter(struct buffer *out, const char *name, const char *help, uint64_t value)
{
    family(out, name, "counter", help);
    print(out, "%s %" PRIu64 "\n", name, value);
}

/* --- What the cluster is, as this node sees it ------------------------------------------------ */

static void write_supervised(struct buffer *out, const struct node *node)
{
    struct supervisor_view view;
    family(out, "hordelet_supervised_process_count", "gauge",
           "Children that a member has claimed: in the whole cluster, and by this agent.");
    for (bool more = query_supervisor_next(node, "", &view); more;) {
        const char *name = view.supervisor->name;
        struct query_supervised counts = query_supervised(node, name);
        print(out, "hordelet_supervised_process_count{supervisor=\"%s\",scope=\"global\"} %zu\n",
              name, counts.global);
        print(out, "hordelet_supervised_process_count{supervisor=\"%s\",scope=\"local\"} %zu\n",
              name, counts.local);
        more = query_supervisor_next(node, name, &view);
    }
}

static void write_children(struct buffer *out, const struct node *node)
{
    struct query_phases phases = query_phases(node);
    family(out, "hordelet_children", "gauge", "Children of the cluster by phase.");
    for (enum child_phase phase = 0; phase < CHILD_PHASE_COUNT; phase++)
        print(out, "hordelet_children{phase=\"%s\"} %zu\n", child_phase_name(phase),
              phases.children[phase]);
}

static void write_members(struct buffer *out, const struct node *node)
{
    static const char *const names[] = {"uninitialized", "alive",  "suspect", "dead",
                                        "shutting_down", "absent", "left"};
    size_t counts[sizeof names / sizeof *names] = {0}, total = 0;
    const char *name = "", *phase;
    while (query_member_phase_next(node, name, &name, &phase)) {
        total++;
        for (size_t i = 0; i < sizeof names / sizeof *names; i++)
            counts[i] += strcmp(phase, names[i]) == 0;
    }
    family(out, "hordelet_members", "gauge", "Members by phase, as this agent sees them.");
    for (size_t i = 0; i < sizeof names / sizeof *names; i++)
        print(out, "hordelet_members{phase=\"%s\"} %zu\n", names[i], counts[i]);
    gauge(out, "hordelet_total_members_count", "Members, whatever their phase.", total);
    gauge(out, "hordelet_alive_members_count", "Those that are alive.", counts[1]);
}

static void write_counts(struct buffer *out, const struct node *node)
{
    struct query_counts counts = query_counts(node);
    gauge(out, "hordelet_ready", "1 if /readyz says ok.", query_ready(node));
    gauge(out, "hordelet_workloads", "Workloads of the cluster.", counts.workloads);
    gauge(out, "hordelet_names", "Names of the registry.", counts.names);
    gauge(out, "hordelet_containers", "Containers of ours on this node's engine.",
          counts.containers);
    gauge(out, "hordelet_map_keys", "Keys of the replicated map, tombstones not counted.",
          counts.keys);
    gauge(out, "hordelet_map_tombstones", "Tombstones that have not been dropped yet.",
          counts.tombstones);
    gauge(out, "hordelet_map_digest",
          "A hash of the replicated map: agents that tell the same number hold the same map.",
          query_digest(node) & DIGEST_MASK);
    gauge(out, "hordelet_pending_requests", "Writes and waits that have no answer yet.",
          counts.pending_requests);
    gauge(out, "hordelet_log_readers", "Logs of containers here that somebody reads.",
          counts.log_readers);
    counter(out, "hordelet_object_changes_total",
            "Changes of objects, as users see them here, whoever made them.", query_position(node));
}

static void write_events(struct buffer *out, const struct node *node)
{
    const char *reason;
    uint64_t count;
    family(out, "hordelet_events_total", "counter", "Events that this agent has noted, by reason.");
    for (size_t i = 0; query_event_count(node, i, &reason, &count); i++)
        print(out, "hordelet_events_total{reason=\"%s\"} %" PRIu64 "\n", reason, count);
}

/* --- Guarded children ------------------------------------------------------------------------- */

enum voting {
    VOTING_QUORUM,
    VOTING_VERSION,
    VOTING_HELD,
    VOTING_ASKED,
    VOTING_RENEWALS,
    VOTING_LOST,
    VOTING_LEFT
};

/* Of a supervisor that votes. False: there is nothing to tell. Counters are told from 0 on, before
 * this agent asks for a lease: who looks for their growth sees the first step too. */
static bool voting_value(enum voting what, const struct supervisor_view *view,
                         const struct lease_counts *leases, uint64_t *ret_value)
{
    switch (what) {
    case VOTING_QUORUM:
        *ret_value = view->quorum;
        return true;
    case VOTING_VERSION:
        *ret_value = view->electorate ? view->electorate->term.version : 0;
        return true;
    case VOTING_HELD:
        *ret_value = leases->held;
        return true;
    case VOTING_ASKED:
        *ret_value = leases->asked;
        return true;
    case VOTING_RENEWALS:
        *ret_value = leases->renewals;
        return true;
    case VOTING_LOST:
        *ret_value = leases->lost;
        return true;
    case VOTING_LEFT:
        *ret_value = leases->left_ms;
        return leases->held > 0;
    }
    return false;
}

static const struct voting_metric {
    const char *name, *type, *help; /* help NULL: of the family above */
    const char *labels;
    enum voting value;
} voting_metrics[] = {
    {"hordelet_quorum", "gauge",
     "1 if a majority of the supervisor's voters is alive, as this agent sees it.", "",
     VOTING_QUORUM},
    {"hordelet_electorate_version", "gauge",
     "Version of the electorate in effect; 0: none, or two in conflict.", "", VOTING_VERSION},
    {"hordelet_leases", "gauge", "Leases of guarded children that this agent holds.",
     ",state=\"held\"", VOTING_HELD},
    {"hordelet_leases", "gauge", NULL, ",state=\"asked\"", VOTING_ASKED},
    {"hordelet_lease_renewals_total", "counter",
     "Renewals by a majority, of all leases of the supervisor here at once.", "", VOTING_RENEWALS},
    {"hordelet_leases_lost_total", "counter",
     "Leases that no majority renewed for half of their length: their children are ended.", "",
     VOTING_LOST},
    {"hordelet_lease_left_milliseconds", "gauge",
     "Until a guard ends the first of the containers held, if no renewal comes.", "", VOTING_LEFT},
};

static void write_voting(struct buffer *out, const struct node *node,
                         const struct voting_metric *metric)
{
    struct supervisor_view view;
    uint64_t value;
    if (metric->help)
        family(out, metric->name, metric->type, metric->help);
    for (bool more = query_supervisor_next(node, "", &view); more;) {
        const char *name = view.supervisor->name;
        struct lease_counts leases = query_leases(node, name);
        if (view.votes && voting_value(metric->value, &view, &leases, &value))
            print(out, "%s{supervisor=\"%s\"%s} %" PRIu64 "\n", metric->name, name, metric->labels,
                  value);
        more = query_supervisor_next(node, name, &view);
    }
}

static void write_leases(struct buffer *out, const struct node *node)
{
    for (size_t i = 0; i < sizeof voting_metrics / sizeof *voting_metrics; i++)
        write_voting(out, node, &voting_metrics[i]);
    gauge(out, "hordelet_lease_grants", "Children that this agent, as a voter, has granted.",
          query_grants(node));
}

/* --- The program around it -------------------------------------------------------------------- */

static void write_gossip(struct buffer *out, const struct vitals *vitals)
{
    counter(out, "hordelet_gossip_sent_messages_total", "Messages handed to the transport.",
            vitals->gossip_sent);
    counter(out, "hordelet_gossip_sent_bytes_total", "Their bytes.", vitals->gossip_sent_bytes);
    counter(out, "hordelet_gossip_received_messages_total", "Messages from peers.",
            vitals->gossip_received);
    counter(out, "hordelet_gossip_received_bytes_total", "Their bytes.",
            vitals->gossip_received_bytes);
    counter(out, "hordelet_gossip_dropped_messages_total",
            "Messages given up: queue full, too old, or no connection in time.",
            vitals->gossip_dropped);
    counter(out, "hordelet_gossip_broken_connections_total", "Connections that broke.",
            vitals->gossip_broken);
    gauge(out, "hordelet_gossip_connections", "Connections to peers, made by this agent.",
          vitals->gossip_links);
    counter(out, "hordelet_gossip_refused_messages_total",
            "Messages that were not sealed, or with another key, or said again.",
            vitals->gossip_refused);
    family(out, "hordelet_gossip_key", "gauge",
           "Keys that are accepted, by id; use=\"seal\" is of the one that seals.");
    for (size_t i = 0; i < vitals->gossip_key_count; i++)
        print(out, "hordelet_gossip_key{id=\"%08" PRIx32 "\",use=\"%s\"} 1\n",
              vitals->gossip_keys[i], i == 0 ? "seal" : "open");
}

static void write_discovery(struct buffer *out, const struct vitals *vitals)
{
    if (vitals->discovery_count == 0)
        return;
    family(out, "hordelet_discovery_addresses", "gauge",
           "Addresses where agents may be, as discovery last heard.");
    for (size_t i = 0; i < vitals->discovery_count; i++)
        print(out, "hordelet_discovery_addresses{source=\"%s\"} %" PRIu64 "\n",
              vitals->discovery[i].source, vitals->discovery[i].addresses);
    family(out, "hordelet_discovery_answers_total", "counter",
           "Answers of discovery: of DNS, a name each; of Kubernetes, a list or a change.");
    for (size_t i = 0; i < vitals->discovery_count; i++) {
        const struct vitals_discovery *source = &vitals->discovery[i];
        print(out,
              "hordelet_discovery_answers_total{source=\"%s\",result=\"ok\"} %" PRIu64
              "\n"
              "hordelet_discovery_answers_total{source=\"%s\",result=\"failed\"} %" PRIu64 "\n",
              source->source, source->answered, source->source, source->failed);
    }
}

static void write_log(struct buffer *out, const struct vitals *vitals)
{
    counter(out, "hordelet_log_records_total", "Records written to the log.", vitals->log_records);
    counter(out, "hordelet_log_bytes_total", "Bytes written to the log.", vitals->log_bytes);
    counter(out, "hordelet_log_syncs_total", "Batches made durable, one sync each.",
            vitals->log_batches);
    counter(out, "hordelet_log_failures_total", "Writes and syncs that failed.",
            vitals->log_failures);
    counter(out, "hordelet_snapshots_total", "Snapshots written.", vitals->snapshots);
    gauge(out, "hordelet_log_room_bytes", "Room reserved for the log on the disk.",
          vitals->log_room_bytes);
}

static void write_api(struct buffer *out, const struct vitals *vitals)
{
    static const char *const reasons[API_REFUSED_COUNT] = {
        [API_REFUSED_STRANGER] = "no_credential",
        [API_REFUSED_TOKEN] = "token",
        [API_REFUSED_CERTIFICATE] = "certificate",
        [API_REFUSED_ROLE] = "role",
        [API_REFUSED_CHILD] = "child",
        [API_REFUSED_HANDSHAKE] = "handshake",
        [API_REFUSED_CROWD] = "crowd",
        [API_REFUSED_BUSY] = "busy",
    };
    gauge(out, "hordelet_api_connections", "Open connections of API clients.",
          vitals->api_connections);
    gauge(out, "hordelet_api_strangers", "Those of clients who have not said who they are.",
          vitals->api_strangers);
    family(out, "hordelet_api_refused_total", "counter",
           "Requests and connections that were turned away, by what was wrong.");
    for (int i = 0; i < API_REFUSED_COUNT; i++)
        print(out, "hordelet_api_refused_total{reason=\"%s\"} %" PRIu64 "\n", reasons[i],
              vitals->api_refused[i]);
    if (vitals->api_certificate_until_s)
        gauge(out, "hordelet_api_certificate_expiry_seconds",
              "When the API's certificate ends, since 1970.", vitals->api_certificate_until_s);
}

static void write_process(struct buffer *out, const struct vitals *vitals)
{
    counter(out, "hordelet_loop_turns_total", "Turns of the agent's loop.", vitals->loop_turns);
    counter(out, "hordelet_node_steps_total", "Events stepped through the node.",
            vitals->loop_steps);
    gauge(out, "hordelet_loop_late_max_milliseconds", "The latest tick behind its deadline.",
          vitals->loop_late_max_ms);
    counter(out, "hordelet_loop_thaws_total",
            "Ticks so late that the agent, not its peers, was away.", vitals->loop_thaws);
    family(out, "process_cpu_seconds_total", "counter", "User and system CPU time.");
    print(out, "process_cpu_seconds_total %.2f\n", vitals->cpu_s);
    gauge(out, "process_resident_memory_bytes", "Resident memory.", vitals->resident_bytes);
    gauge(out, "process_open_fds", "Open descriptors.", vitals->open_descriptors);
    gauge(out, "process_max_fds", "Descriptors that may be open.", vitals->descriptors_max);
    gauge(out, "process_start_time_seconds", "When the process started, since 1970.",
          vitals->start_time_s);
}

void metrics_write(struct buffer *out, const struct node *node, const struct vitals *vitals)
{
    family(out, "hordelet_build_info", "gauge", "Always 1; the labels say what runs.");
    print(out, "hordelet_build_info{version=\"%s\"} 1\n", HORDELET_VERSION);
    write_supervised(out, node);
    write_children(out, node);
    write_members(out, node);
    write_counts(out, node);
    write_events(out, node);
    write_leases(out, node);
    if (!vitals)
        return;
    write_gossip(out, vitals);
    write_discovery(out, vitals);
    write_log(out, vitals);
    write_api(out, vitals);
    write_process(out, vitals);
}
