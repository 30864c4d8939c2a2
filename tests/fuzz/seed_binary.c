/* Writes the first inputs of the binary targets, made by the real encoders: seed_binary CORPUS.
 * Needed again only when a format changes; seed.py makes those of text. */
#include <errno.h>
#include <sys/stat.h>

#include "agent/core/electorate_private.h"
#include "agent/core/envelope.h"
#include "agent/core/journal.h"
#include "agent/core/lease.h"
#include "agent/core/record.h"
#include "agent/io/disk_format.h"
#include "crdt/exchange.h"
#include "tests/fuzz/fuzz_node.h"

static const char *corpus;

static void save(const char *target, const char *name, const struct buffer *input)
{
    char path[4096];
    snprintf(path, sizeof path, "%s/%s", corpus, target);
    fuzz_require(mkdir(path, 0755) == 0 || errno == EEXIST, "the corpus can be written");
    snprintf(path, sizeof path, "%s/%s/%s", corpus, target, name);
    FILE *file = fopen(path, "wb");
    fuzz_require(
        file && fwrite(input->data, 1, input->bytes, file) == input->bytes && fclose(file) == 0,
        "the corpus can be written");
}

static void put_part(struct buffer *out, struct span part)
{
    uint8_t frame[2] = {(uint8_t)part.bytes, (uint8_t)(part.bytes >> 8)};
    buffer_append(out, frame, 2);
    buffer_append(out, part.data, part.bytes);
}

/* --- Bodies of the map ------------------------------------------------------------------------ */

/* What a writer has left that will not write any more. */
static void take_past_writer(struct awmap *map, uint64_t writer)
{
    struct awmap *past = awmap_new();
    struct buffer body = {0};
    struct awmap_push_result result;
    awmap_set_writer(past, writer, 0);
    awmap_put(past, span_text("past"), span_text("value"), 4000);
    awmap_push_cut(past, 0, 65536, &body);
    fuzz_require(awmap_push_apply(map, buffer_view(&body), &result), "a push is taken");
    awmap_retire(map, writer);
    buffer_release(&body);
    awmap_free(past);
}

static struct awmap *writer_map(void)
{
    struct awmap *map = awmap_new();
    awmap_set_writer(map, 9, 0);
    take_past_writer(map, 8);
    take_past_writer(map, 10);
    for (uint8_t i = 0; i < 5; i++) {
        uint8_t key[2] = {'k', i};
        awmap_put(map, span_of(key, 2), span_of(key, 2), 5000 + i);
    }
    uint8_t gone[2] = {'k', 1};
    awmap_remove(map, span_of(gone, 2));
    return map;
}

static void save_body(const char *name, uint8_t kind, const struct buffer *body)
{
    struct buffer input = {0};
    buffer_u8(&input, kind);
    buffer_append(&input, body->data, body->bytes);
    save("delta", name, &input);
    buffer_release(&input);
}

static void seed_delta(void)
{
    struct awmap *map = writer_map(), *empty = awmap_new(), *writer = awmap_new();
    struct buffer body = {0}, position = {0};
    struct awmap_walk walk = {0};
    struct awmap_full full = {0};
    struct awmap_push_result result;
    bool behind;
    awmap_push_cut(map, 0, 65536, &body);
    save_body("push", 0, &body);
    fuzz_require(awmap_push_apply(writer, buffer_view(&body), &result), "a push is taken");
    awmap_position_encode(empty, NULL, &position);
    save_body("position", 4, &position);
    buffer_clear(&body);
    fuzz_require(awmap_walk_begin(&walk, writer, buffer_view(&position), &behind) && !behind,
                 "a walk begins");
    awmap_walk_cut(&walk, writer, 65536, &body);
    save_body("walk", 1, &body);
    buffer_clear(&body);
    awmap_full_begin(&full, map, ~0u);
    awmap_full_cut(&full, map, 65536, &body);
    save_body("full", 2, &body);
    buffer_clear(&body);
    awmap_entry_record(awmap_next_any(map, NULL), &body);
    save_body("entry", 3, &body);
    buffer_clear(&body);
    awmap_vectors_record(map, &body);
    save_body("vectors", 3, &body);
    awmap_walk_release(&walk);
    awmap_full_release(&full);
    buffer_release(&body);
    buffer_release(&position);
    awmap_free(map);
    awmap_free(empty);
    awmap_free(writer);
}

/* --- Messages and records of nodes ------------------------------------------------------------ */

/* A peer named b that meets a: what it sends, message by message. */
enum { MESSAGES_MAX = 48, TURNS = 60 };

