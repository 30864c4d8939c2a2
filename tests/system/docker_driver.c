/* The docker driver against a real engine: docker_driver DIR
 *
 * Starts a private engine with script/engine in DIR, goes through the life of containers, kills,
 * hangs and restarts that engine, and stops it. Runs from the root of the repository, as root. Exit
 * 77: there is no engine to be had here. */
#include <signal.h>
#include <stdarg.h>
#include <unistd.h>

#include "agent/io/clock.h"
#include "agent/io/guard_pages.h"
#include "docker_driver.h"

static char directory[256], endpoint[300];
static struct runtime *runtime;

/* ---- the engine from outside ---- */

static int shell(const char *format, ...) __attribute__((format(printf, 1, 2)));
static int shell(const char *format, ...)
{
    char command[1024];
    va_list arguments;
    va_start(arguments, format);
    vsnprintf(command, sizeof command, format, arguments);
    va_end(arguments);
    return system(command);
}

/* The first line of what a command prints. */
static const char *said(const char *format, ...) __attribute__((format(printf, 1, 2)));
static const char *said(const char *format, ...)
{
    static char line[4096];
    char command[1024];
    va_list arguments;
    va_start(arguments, format);
    vsnprintf(command, sizeof command, format, arguments);
    va_end(arguments);
    FILE *pipe = popen(command, "r");
    line[0] = 0;
    if (fgets(line, sizeof line, pipe))
        line[strcspn(line, "\n")] = 0;
    pclose(pipe);
    return line;
}

static const char *inspected(const char *id, const char *format)
{
    return said("docker --host %s inspect -f '%s' %s 2>/dev/null", endpoint, format, id);
}

static pid_t engine_pid(void)
{
    return (pid_t)atoi(said("cat %s/dockerd.pid", directory));
}

static bool engine_start(void)
{
    return shell("script/engine start %s >/dev/null", directory) == 0;
}

static bool engine_stands(void)
{
    return !said("grep -L '^State:.T' /proc/%d/task/*/status 2>/dev/null", engine_pid())[0];
}

/* When kill returns the signal is on its way: until all threads stand it may still answer. */
static void engine_freeze(void)
{
    kill(engine_pid(), SIGSTOP);
    CHECK(WAIT_FOR(engine_stands(), SOON_MS));
}

static void engine_thaw(void)
{
    kill(engine_pid(), SIGCONT);
}

/* ---- operations ---- */

static struct runtime_operation start_of(const char *workload, const char *container)
{
    static char document[4096];
    struct runtime_operation operation = operation_of(RUNTIME_START, workload);
    snprintf(document, sizeof document, "{\"spec\":{%s}}", container);
    operation.document = document;
    return operation;
}

#define SLEEPER "\"container\":{\"image\":\"hordelet-test:1\",\"command\":[\"sleep\",\"1000\"]}"
/* Ends at SIGTERM. */
#define POLITE                                                          \
    "\"container\":{\"image\":\"hordelet-test:1\",\"command\":[\"sh\"," \
    "\"-c\",\"trap 'exit 3' TERM; while :; do sleep 0.05; done\"]}"

static const struct done *start(const char *workload, const char *container)
{
    struct runtime_operation operation = start_of(workload, container);
    return finish(runtime, &operation);
}

static const struct done *stop(const char *id, uint64_t stop_ms)
{
    struct runtime_operation operation = operation_of(RUNTIME_STOP, "any");
    TEXT_SET(operation.container_id, id);
    operation.stop_ms = stop_ms;
    return finish(runtime, &operation);
}

static const struct done *drop(const char *id)
{
    struct runtime_operation operation = operation_of(RUNTIME_REMOVE, "any");
    TEXT_SET(operation.container_id, id);
    return finish(runtime, &operation);
}

static const struct done *pull(const char *image, enum pull_policy policy)
{
    struct runtime_operation operation = operation_of(RUNTIME_PULL, "any");
    operation.image = image;
    operation.pull = policy;
    return finish(runtime, &operation);
}

static const struct container *listed(const char *id)
{
    for (size_t i = 0; i < seen.listed_count; i++)
        if (strcmp(seen.listed[i].id, id) == 0)
            return &seen.listed[i];
    return NULL;
}

/* ---- the checks ---- */

