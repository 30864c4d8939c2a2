/* Documents as bytes: what goes in comes out, and what is not ours is refused without harm. */
#include "agent/core/document.h"

#include <string.h>

#include "unit.h"

static char long_text[4096];

static const char *text_of(char fill, size_t bytes)
{
    memset(long_text, fill, bytes);
    long_text[bytes] = 0;
    return long_text;
}

static struct workload example_workload(void)
{
    struct workload workload = {
        .ns = "default",
        .name = "billing",
        .uid = "0189d5d1-7a5c-4a0e-9a53-6f2c9e0b1a11",
        .generation = 7,
        .created_ms = 1700000000123,
        .supervisor = "quorum",
        .replicas = REPLICAS_MAX,
        .restart = RESTART_TRANSIENT,
        .shutdown_ms = SHUTDOWN_INFINITY,
        .priority = INT32_MIN,
        .on_name_conflict = NAME_CONFLICT_STOP,
        .update = UPDATE_RECREATE,
        .max_unavailable = UINT32_MAX,
        .min_ready_seconds = 3,
        .progress_deadline_seconds = 600,
        .ttl_seconds_after_finished = -1,
        .host_network = true,
        .pull = PULL_NEVER,
        .image = xstrdup("docker.io/library/busybox:1.36"),
        .spec_hash = 0x0123456789abcdef,
        .names = xcalloc(2, sizeof(struct workload_name)),
        .name_count = 2,
        .ports = xcalloc(1, sizeof(struct workload_port)),
        .port_count = 1,
        .node_selector = xcalloc(1, sizeof(struct label)),
        .node_selector_count = 1,
        .document = xstrdup("{\"kind\":\"Workload\"}"),
        .document_bytes = strlen("{\"kind\":\"Workload\"}"),
    };
    TEXT_SET(workload.names[0].name, "billing");
    TEXT_SET(workload.names[0].port, "http");
    workload.names[0].value = xstrdup("{\"tier\":\"gold\"}");
    TEXT_SET(workload.names[1].name, "bills");
    TEXT_SET(workload.ports[0].name, "http");
    workload.ports[0].container_port = 80;
    workload.ports[0].host_port = UINT16_MAX;
    workload.ports[0].udp = true;
    workload.node_selector[0].key = xstrdup("disk");
    workload.node_selector[0].value = xstrdup("");
    return workload;
}

static struct supervisor example_supervisor(void)
{
    struct supervisor supervisor = {0};
    supervisor_set_defaults(&supervisor, "quorum");
    supervisor.members_auto = false;
    supervisor.member_count = 2;
    supervisor.members = xcalloc(2, sizeof *supervisor.members);
    TEXT_SET(supervisor.members[0], "a");
    TEXT_SET(supervisor.members[1], text_of('b', NAME_BYTES_MAX));
    supervisor.redistribution = REDISTRIBUTION_ACTIVE;
    supervisor.order = MOVE_START_FIRST;
    supervisor.on_intensity = INTENSITY_ESCALATE;
    supervisor.max_children = 110;
    supervisor.document = xstrdup("{}");
    supervisor.document_bytes = 2;
    return supervisor;
}

static bool text_equal(const char *a, const char *b)
{
    return a == b || (a && b && strcmp(a, b) == 0);
}

