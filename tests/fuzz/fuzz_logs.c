/* What agents tell each other of a container's output, to one that reads the log of a child of b
 * for a client. Each part of the input is a message's kind and body; it lives, and no more comes
 * out at the client than has come in. */
#include "agent/core/key.h"
#include "agent/core/node_private.h"
#include "tests/fuzz/fuzz_node.h"

enum { READER = 7 };

static void put(struct buffer *batch, struct awmap *map, const struct key *key,
                struct buffer *value)
{
    struct buffer item = {0};
    awmap_put(map, key_span(key), buffer_view(value), 1);
    awmap_entry_record(awmap_find(map, key_span(key)), &item);
    buffer_u8(batch, 'E');
    buffer_span(batch, buffer_view(&item));
    buffer_release(&item);
    buffer_release(value);
}

/* A disk with the workload web, whose only child b has claimed, and b itself. */
static void make_disk(struct buffer *ret_batch)
{
    struct awmap *map = awmap_new();
    const struct child_id id = {.ns = "default", .workload = "web"};
    char image[] = "busybox:1";
    struct workload workload = {.ns = "default",
                                .name = "web",
                                .image = image,
                                .replicas = 1,
                                .uid = "uid-1",
                                .supervisor = SUPERVISOR_DEFAULT};
    struct claim claim = {
        .epoch = 1, .node = "b", .replica = 2, .uid = "uid-1", .state = CLAIM_CLAIMED};
    struct member_record member = {
        .replica = 2, .writer = 2, .join_counter = 1, .gossip_address = "b:1"};
    const struct key keys[] = {key_workload("default", "web"), key_claim(&id), key_member("b")};
    struct buffer values[3] = {{0}}, item = {0};
    awmap_set_writer(map, 2, 0);
    workload_encode(&workload, &values[0]);
    claim_encode(&claim, &values[1]);
    member_record_encode(&member, &values[2]);
    for (size_t i = 0; i < 3; i++)
        put(ret_batch, map, &keys[i], &values[i]);
    awmap_vectors_record(map, &item);
    buffer_u8(ret_batch, 'V');
    buffer_span(ret_batch, buffer_view(&item));
    buffer_release(&item);
    awmap_free(map);
}

static void hear(struct fuzz_node *fuzz, enum message_type type, struct span body)
{
    struct envelope envelope = {
        .type = type, .cluster = envelope_cluster("test"), .from = "b", .body = body};
    struct buffer bytes = {0};
    envelope_encode(&envelope, &bytes);
    struct event event = {.type = EVENT_MESSAGE};
    event.message.bytes = buffer_view(&bytes);
    event.message.from = "b:1";
    fuzz_step(fuzz, &event);
    buffer_release(&bytes);
}

static void meet(struct fuzz_node *fuzz)
{
    struct greeting greeting = {.replica = 2, .boot = 1, .address = "b:1"};
    struct buffer body = {0};
    greeting_encode(&greeting, &body);
    hear(fuzz, MESSAGE_JOIN, buffer_view(&body));
    fuzz_tick(fuzz, 10);
    buffer_release(&body);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t bytes)
{
    static const enum message_type types[] = {MESSAGE_OUTPUT, MESSAGE_OUTPUT_ASK,
                                              MESSAGE_OUTPUT_TAKEN};
    struct span input = span_of(data, bytes), part;
    struct buffer disk = {0};
    make_disk(&disk);
    struct fuzz_node fuzz = fuzz_node_start(buffer_view(&disk), NULL, 0);
    struct request request = {
        .kind = REQUEST_OUTPUT, .id = READER, .child = {.ns = "default", .workload = "web"}};
    struct event asked = {.type = EVENT_REQUEST, .request = &request};
    meet(&fuzz);
    fuzz_step(&fuzz, &asked);
    fuzz_require(fuzz.reply.id == 0, "the log of a child elsewhere is waited for");
    while (fuzz_part(&input, &part)) {
        enum message_type type = types[fuzz_choice(&part, 3)];
        fuzz.reply = (struct reply){.id = 0};
        hear(&fuzz, type, part);
        fuzz_require(fuzz.reply.id == 0 || fuzz.reply.found.bytes <= part.bytes,
                     "what comes out has come in");
    }
    for (int i = 0; i < 2; i++)
        fuzz_tick(&fuzz, 700);
    node_check(fuzz.node);
    node_free(fuzz.node);
    buffer_release(&disk);
    return 0;
}