static void check_everything_of_a_document(void)
{
    shell("mkdir -p %s/files && echo hello >%s/files/index.html", directory, directory);
    char container[2048];
    snprintf(
        container, sizeof container,
        "\"volumes\":[{\"name\":\"files\",\"hostPath\":{\"path\":\"%s/files\"}},"
        "{\"name\":\"made\",\"hostPath\":{\"path\":\"%s/made\",\"type\":\"DirectoryOrCreate\"}},"
        "{\"name\":\"scratch\",\"emptyDir\":{}},"
        "{\"name\":\"memory\",\"emptyDir\":{\"medium\":\"Memory\",\"sizeLimit\":\"1Mi\"}}],"
        "\"container\":{\"image\":\"hordelet-test:1\","
        "\"command\":[\"sh\",\"-c\",\"echo $0 $(MODE) >/scratch/words; exec httpd -f -p 80 -h "
        "/data\"],\"args\":[\"$(HORDELET_CHILD)\"],"
        "\"env\":[{\"name\":\"MODE\",\"value\":\"e$(HORDELET_EPOCH)\"}],"
        "\"ports\":[{\"containerPort\":80}],\"workingDir\":\"/tmp\","
        "\"resources\":{\"limits\":{\"cpu\":\"500m\",\"memory\":\"64Mi\"}},"
        "\"volumeMounts\":[{\"name\":\"files\",\"mountPath\":\"/data\",\"readOnly\":true},"
        "{\"name\":\"made\",\"mountPath\":\"/made\"},"
        "{\"name\":\"scratch\",\"mountPath\":\"/scratch\"},"
        "{\"name\":\"memory\",\"mountPath\":\"/memory\"}]}",
        directory, directory);
    unsigned changes = seen.changes;
    const struct done *done = start("web", container);
    const struct container *web = &done->container;
    CHECK(done->result == RUNTIME_OK && done->has_container);
    CHECK(web->state == CONTAINER_RUNNING && web->started_ms > 1600000000000);
    CHECK(strcmp(web->child.workload, "web") == 0 && web->epoch == 1 && web->replica == 0xabcdef &&
          web->spec_hash == 0x1234 && strcmp(web->node, "n1") == 0);
    CHECK(web->port_count == 1 && web->ports[0].container_port == 80 && web->ports[0].host_port);
    CHECK(web->address[0] != 0);
    CHECK(WAIT_FOR(seen.changes > changes && seen.changed.state == CONTAINER_RUNNING, SOON_MS));
    CHECK(strcmp(inspected(web->id,
                           "{{.HostConfig.Memory}} {{.HostConfig.NanoCpus}} "
                           "{{.HostConfig.CpuShares}} {{.HostConfig.RestartPolicy.Name}}"),
                 "67108864 500000000 512 no") == 0);
    CHECK(strcmp(inspected(web->id, "{{.Name}}"), "/hordelet-check-n1-default-web-0-1") == 0);
    CHECK(strcmp(said("docker --host %s exec %s cat /scratch/words", endpoint, web->id),
                 "default/web/0 e1") == 0);
    CHECK(strcmp(said("docker --host %s exec %s pwd", endpoint, web->id), "/tmp") == 0);
    CHECK(shell("docker --host %s exec %s touch /data/no 2>/dev/null", endpoint, web->id) != 0);
    CHECK(shell("docker --host %s exec %s touch /made/yes /memory/yes", endpoint, web->id) == 0);
    CHECK(strcmp(said("curl -s --retry 5 --retry-connrefused http://127.0.0.1:%u/",
                      web->ports[0].host_port),
                 "hello") == 0);
}