static void a_workload_survives_the_round_trip(void)
{
    struct workload in = example_workload(), out = {0};
    struct buffer bytes = {0}, again = {0};
    workload_encode(&in, &bytes);
    CU_ASSERT_TRUE_FATAL(workload_decode(&out, buffer_view(&bytes)));
    CU_ASSERT_STRING_EQUAL(out.ns, in.ns);
    CU_ASSERT_STRING_EQUAL(out.name, in.name);
    CU_ASSERT_STRING_EQUAL(out.uid, in.uid);
    CU_ASSERT_STRING_EQUAL(out.supervisor, in.supervisor);
    CU_ASSERT_EQUAL(out.generation, in.generation);
    CU_ASSERT_EQUAL(out.created_ms, in.created_ms);
    CU_ASSERT_EQUAL(out.replicas, in.replicas);
    CU_ASSERT_EQUAL(out.restart, in.restart);
    CU_ASSERT_EQUAL(out.shutdown_ms, SHUTDOWN_INFINITY);
    CU_ASSERT_EQUAL(out.priority, INT32_MIN);
    CU_ASSERT_EQUAL(out.on_name_conflict, in.on_name_conflict);
    CU_ASSERT_EQUAL(out.update, in.update);
    CU_ASSERT_EQUAL(out.max_unavailable, UINT32_MAX);
    CU_ASSERT_EQUAL(out.min_ready_seconds, 3);
    CU_ASSERT_EQUAL(out.progress_deadline_seconds, 600);
    CU_ASSERT_EQUAL(out.ttl_seconds_after_finished, -1);
    CU_ASSERT_TRUE(out.host_network);
    CU_ASSERT_EQUAL(out.pull, PULL_NEVER);
    CU_ASSERT_STRING_EQUAL(out.image, in.image);
    CU_ASSERT_EQUAL(out.spec_hash, in.spec_hash);
    CU_ASSERT_EQUAL_FATAL(out.name_count, 2);
    CU_ASSERT_STRING_EQUAL(out.names[0].port, "http");
    CU_ASSERT_STRING_EQUAL(out.names[0].value, in.names[0].value);
    CU_ASSERT_STRING_EQUAL(out.names[1].name, "bills");
    CU_ASSERT_PTR_NULL(out.names[1].value);
    CU_ASSERT_EQUAL_FATAL(out.port_count, 1);
    CU_ASSERT_EQUAL(out.ports[0].host_port, UINT16_MAX);
    CU_ASSERT_TRUE(out.ports[0].udp);
    CU_ASSERT_EQUAL_FATAL(out.node_selector_count, 1);
    CU_ASSERT_STRING_EQUAL(out.node_selector[0].key, "disk");
    CU_ASSERT_STRING_EQUAL(out.node_selector[0].value, "");
    CU_ASSERT_TRUE(text_equal(out.document, in.document));
    CU_ASSERT_EQUAL(out.document_bytes, in.document_bytes);
    workload_encode(&out, &again);
    CU_ASSERT_TRUE(span_equal(buffer_view(&bytes), buffer_view(&again)));
    workload_release(&in);
    workload_release(&out);
    buffer_release(&bytes);
    buffer_release(&again);
}

static void a_workload_of_an_image_alone_survives_the_round_trip(void)
{
    char image[] = "busybox";
    struct workload in = {.image = image}, out = example_workload();
    struct buffer bytes = {0};
    workload_encode(&in, &bytes);
    CU_ASSERT_TRUE(workload_decode(&out, buffer_view(&bytes)));
    CU_ASSERT_PTR_NULL(out.names);
    CU_ASSERT_STRING_EQUAL(out.image, image);
    CU_ASSERT_PTR_NULL(out.document);
    CU_ASSERT_EQUAL(out.document_bytes, 0);
    workload_release(&out);
    buffer_clear(&bytes);
    in.image = NULL; /* nothing could ever be started */
    workload_encode(&in, &bytes);
    CU_ASSERT_FALSE(workload_decode(&out, buffer_view(&bytes)));
    buffer_release(&bytes);
}

static void a_supervisor_survives_the_round_trip(void)
{
    struct supervisor in = example_supervisor(), out = {0};
    struct buffer bytes = {0}, again = {0};
    supervisor_encode(&in, &bytes);
    CU_ASSERT_TRUE_FATAL(supervisor_decode(&out, buffer_view(&bytes)));
    CU_ASSERT_STRING_EQUAL(out.name, "quorum");
    CU_ASSERT_STRING_EQUAL(out.strategy, "UniformQuorum");
    CU_ASSERT_FALSE(out.members_auto);
    CU_ASSERT_EQUAL_FATAL(out.member_count, 2);
    CU_ASSERT_STRING_EQUAL(out.members[0], "a");
    CU_ASSERT_EQUAL(strlen(out.members[1]), NAME_BYTES_MAX);
    CU_ASSERT_EQUAL(out.lease_seconds, 5);
    CU_ASSERT_EQUAL(out.redistribution, REDISTRIBUTION_ACTIVE);
    CU_ASSERT_EQUAL(out.max_concurrent_moves, 1);
    CU_ASSERT_EQUAL(out.settle_seconds, 30);
    CU_ASSERT_EQUAL(out.order, MOVE_START_FIRST);
    CU_ASSERT_EQUAL(out.max_restarts, 3);
    CU_ASSERT_EQUAL(out.max_seconds, 5);
    CU_ASSERT_EQUAL(out.on_intensity, INTENSITY_ESCALATE);
    CU_ASSERT_EQUAL(out.max_children, 110);
    CU_ASSERT_EQUAL(out.proxy_message_ttl, 8);
    CU_ASSERT_TRUE(text_equal(out.document, "{}"));
    supervisor_encode(&out, &again);
    CU_ASSERT_TRUE(span_equal(buffer_view(&bytes), buffer_view(&again)));
    supervisor_release(&in);
    supervisor_release(&out);
    buffer_release(&bytes);
    buffer_release(&again);
}