struct talk {
    struct node *nodes[2];
    uint64_t now_ms;
    struct buffer sent[2][MESSAGES_MAX]; /* by whom; those on their way */
    size_t sent_count[2];
    struct buffer conversation; /* what b said, as an input */
    struct buffer records;      /* what a logged, as an input */
    size_t said;
};

static void talk_step(struct talk *talk, size_t who, struct event *event)
{
    struct effects effects = {0};
    uint64_t logged = 0;
    event->now = (struct instant){talk->now_ms, 1700000000000 + talk->now_ms};
    node_step(talk->nodes[who], event, &effects);
    for (size_t i = 0; i < effects.count; i++) {
        const struct effect *effect = &effects.items[i];
        if (effect->type == EFFECT_LOG) {
            logged = effect->log.sequence;
            if (who == 0 && talk->records.bytes < 4096)
                put_part(&talk->records, effect->log.record);
        } else if (effect->type == EFFECT_SEND && talk->sent_count[who] < MESSAGES_MAX &&
                   effect->send.bytes.bytes < 4096) {
            struct buffer *message = &talk->sent[who][talk->sent_count[who]++];
            buffer_append(message, effect->send.bytes.data, effect->send.bytes.bytes);
        }
    }
    effects_release(&effects);
    if (logged == 0)
        return;
    struct event synced = {.type = EVENT_LOG_SYNCED, .log_synced.sequence = logged};
    talk_step(talk, who, &synced);
}

static void save_message(struct talk *talk, const struct buffer *message)
{
    struct buffer alone = {0};
    char name[64];
    put_part(&alone, buffer_view(message));
    snprintf(name, sizeof name, "message-%02zu", talk->said++);
    if (talk->said <= 24)
        save("gossip", name, &alone);
    if (talk->conversation.bytes < 8192)
        put_part(&talk->conversation, buffer_view(message));
    buffer_release(&alone);
}

static void talk_deliver(struct talk *talk, size_t from)
{
    static const char *const addresses[] = {"a:1", "b:1"};
    size_t count = talk->sent_count[from];
    struct buffer messages[MESSAGES_MAX];
    memcpy(messages, talk->sent[from], sizeof messages);
    memset(talk->sent[from], 0, sizeof talk->sent[from]);
    talk->sent_count[from] = 0;
    for (size_t i = 0; i < count; i++) {
        struct event event = {.type = EVENT_MESSAGE};
        event.message.bytes = buffer_view(&messages[i]);
        event.message.from = addresses[from];
        if (from == 1)
            save_message(talk, &messages[i]);
        talk_step(talk, 1 - from, &event);
        buffer_release(&messages[i]);
    }
}

static void talk_begin(struct talk *talk)
{
    static const char *const seeds[][1] = {{"b:1"}, {"a:1"}};
    static const char *const names[] = {"a", "b"}, *const gossip[] = {"a:1", "b:1"};
    for (size_t i = 0; i < 2; i++) {
        struct node_config config = {.cluster = "test",
                                     .node_name = names[i],
                                     .gossip_address = gossip[i],
                                     .api_address = gossip[i],
                                     .advertise_host = names[i],
                                     .version = "0",
                                     .seeds = seeds[i],
                                     .seed_count = 1,
                                     .start_grace_ms = 30000,
                                     .drain_timeout_ms = 1000,
                                     .engine_grace_ms = 60000,
                                     .forget_after_ms = 3600000,
                                     .random_seed = i + 1,
                                     .fresh_replica = 17 + i};
        talk->nodes[i] = node_new(&config);
        struct event start = {.type = EVENT_START};
        struct event room = {.type = EVENT_DISK_STATE, .disk.room_bytes = 1 << 30};
        talk_step(talk, i, &start);
        talk_step(talk, i, &room);
    }
}

static void seed_gossip(void)
{
    static struct talk talk = {.now_ms = 1000};
    talk_begin(&talk);
    for (int turn = 0; turn < TURNS; turn++) {
        talk.now_ms += 100;
        for (size_t i = 0; i < 2; i++) {
            struct event tick = {.type = EVENT_TICK};
            talk_step(&talk, i, &tick);
            talk_deliver(&talk, i);
        }
    }
    save("gossip", "conversation", &talk.conversation);
    struct buffer input = {0};
    buffer_u8(&input, 3);
    buffer_append(&input, talk.records.data, talk.records.bytes);
    save("disk", "records", &input);
    buffer_clear(&input);
    buffer_u8(&input, 2);
    buffer_append(&input, talk.records.data, talk.records.bytes);
    save("disk", "framed", &input);
    buffer_release(&input);
    for (size_t i = 0; i < 2; i++)
        node_free(talk.nodes[i]);
}