static void check_adopt_and_restart(void)
{
    const struct done *first = start("again", POLITE);
    CHECK(first->result == RUNTIME_OK);
    const struct done *second = start("again", POLITE);
    CHECK(second->result == RUNTIME_OK);
    CHECK(strcmp(first->container.id, second->container.id) == 0);
    const struct done *stopped = stop(first->container.id, 2000);
    CHECK(stopped->result == RUNTIME_OK && stopped->container.state == CONTAINER_EXITED &&
          stopped->container.exit_code == 3 && stopped->container.finished_ms > 0);
    CHECK(stop(first->container.id, 2000)->container.state == CONTAINER_EXITED);
    const struct done *third = start("again", POLITE);
    CHECK(third->result == RUNTIME_OK && third->container.state == CONTAINER_RUNNING);
    CHECK(strcmp(first->container.id, third->container.id) != 0);
    const struct done *gone = stop(first->container.id, 2000);
    CHECK(gone->result == RUNTIME_OK && gone->container.state == CONTAINER_GONE);
    CHECK(strcmp(gone->container.id, first->container.id) == 0);
    CHECK(drop(third->container.id)->result == RUNTIME_FAILED); /* it is running */
    struct runtime_operation forever = operation_of(RUNTIME_STOP, "again");
    TEXT_SET(forever.container_id, third->container.id);
    forever.stop_ms = SHUTDOWN_INFINITY;
    forever.timeout_ms = UINT64_MAX;
    runtime_submit(runtime, &forever);
    CHECK(WAIT_FOR(seen.done[forever.id].times, SOON_MS));
    CHECK(seen.done[forever.id].container.exit_code == 3);
    CHECK(drop(third->container.id)->result == RUNTIME_OK);
    CHECK(drop(third->container.id)->result == RUNTIME_OK); /* gone already */
    CHECK(WAIT_FOR(seen.changed.state == CONTAINER_GONE &&
                       strcmp(seen.changed.id, third->container.id) == 0 &&
                       strcmp(seen.changed.child.workload, "again") == 0,
                   SOON_MS));
}

static void check_stubborn(void)
{
    const struct done *done = start("stubborn", SLEEPER); /* pid 1 ignores SIGTERM */
    uint64_t begin_ms = now_ms();
    const struct done *stopped = stop(done->container.id, 1500);
    CHECK(stopped->container.state == CONTAINER_EXITED && stopped->container.exit_code == 137);
    CHECK(now_ms() - begin_ms >= 1900 && now_ms() - begin_ms < 6000);
    done = start("stubborn", SLEEPER);
    /* An endless stop does not keep a brutal one from working. */
    struct runtime_operation forever = operation_of(RUNTIME_STOP, "stubborn");
    TEXT_SET(forever.container_id, done->container.id);
    forever.stop_ms = SHUTDOWN_INFINITY;
    forever.timeout_ms = UINT64_MAX;
    runtime_submit(runtime, &forever);
    WAIT_FOR(false, 500);
    CHECK(seen.done[forever.id].times == 0);
    stopped = stop(done->container.id, SHUTDOWN_BRUTAL_KILL);
    CHECK(stopped->result == RUNTIME_OK && stopped->container.exit_code == 137);
    CHECK(WAIT_FOR(seen.done[forever.id].times == 1, SOON_MS));
    CHECK(seen.done[forever.id].result == RUNTIME_OK);
}

static void check_ends_by_itself(void)
{
    start("short",
          "\"container\":{\"image\":\"hordelet-test:1\",\"command\":[\"sh\",\"-c\",\"sleep "
          "0.3; exit 7\"]}");
    CHECK(WAIT_FOR(seen.changed.state == CONTAINER_EXITED && seen.changed.exit_code == 7, SOON_MS));
    CHECK(strcmp(seen.changed.child.workload, "short") == 0);
    start("fat",
          "\"container\":{\"image\":\"hordelet-test:1\",\"command\":[\"sh\",\"-c\",\"sleep 0.2; "
          "tail /dev/zero\"],\"resources\":{\"limits\":{\"memory\":\"8Mi\"}}}");
    CHECK(
        WAIT_FOR(seen.changed.state == CONTAINER_EXITED && seen.changed.exit_code == 137, SOON_MS));
    CHECK(seen.changed.oom_killed);
}

static void check_refusals(void)
{
    const struct done *done = start(
        "bad", "\"container\":{\"image\":\"hordelet-test:1\",\"command\":[\"/no/such/program\"]}");
    CHECK(done->result == RUNTIME_INVALID);
    fprintf(stderr, "  %s\n", done->message);
    CHECK(said("docker --host %s ps -aqf name=default-bad-0", endpoint)[0] == 0);
    done = start("bad", "\"container\":{\"image\":\"hordelet-test:none\"}");
    CHECK(done->result == RUNTIME_IMAGE_MISSING);
    fprintf(stderr, "  %s\n", done->message);
    done = start("bad",
                 "\"volumes\":[{\"name\":\"v\",\"hostPath\":{\"path\":\"/no/such\"}}],"
                 "\"container\":{\"image\":\"hordelet-test:1\",\"volumeMounts\":[{\"name\":\"v\","
                 "\"mountPath\":\"/v\"}]}");
    CHECK(done->result == RUNTIME_INVALID);
    fprintf(stderr, "  %s\n", done->message);
    done = start("bad",
                 "\"container\":{\"image\":\"hordelet-test:1\",\"resources\":{\"limits\":{"
                 "\"memory\":\"lots\"}}}");
    CHECK(done->result == RUNTIME_INVALID);
    fprintf(stderr, "  %s\n", done->message);
    static const char port[] =
        "\"container\":{\"image\":\"hordelet-test:1\",\"command\":[\"sleep\","
        "\"1000\"],\"ports\":[{\"containerPort\":80,\"hostPort\":18080}]}";
    const struct done *first = start("port", port);
    CHECK(first->result == RUNTIME_OK && first->container.ports[0].host_port == 18080);
    done = start("port2", port);
    CHECK(done->result == RUNTIME_INVALID);
    fprintf(stderr, "  %s\n", done->message);
    CHECK(said("docker --host %s ps -aqf name=default-port2", endpoint)[0] == 0);
    stop(first->container.id, SHUTDOWN_BRUTAL_KILL);
}