static void supervisors_that_nobody_wrote_have_defaults(void)
{
    struct supervisor supervisor = {0};
    supervisor_set_defaults(&supervisor, SUPERVISOR_DEFAULT);
    CU_ASSERT_STRING_EQUAL(supervisor.strategy, "Uniform");
    CU_ASSERT_TRUE(supervisor.members_auto);
    TEXT_SET(supervisor.name, SUPERVISOR_QUORUM);
    supervisor_set_defaults(&supervisor, supervisor.name);
    CU_ASSERT_STRING_EQUAL(supervisor.name, SUPERVISOR_QUORUM);
    CU_ASSERT_STRING_EQUAL(supervisor.strategy, "UniformQuorum");
    CU_ASSERT_PTR_NULL(supervisor.document);
    supervisor_release(&supervisor);
}

/* Decodes as both kinds; what decodes must encode to the same meaning again, and nothing may leak.
 */
static void try_both(const uint8_t *data, size_t bytes)
{
    uint8_t *exact = malloc(bytes ? bytes : 1); /* so that a sanitizer sees the end */
    memcpy(exact, data, bytes);
    struct workload workload = {0};
    struct supervisor supervisor = {0};
    struct buffer again = {0};
    if (workload_decode(&workload, span_of(exact, bytes)))
        workload_encode(&workload, &again);
    else
        CU_ASSERT_TRUE(!workload.image && !workload.names && !workload.document);
    if (supervisor_decode(&supervisor, span_of(exact, bytes)))
        supervisor_encode(&supervisor, &again);
    else
        CU_ASSERT_TRUE(!supervisor.members && !supervisor.document);
    workload_release(&workload);
    supervisor_release(&supervisor);
    buffer_release(&again);
    free(exact);
}

static void damage(const struct buffer *good)
{
    for (size_t bytes = 0; bytes < good->bytes; bytes++)
        try_both(good->data, bytes);
    uint8_t *copy = xmemdup(good->data, good->bytes);
    for (size_t at = 0; at < good->bytes; at++) {
        for (unsigned bit = 0; bit < 8; bit++) {
            copy[at] ^= (uint8_t)(1u << bit);
            try_both(copy, good->bytes);
            copy[at] ^= (uint8_t)(1u << bit);
        }
        copy[at] = 0xff;
        try_both(copy, good->bytes);
        copy[at] = good->data[at];
    }
    free(copy);
}

static void damaged_bytes_do_no_harm(void)
{
    struct workload workload = example_workload();
    struct supervisor supervisor = example_supervisor();
    struct buffer bytes = {0};
    workload_encode(&workload, &bytes);
    damage(&bytes);
    buffer_clear(&bytes);
    supervisor_encode(&supervisor, &bytes);
    damage(&bytes);
    workload_release(&workload);
    supervisor_release(&supervisor);
    buffer_release(&bytes);
}

static void truncated_and_overlong_values_are_refused(void)
{
    struct workload workload = example_workload(), out = {0};
    struct buffer bytes = {0};
    workload_encode(&workload, &bytes);
    for (size_t length = 0; length < bytes.bytes; length++)
        CU_ASSERT_FALSE(workload_decode(&out, span_of(bytes.data, length)));
    buffer_u8(&bytes, 0);
    CU_ASSERT_FALSE(workload_decode(&out, buffer_view(&bytes)));
    bytes.bytes--;
    bytes.data[0] = 99;
    CU_ASSERT_FALSE(workload_decode(&out, buffer_view(&bytes)));
    workload_release(&workload);
    buffer_release(&bytes);
}

/* One field beyond its bound makes the whole value garbage. */
static bool decodes(const struct workload *workload)
{
    struct buffer bytes = {0};
    struct workload out = {0};
    workload_encode(workload, &bytes);
    bool ok = workload_decode(&out, buffer_view(&bytes));
    workload_release(&out);
    buffer_release(&bytes);
    return ok;
}

/* Without probes the bytes are as they were before there were any, so that older agents read them;
 * with some they carry a version of their own. */