static void put_message(struct buffer *out, enum message_type type, const struct buffer *body)
{
    struct envelope envelope = {
        .type = type, .cluster = envelope_cluster("test"), .from = "b", .body = buffer_view(body)};
    struct buffer message = {0};
    envelope_encode(&envelope, &message);
    put_part(out, buffer_view(&message));
    buffer_release(&message);
}

/* Asked for its events the node answers; a journal by itself is read, too. */
static void seed_journal(void)
{
    struct buffer input = {0}, body = {0};
    struct journal journal = {0};
    struct instant now = {.mono_ms = 1, .wall_ms = 1700000000000};
    struct journal_entry entry = {.ns = span_text("default"),
                                  .name = span_text("web-0"),
                                  .reason = span_text("Started"),
                                  .message = span_text("container 0")};
    buffer_varint(&body, 5);
    buffer_varint(&body, 4096);
    put_message(&input, MESSAGE_EVENTS_ASK, &body);
    journal_note(&journal, &now, &entry);
    buffer_clear(&body);
    journal_encode(&journal, 1, SIZE_MAX, &body);
    put_message(&input, MESSAGE_EVENTS, &body);
    save("gossip", "events", &input);
    save("gossip", "journal", &body);
    journal_release(&journal);
    buffer_release(&input);
    buffer_release(&body);
}

static void seed_disk(void)
{
    struct buffer input = {0}, records = {0};
    buffer_u8(&input, 0);
    disk_format_segment(&input, 1);
    disk_format_record(&input, 1, 1, span_text("one"));
    disk_format_record(&input, 1, 2, span_text("two"));
    save("disk", "segment", &input);
    buffer_clear(&input);
    buffer_u8(&input, 1);
    buffer_span(&records, span_text("one"));
    disk_format_snapshot(&input, &(struct disk_snapshot_header){7, 2}, buffer_view(&records));
    save("disk", "snapshot", &input);
    buffer_release(&input);
    buffer_release(&records);
}

/* --- Leases ----------------------------------------------------------------------------------- */

static void save_choice(const char *target, const char *name, uint8_t choice,
                        const struct buffer *body)
{
    struct buffer input = {0};
    buffer_u8(&input, choice);
    buffer_append(&input, body->data, body->bytes);
    save(target, name, &input);
    buffer_release(&input);
}

/* A part for an acceptor or a holder: what comes before the message is its delay, and so on. */
static void put_led_part(struct buffer *out, const uint8_t *lead, size_t lead_bytes,
                         const struct buffer *message)
{
    struct buffer part = {0};
    buffer_append(&part, lead, lead_bytes);
    buffer_append(&part, message->data, message->bytes);
    put_part(out, buffer_view(&part));
    buffer_release(&part);
}

static struct lease_ask seed_ask(struct lease_item *items, uint64_t number)
{
    return (struct lease_ask){.supervisor = "voters",
                              .term = {0, 1, 7},
                              .replica = 2,
                              .boot = 1,
                              .session = 3,
                              .number = number,
                              .adds = items,
                              .add_count = 2};
}

static void seed_lease_asks(void)
{
    struct lease_item items[] = {{{.ns = "default", .workload = "web"}, 1, false},
                                 {{.ns = "default", .workload = "web", .ordinal = 1}, 2, true}};
    struct buffer body = {0}, parts = {0};
    struct lease_ask ask = seed_ask(items, 1);
    lease_ask_encode(&ask, &body);
    save_choice("lease", "ask", 0, &body);
    put_part(&parts, span_text(""));
    for (uint8_t number = 1; number <= 4; number++) {
        ask = seed_ask(items, number);
        ask.drops = number == 3 ? items : NULL;
        ask.drop_count = number == 3 ? 2 : 0;
        ask.generation = number == 2 ? 2 : 0;
        ask.acceptor_session = 1;
        items[0].epoch = number;
        buffer_clear(&body);
        lease_ask_encode(&ask, &body);
        put_led_part(&parts, (const uint8_t[]){61}, 1, &body); /* it has rested by then */
    }
    save_choice("lease", "acceptor", 4, &parts);
    buffer_release(&body);
    buffer_release(&parts);
}