static void check_names(void)
{
    shell(
        "docker --host %s create --name hordelet-check-n1-default-taken-0-1 hordelet-test:1 "
        ">/dev/null",
        endpoint);
    const struct done *done = start("taken", SLEEPER);
    CHECK(done->result == RUNTIME_FAILED);
    fprintf(stderr, "  %s\n", done->message);
    struct runtime_operation one = start_of("b-c", SLEEPER);
    TEXT_SET(one.child.ns, "a");
    CHECK(finish(runtime, &one)->result == RUNTIME_OK);
    struct runtime_operation two = start_of("c", SLEEPER);
    TEXT_SET(two.child.ns, "a-b");
    CHECK(finish(runtime, &two)->result == RUNTIME_OK);
    CHECK(strcmp(seen.done[one.id].container.id, seen.done[two.id].container.id) != 0);
    two = start_of("c", SLEEPER);
    TEXT_SET(two.child.ns, "a-b");
    CHECK(finish(runtime, &two)->result == RUNTIME_OK); /* adopted under its distinct name */
}

static void check_pulls(void)
{
    CHECK(pull("hordelet-test:1", PULL_IF_NOT_PRESENT)->result == RUNTIME_OK);
    CHECK(pull("hordelet-test:1", PULL_NEVER)->result == RUNTIME_OK);
    CHECK(pull("hordelet-test:2", PULL_NEVER)->result == RUNTIME_IMAGE_MISSING);
    const struct done *done = pull("127.0.0.1:1/no/such:1", PULL_IF_NOT_PRESENT);
    CHECK(done->result == RUNTIME_IMAGE_MISSING);
    fprintf(stderr, "  %s\n", done->message);
    done = pull("UPPER CASE", PULL_ALWAYS);
    CHECK(done->result == RUNTIME_IMAGE_MISSING);
    fprintf(stderr, "  %s\n", done->message);
}

static void check_list(void)
{
    struct runtime_operation operation = operation_of(RUNTIME_LIST, "any");
    unsigned lists = seen.lists;
    CHECK(finish(runtime, &operation)->result == RUNTIME_OK);
    CHECK(seen.lists > lists);
    size_t running = 0;
    for (size_t i = 0; i < seen.listed_count; i++)
        running += seen.listed[i].state == CONTAINER_RUNNING;
    CHECK(running == (size_t)atoi(said("docker --host %s ps -q | wc -l", endpoint)));
}

/* Several agents may share an engine. */
static void check_other_node(void)
{
    struct runtime *other = driver_new(endpoint, "n2");
    seen.healthy = false;
    CHECK(WAIT_FOR(seen.healthy, SOON_MS));
    CHECK(seen.listed_count == 0);
    runtime_release(other);
}

static void check_many_at_once(void)
{
    enum { COUNT = RUNTIME_STARTS_IN_FLIGHT_MAX };
    struct runtime_operation operations[COUNT];
    uint64_t begin_ms = now_ms();
    for (int i = 0; i < COUNT; i++) {
        operations[i] = start_of("many", SLEEPER);
        operations[i].child.ordinal = (uint32_t)i;
        operations[i].timeout_ms = 60000;
        runtime_submit(runtime, &operations[i]);
    }
    WAIT_FOR(false, 100);
    uint64_t list_ms = now_ms();
    struct runtime_operation list = operation_of(RUNTIME_LIST, "any");
    CHECK(finish(runtime, &list)->result == RUNTIME_OK);
    fprintf(stderr, "  a list beside %d starts: %llu ms\n", COUNT,
            (unsigned long long)(now_ms() - list_ms));
    for (int i = 0; i < COUNT; i++)
        CHECK(WAIT_FOR(seen.done[operations[i].id].times == 1, 60000) &&
              seen.done[operations[i].id].result == RUNTIME_OK);
    fprintf(stderr, "  %d starts: %llu ms\n", COUNT, (unsigned long long)(now_ms() - begin_ms));
}