static void probes_have_a_version_of_their_own(void)
{
    struct workload in = example_workload(), out = {0};
    struct buffer plain = {0}, probed = {0};
    workload_encode(&in, &plain);
    in.probes[PROBE_LIVENESS] = (struct probe){5, 10, 1, 1, 3};
    workload_encode(&in, &probed);
    CU_ASSERT_EQUAL(plain.data[0], 1);
    CU_ASSERT_EQUAL(probed.data[0], 2);
    CU_ASSERT_TRUE_FATAL(workload_decode(&out, buffer_view(&probed)));
    CU_ASSERT_EQUAL(out.probes[PROBE_READINESS].period_seconds, 0);
    CU_ASSERT_EQUAL(
        memcmp(&out.probes[PROBE_LIVENESS], &in.probes[PROBE_LIVENESS], sizeof(struct probe)), 0);
    CU_ASSERT_TRUE(text_equal(out.document, in.document));
    probed.data[0] = 1; /* a version that does not fit */
    CU_ASSERT_FALSE(workload_decode(&out, buffer_view(&probed)));
    plain.data[0] = 2;
    CU_ASSERT_FALSE(workload_decode(&out, buffer_view(&plain)));
    in.probes[PROBE_LIVENESS].failure_threshold = 0; /* it would fail before it was asked */
    CU_ASSERT_FALSE(decodes(&in));
    workload_release(&in);
    buffer_release(&plain);
    buffer_release(&probed);
}

/* The same of what it asks for; with probes or without. */
static void what_is_asked_for_has_a_version_of_its_own(void)
{
    for (int probed = 0; probed < 2; probed++) {
        struct workload in = example_workload(), out = {0};
        struct buffer bytes = {0};
        in.cpu_milli = 500;
        in.memory_bytes = UINT64_C(1) << 33;
        if (probed)
            in.probes[PROBE_READINESS] = (struct probe){5, 10, 1, 1, 3};
        workload_encode(&in, &bytes);
        CU_ASSERT_EQUAL(bytes.data[0], 3);
        CU_ASSERT_TRUE_FATAL(workload_decode(&out, buffer_view(&bytes)));
        CU_ASSERT(out.cpu_milli == 500 && out.memory_bytes == UINT64_C(1) << 33);
        CU_ASSERT_EQUAL(out.probes[PROBE_READINESS].period_seconds, probed ? 10 : 0);
        CU_ASSERT_TRUE(text_equal(out.document, in.document));
        in.cpu_milli = CPU_MILLI_MAX + 1;
        CU_ASSERT_FALSE(decodes(&in));
        workload_release(&in);
        workload_release(&out);
        buffer_release(&bytes);
    }
}

static void fields_beyond_their_bounds_are_refused(void)
{
    struct workload workload = example_workload();
    CU_ASSERT_TRUE(decodes(&workload));
    workload.replicas = REPLICAS_MAX + 1;
    CU_ASSERT_FALSE(decodes(&workload));
    workload.replicas = 0;
    CU_ASSERT_TRUE(decodes(&workload));
    workload.restart = (enum restart_policy)3;
    CU_ASSERT_FALSE(decodes(&workload));
    workload.restart = RESTART_PERMANENT;
    workload.pull = (enum pull_policy)200;
    CU_ASSERT_FALSE(decodes(&workload));
    workload.pull = PULL_ALWAYS;
    workload.ttl_seconds_after_finished = -2;
    CU_ASSERT_FALSE(decodes(&workload));
    workload.ttl_seconds_after_finished = INT64_MAX;
    CU_ASSERT_TRUE(decodes(&workload));
    free(workload.image);
    workload.image = xstrdup(text_of('i', IMAGE_BYTES_MAX + 1));
    CU_ASSERT_FALSE(decodes(&workload));
    workload.image[IMAGE_BYTES_MAX] = 0;
    CU_ASSERT_TRUE(decodes(&workload));
    workload.document[3] = 0; /* a zero byte in text */
    CU_ASSERT_FALSE(decodes(&workload));
    workload_release(&workload);
}

UNIT_MAIN("document", {"a workload survives the round trip", a_workload_survives_the_round_trip},
          {"a workload of an image alone survives the round trip",
           a_workload_of_an_image_alone_survives_the_round_trip},
          {"a supervisor survives the round trip", a_supervisor_survives_the_round_trip},
          {"supervisors that nobody wrote have defaults",
           supervisors_that_nobody_wrote_have_defaults},
          {"truncated and overlong values are refused", truncated_and_overlong_values_are_refused},
          {"probes have a version of their own", probes_have_a_version_of_their_own},
          {"what is asked for has a version of its own",
           what_is_asked_for_has_a_version_of_its_own},
          {"fields beyond their bounds are refused", fields_beyond_their_bounds_are_refused},
          {"damaged bytes do no harm", damaged_bytes_do_no_harm})