static void seed_lease_grants(void)
{
    struct lease_refusal refusal = {.child = {.ns = "default", .workload = "web"},
                                    .asked_epoch = 1,
                                    .reason = LEASE_HELD,
                                    .epoch = 1,
                                    .wait_ms = 500};
    struct lease_grant grant = {.supervisor = "voters",
                                .term = {0, 1, 7},
                                .session = 9,
                                .holder_session = 3,
                                .verdict = LEASE_EXTENDED,
                                .generation = 2};
    struct buffer body = {0}, parts = {0};
    for (uint8_t i = 0; i < 3; i++) {
        grant.replica = grant.number = i + 1;
        grant.refusals = &refusal;
        grant.refusal_count = i == 0;
        buffer_clear(&body);
        lease_grant_encode(&grant, &body);
        put_led_part(&parts, (const uint8_t[]){1, i}, 2, &body);
        if (i == 0)
            save_choice("lease", "grant", 1, &body);
    }
    save_choice("lease", "holder", 5, &parts);
    buffer_release(&body);
    buffer_release(&parts);
}

static void seed_electorate(void)
{
    static struct step_message step = {.kind = STEP_ACCEPT,
                                       .supervisor = "voters",
                                       .replica = 1,
                                       .version = 2,
                                       .ballot = {1, 1},
                                       .has_record = true};
    struct buffer body = {0};
    struct electorate_record *record = &step.record;
    *record = (struct electorate_record){.term = {0, 2, 7}, .generation = 3, .old_count = 1};
    record->now = (struct electorate){
        .members = {{"a", 1}, {"b", 2}, {"c", 3}}, .count = 3, .lease_seconds = 5};
    record->olds[0] = (struct electorate){.members = {{"a", 1}}, .count = 1, .lease_seconds = 60};
    electorate_record_encode(record, &body);
    save_choice("lease", "electorate", 2, &body);
    buffer_clear(&body);
    step_encode(&step, &body);
    save_choice("lease", "step", 3, &body);
    buffer_release(&body);
}

static void seed_claim(void)
{
    struct claim claim = {
        .epoch = 3, .node = "a", .replica = 1, .uid = "uid-1", .state = CLAIM_CLAIMED};
    struct offer offer = {.start_first = true, .node = "b", .replica = 2, .epoch = 4};
    struct buffer body = {0};
    claim_encode(&claim, &body);
    save("claim", "plain", &body);
    buffer_clear(&body);
    claim.offer = &offer;
    claim_encode(&claim, &body);
    save("claim", "offer", &body);
    buffer_release(&body);
}

/* --- Logs ------------------------------------------------------------------------------------- */

/* As output_sink_message and output_source_message read them. */
static void seed_logs(void)
{
    enum { READER = 7, OUTPUT = 0, ASK = 1, TAKEN = 2 };
    struct buffer input = {0}, body = {0};
    for (uint8_t i = 0; i < 3; i++) {
        buffer_clear(&body);
        buffer_varint(&body, READER);
        buffer_varint(&body, (uint64_t)i * 4);
        buffer_u8(&body, i == 2);
        buffer_varint(&body, i == 2 ? 503 : 0);
        buffer_text(&body, i == 2 ? "it is gone" : "");
        buffer_append(&body, "line", 4);
        put_led_part(&input, (const uint8_t[]){OUTPUT}, 1, &body);
    }
    save("logs", "pieces", &input);
    buffer_clear(&input);
    buffer_clear(&body);
    buffer_text(&body, "b");
    buffer_varint(&body, 1);
    buffer_varint(&body, 2);
    buffer_text(&body, "default");
    buffer_text(&body, "web");
    buffer_varint(&body, 0);
    buffer_u8(&body, 3);
    buffer_varint(&body, 10);
    buffer_varint(&body, 60);
    put_led_part(&input, (const uint8_t[]){ASK}, 1, &body);
    buffer_clear(&body);
    for (int i = 0; i < 3; i++)
        buffer_varint(&body, 1);
    buffer_u8(&body, 1);
    put_led_part(&input, (const uint8_t[]){TAKEN}, 1, &body);
    save("logs", "questions", &input);
    buffer_release(&input);
    buffer_release(&body);
}

int main(int argc, char **argv)
{
    if (argc != 2) {
        fprintf(stderr, "usage: seed_binary CORPUS\n");
        return 2;
    }
    corpus = argv[1];
    seed_delta();
    seed_gossip();
    seed_journal();
    seed_disk();
    seed_lease_asks();
    seed_lease_grants();
    seed_electorate();
    seed_claim();
    seed_logs();
    return 0;
}