static void check_hang(void)
{
    const struct done *running = start("hang", SLEEPER);
    engine_freeze();
    uint64_t begin_ms = now_ms();
    struct runtime_operation list = operation_of(RUNTIME_LIST, "any");
    list.timeout_ms = 1000;
    CHECK(finish(runtime, &list)->result == RUNTIME_TIMED_OUT);
    struct runtime_operation other = start_of("hang2", SLEEPER);
    other.timeout_ms = 1000;
    CHECK(finish(runtime, &other)->result == RUNTIME_TIMED_OUT);
    CHECK(WAIT_FOR(!seen.healthy, 10000));
    fprintf(stderr, "  a hang is seen after %llu ms\n", (unsigned long long)(now_ms() - begin_ms));
    unsigned lists = seen.lists;
    engine_thaw();
    begin_ms = now_ms();
    CHECK(WAIT_FOR(seen.healthy && seen.lists > lists, 10000));
    fprintf(stderr, "  its end after %llu ms\n", (unsigned long long)(now_ms() - begin_ms));
    CHECK(listed(running->container.id));
}

/* Containers end with a dockerd that is killed and comes back (no live restore): the list says so.
 */
static void check_kill(void)
{
    const struct done *running = start("killed", SLEEPER);
    uint64_t begin_ms = now_ms();
    unsigned lists = seen.lists;
    kill(engine_pid(), SIGKILL);
    CHECK(WAIT_FOR(!seen.healthy, 3000));
    fprintf(stderr, "  a death is seen after %llu ms\n", (unsigned long long)(now_ms() - begin_ms));
    CHECK(stop(running->container.id, 1000)->result == RUNTIME_FAILED);
    CHECK(start("dead", SLEEPER)->result == RUNTIME_FAILED);
    WAIT_FOR(false, 3000);
    CHECK(engine_start());
    begin_ms = now_ms();
    CHECK(WAIT_FOR(seen.healthy && seen.lists > lists, 10000));
    fprintf(stderr, "  its return after %llu ms\n", (unsigned long long)(now_ms() - begin_ms));
    CHECK(listed(running->container.id));
    unsigned changes = seen.changes;
    CHECK(start("after", POLITE)->result == RUNTIME_OK);
    CHECK(WAIT_FOR(seen.changes > changes, SOON_MS)); /* events come again */
}

/* ---- guarded ---- */

static struct runtime_operation guarded_of(const char *workload, uint64_t lease_ms)
{
    struct runtime_operation operation = start_of(workload, SLEEPER);
    operation.guarded = true;
    operation.guard_deadline_ms = clock_mono_ms() + lease_ms;
    return operation;
}

static void renew(const struct runtime_operation *start, uint64_t lease_ms)
{
    struct guard_page page = guard_page_of(start);
    struct error err = {0};
    page.deadline_ms = clock_mono_ms() + lease_ms;
    CHECK(guard_page_set(&guard_pages, &page, &err) == 0);
}

static bool has_ended(const struct done *done)
{
    struct runtime_operation list = operation_of(RUNTIME_LIST, "any");
    WAIT_FOR(false, 50);
    finish(runtime, &list);
    return listed(done->container.id) && listed(done->container.id)->state == CONTAINER_EXITED;
}

static bool ends_by_its_guard(const struct done *done)
{
    return WAIT_FOR(has_ended(done), 20000) &&
           listed(done->container.id)->exit_code == GUARD_EXIT_CODE;
}

