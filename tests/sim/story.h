/* Small sentences for the scenes of tests/sim. */
#ifndef TESTS_SIM_STORY_H
#define TESTS_SIM_STORY_H

#include "tests/sim/sim.h"
#include "tests/unit.h"

static inline void story_begin(struct sim *sim, uint64_t seed, size_t nodes)
{
    sim_init(sim, seed, nodes);
    sim_start_all(sim);
    CU_ASSERT_FATAL(sim_until(sim, sim_all_alive, 10000));
}

static inline void story_put(struct sim *sim, size_t index, const char *name, uint32_t replicas,
                             void (*adjust)(struct workload *workload))
{
    uint64_t id = sim_put_workload(sim, index, name, replicas, adjust);
    sim_run(sim, 200);
    CU_ASSERT_FATAL(sim_reply(sim, id) && sim_reply(sim, id)->status == 200);
}

/* The same, and all of it runs. */
static inline void story_run(struct sim *sim, size_t index, const char *name, uint32_t replicas,
                             void (*adjust)(struct workload *workload))
{
    story_put(sim, index, name, replicas, adjust);
    CU_ASSERT_FATAL(sim_until(sim, sim_is_converged, 30000));
}

static inline struct child_view story_child(struct sim *sim, size_t index, const char *name,
                                            uint32_t ordinal)
{
    struct child_id id = {.ns = "default", .ordinal = ordinal};
    struct child_view view = {.epoch = 0};
    TEXT_SET(id.workload, name);
    CU_ASSERT(query_child(sim->nodes[index].node, &id, &view));
    return view;
}

static inline uint64_t story_request(struct sim *sim, size_t index, enum request_kind kind,
                                     const char *name, bool flag)
{
    struct request request = {.kind = kind, .flag = flag};
    TEXT_SET(request.name, name);
    uint64_t id = sim_request(sim, index, &request);
    sim_run(sim, 200);
    return id;
}

static inline void story_stop_child(struct sim *sim, size_t index, const char *name, bool terminate)
{
    struct request request = {.kind = REQUEST_DELETE_CHILD, .flag = terminate};
    TEXT_SET(request.child.ns, "default");
    TEXT_SET(request.child.workload, name);
    uint64_t id = sim_request(sim, index, &request);
    sim_run(sim, 200);
    CU_ASSERT(sim_reply(sim, id) && sim_reply(sim, id)->status == 200);
}

/* members: one digit each for n0 to n9, "" for auto. */
static inline void story_put_supervisor(struct sim *sim, size_t index,
                                        struct supervisor *supervisor, const char *members)
{
    static uint64_t generations; /* grows, as the API would have it */
    char document[] = "{}", names[10][NAME_BYTES_MAX + 1] = {""};
    supervisor->generation = ++generations;
    supervisor->members_auto = !members[0];
    supervisor->members = names;
    supervisor->member_count = strlen(members);
    for (size_t i = 0; i < supervisor->member_count; i++) {
        names[i][0] = 'n';
        names[i][1] = members[i];
    }
    supervisor->document = document;
    supervisor->document_bytes = 2;
    struct request request = {.kind = REQUEST_PUT_SUPERVISOR, .supervisor = supervisor};
    uint64_t id = sim_request(sim, index, &request);
    sim_run(sim, 200);
    CU_ASSERT_FATAL(sim_reply(sim, id) && sim_reply(sim, id)->status == 200);
}

static inline void story_supervisor(struct sim *sim, size_t index, const char *name,
                                    const char *strategy, const char *members,
                                    uint32_t max_children)
{
    struct supervisor supervisor = {.generation = 0};
    supervisor_set_defaults(&supervisor, name);
    TEXT_SET(supervisor.strategy, strategy);
    supervisor.max_children = max_children;
    story_put_supervisor(sim, index, &supervisor, members);
}

/* Where the workload's only running container is; its index among all. */
static inline size_t story_where(struct sim *sim, const char *name, size_t *ret_container)
{
    for (size_t i = sim->container_count; i-- > 0;)
        if (sim->containers[i].container.state == CONTAINER_RUNNING &&
            strcmp(sim->containers[i].container.child.workload, name) == 0) {
            if (ret_container)
                *ret_container = i;
            return sim->containers[i].engine;
        }
    CU_FAIL_FATAL("it does not run");
    return 0;
}

static inline void story_cut(struct sim *sim, size_t index, bool cut)
{
    for (size_t i = 0; i < sim->count; i++)
        if (i != index)
            sim_cut(sim, index, i, cut);
}

#endif