/* It lives as long as it is renewed, and ends on time while the engine hangs. */
static void check_guard(void)
{
    struct runtime_operation operation = guarded_of("guarded", 2000);
    const struct done *done = finish(runtime, &operation);
    CHECK(done->result == RUNTIME_OK && done->container.guarded);
    CHECK(strcmp(inspected(done->container.id, "{{.Path}}"), "/.hordelet/guard") == 0);
    pid_t guard = (pid_t)atoi(inspected(done->container.id, "{{.State.Pid}}"));
    renew(&operation, 4000);
    WAIT_FOR(false, 2500);
    CHECK(kill(guard, 0) == 0);
    engine_freeze();
    uint64_t begin_ms = now_ms();
    CHECK(WAIT_FOR(kill(guard, 0) != 0, SOON_MS)); /* its parent, containerd-shim, reaps it */
    fprintf(stderr, "  a guard ends %llu ms after it was left alone with 1500 ms to go\n",
            (unsigned long long)(now_ms() - begin_ms));
    engine_thaw();
    CHECK(ends_by_its_guard(done));
}

/* An engine that carries out a start only when its lease has passed. */
static void check_late_start(void)
{
    engine_freeze();
    struct runtime_operation operation = guarded_of("late-start", 1000);
    operation.timeout_ms = 500;
    CHECK(finish(runtime, &operation)->result == RUNTIME_TIMED_OUT);
    WAIT_FOR(false, 1000);
    engine_thaw();
    CHECK(WAIT_FOR(seen.healthy, 10000));
    const struct done *done;
    uint64_t end_ms = now_ms() + 20000;
    do { /* it may be at the first create just now, and refuse another one */
        WAIT_FOR(false, 100);
        operation = guarded_of("late-start", 0);
        done = finish(runtime, &operation);
    } while (done->result == RUNTIME_FAILED && now_ms() < end_ms);
    CHECK(done->result == RUNTIME_OK && ends_by_its_guard(done));
}

static void check_guarded_image(void)
{
    struct runtime_operation operation = guarded_of("own-command", 20000);
    operation.document = "{\"spec\":{\"container\":{\"image\":\"hordelet-test:1\"}}}";
    const struct done *done = finish(runtime, &operation);
    CHECK(done->result == RUNTIME_OK);
    CHECK(strstr(
        inspected(done->container.id, "{{.Args}}"),
        said("docker --host %s inspect -f '{{index .Config.Cmd 0}}' hordelet-test:1", endpoint)));
}

static void check_release_in_flight(void)
{
    for (int i = 0; i < 8; i++) {
        struct runtime_operation operation = start_of("late", SLEEPER);
        operation.child.ordinal = (uint32_t)i;
        runtime_submit(runtime, &operation);
        if (i % 2)
            WAIT_FOR(false, 40);
    }
    driver_release(runtime);
}

static const struct {
    const char *name;
    void (*run)(void);
} all[] = {
    {"everything of a document", check_everything_of_a_document},
    {"adopt and restart", check_adopt_and_restart},
    {"stubborn containers", check_stubborn},
    {"ends by itself", check_ends_by_itself},
    {"refusals", check_refusals},
    {"names", check_names},
    {"pulls", check_pulls},
    {"list", check_list},
    {"another node", check_other_node},
    {"many at once", check_many_at_once},
    {"a hanging engine", check_hang},
    {"a killed engine", check_kill},
    {"a guarded container", check_guard},
    {"a late start", check_late_start},
    {"a guarded image", check_guarded_image},
    {"release in flight", check_release_in_flight},
};

int main(int count, char **arguments)
{
    if (count != 2) {
        fprintf(stderr, "usage: %s DIR\n", arguments[0]);
        return 2;
    }
    signal(SIGPIPE, SIG_IGN);
    snprintf(directory, sizeof directory, "%s", arguments[1]);
    snprintf(endpoint, sizeof endpoint, "unix://%s/docker.sock", directory);
    struct error err;
    if (guard_pages_open(&guard_pages, directory, "", &err)) {
        fprintf(stderr, "%s\n", err.text);
        return EXIT_FAILURE;
    }
    uv_loop_init(&loop);
    runtime = driver_new(endpoint, "n1"); /* before there is an engine */
    CHECK(WAIT_FOR(seen.unhealthy_count, 1000));
    WAIT_FOR(false, 1000);
    CHECK(seen.unhealthy_count == 1);
    if (!engine_start())
        return 77;
    CHECK(WAIT_FOR(seen.healthy, SOON_MS));
    CHECK(seen.lists == 1 && seen.listed_count == 0);
    for (size_t i = 0; i < sizeof all / sizeof *all; i++) {
        fprintf(stderr, "%s\n", all[i].name);
        all[i].run();
    }
    for (uint64_t id = 1; id < next_id; id++)
        CHECK(seen.done[id].times <= 1);
    uv_loop_close(&loop);
    shell("script/engine stop %s", directory);
    return conclude();
}
