/* test_player.c: the parts of the player one by one, then the whole process as a caller sees it. Made for the
 * sanitizers as much as for its own checks: what it plays, and how well it measures, is tested in tests/player. */
#include <poll.h>
#include <signal.h>
#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/wait.h>
#include <unistd.h>

#include "player/crc32.h"
#include "player/crew.h"
#include "player/crew_parts.h"
#include "player/names.h"
#include "player/trace.h"
#include "tests/support.h"

enum { OPERATIONS = 4000, KINDS = 2, THREADS = 4, HEADER = 64, NAMES = 16 };

static char error[DMX_ERROR_SIZE];

/* ---- a trace in memory: "even" and "odd" in turn, 1 us apart, keys that count ---- */

static unsigned char bytes[HEADER + NAMES + OPERATIONS * sizeof(dmp_operation)];

static void put(size_t at, uint64_t value, size_t size) {
    memcpy(bytes + at, &value, size); /* little-endian, as this machine is */
}

static void seal(void) {
    put(40, dmp_crc32(bytes + HEADER, sizeof bytes - HEADER), 4);
}

static void make_trace(void) {
    memset(bytes, 0, sizeof bytes);
    memcpy(bytes, "DMTRACE", 8);
    put(8, 1, 4);
    put(12, KINDS, 4);
    put(16, OPERATIONS, 8);
    put(24, OPERATIONS * 1000, 8);
    put(32, NAMES, 4);
    memcpy(bytes + HEADER, "even\0odd", 9);
    for (uint64_t i = 0; i < OPERATIONS; i++) {
        const dmp_operation operation = {i * 1000, i << 8 | i % 2};
        memcpy(bytes + HEADER + NAMES + i * sizeof operation, &operation, sizeof operation);
    }
    seal();
}

/* Written to a file that is gone at the end. */
static const char *written(size_t size) {
    static char path[] = "/tmp/dualmem-trace-XXXXXX";
    static int descriptor = -1;
    if (descriptor < 0) {
        descriptor = mkstemp(path);
    }
    REQUIRE(descriptor >= 0 && ftruncate(descriptor, 0) == 0 && pwrite(descriptor, bytes, size, 0) == (ssize_t)size);
    return path;
}

static void test_crc(void) {
    CHECK_EQUAL(dmp_crc32("", 0), 0);
    CHECK_EQUAL(dmp_crc32("123456789", 9), 0xcbf43926); /* the check value of the catalogues */
    CHECK_EQUAL(dmp_crc32("a", 1), 0xe8b7be43);
}

static void test_names(void) {
    static const char *const names[] = {"insert", "lookup", "look", "consolidate", "lockup"};
    char text[64];
    dmp_nearest("lokup", names, 5, text, sizeof text);
    CHECK(strcmp(text, "lookup, lockup, look") == 0);
    dmp_nearest("spread", names + 4, 1, text, sizeof text);
    CHECK(strcmp(text, "lockup") == 0);
    dmp_nearest("x", names, 0, text, sizeof text);
    CHECK(strcmp(text, "nothing") == 0);
    dmp_nearest("lookup", names, 5, text, 10); /* cut off, not overrun */
    CHECK(strcmp(text, "lookup, l") == 0);
    CHECK(dmp_is_name("a_B-1.+") && !dmp_is_name("") && !dmp_is_name(NULL) && !dmp_is_name("a b") &&
          !dmp_is_name("\""));
}

static int32_t opened(size_t size) {
    dmp_trace trace;
    int32_t status = dmp_trace_open(written(size), &trace, error, sizeof error);
    dmp_trace_close(&trace);
    return status;
}

/* What is refused, and that it is refused for its own reason. */
static void test_traces(void) {
    static const struct {
        size_t at;
        uint64_t value;
        size_t size;
        const char *reason;
    } damages[] = {
        {0, 'X', 1, "does not begin with DMTRACE"},
        {8, 2, 4, "version 2"},
        {12, 0, 4, "names 0 kinds"},
        {12, 65, 4, "names 65 kinds"},
        {12, 1, 4, "more names than its 1"},
        {12, 3, 4, "name 2 is not a name"},
        {HEADER + 8, 0x6464646464646464, 8, "names 1 of its 2"},
        {16, 0, 8, "holds no operation"},
        {16, OPERATIONS - 1, 8, "cut off or damaged"},
        {16, UINT64_MAX / 16 + 2, 8, "cut off or damaged"},
        {24, OPERATIONS * 1000 - 1001, 8, "behind its duration"},
        {32, 24, 4, "not a multiple of 16"},
        {32, 0, 4, "not a multiple of 16"},
        {36, 1, 4, "cut off or damaged"},
        {60, 1, 4, "does not end with zeros"},
        {HEADER, ' ', 1, "is not a name"},
        {HEADER + 5, 0x6e657665, 4, "names the operation even twice"},
        {HEADER + NAMES + 16, 2001, 8, "operation 2 begins before"},
        {HEADER + NAMES + 24, 2, 1, "operation 1 is of kind 2 of 2"},
    };
    make_trace();
    CHECK_STATUS(opened(sizeof bytes), DM_OK, error);
    CHECK_STATUS(opened(HEADER - 1), DM_ERROR_CORRUPT, error);
    CHECK_STATUS(opened(sizeof bytes - 1), DM_ERROR_CORRUPT, error);
    for (size_t i = 0; i < sizeof damages / sizeof *damages; i++) {
        make_trace();
        put(damages[i].at, damages[i].value, damages[i].size);
        seal();
        CHECK_STATUS(opened(sizeof bytes), DM_ERROR_CORRUPT, error);
        if (!CHECK(strstr(error, damages[i].reason) != NULL)) {
            (void)fprintf(stderr, "damage %zu: %s\n", i, error);
        }
    }
    make_trace();
    bytes[sizeof bytes - 1] ^= 1; /* not sealed */
    CHECK_STATUS(opened(sizeof bytes), DM_ERROR_CORRUPT, error);
    CHECK(strstr(error, "CRC-32") != NULL);
}

/* ---- the crew ---- */

struct dm_state {
    uint64_t calls[THREADS * 16]; /* plain, each its own cache lines: two threads with one number would be a race */
    _Atomic uint64_t keys, wrong;
};

/* Fails at every key that ends with a 9. */
static int32_t operate(dm_state *state, uint32_t thread, uint32_t operation, uint64_t key, uint64_t *result) {
    state->calls[thread * 16]++;
    atomic_fetch_add(&state->keys, key);
    atomic_fetch_add(&state->wrong, operation != 7 - key % 2); /* places: even 7, odd 6 */
    *result = key * 3;
    return key % 10 == 9 ? DM_ERROR_ARGUMENT : DM_OK;
}

static uint64_t expected_results(const dmp_play *play, uint64_t kind) {
    uint64_t sum = 0;
    for (uint64_t i = play->first; i < play->first + play->count; i++) {
        sum += i % 2 == kind && i % 10 != 9 ? dmx_mix(dmx_mix(0, i), i * 3) : 0;
    }
    return sum;
}

static void check_played(const dmp_play *play, const dmp_played *played, const dmp_times *times) {
    uint64_t operations = 0;
    for (size_t kind = 0; kind < KINDS; kind++) {
        const dmp_tally *tally = &played->tallies[kind];
        operations += tally->operations;
        CHECK_EQUAL(tally->service.count, tally->operations);
        CHECK_EQUAL(tally->response.count, play->open ? tally->operations : 0);
        CHECK_EQUAL(tally->results, expected_results(play, kind));
        CHECK_EQUAL(tally->errors, kind == 1 ? play->count / 10 : 0);
    }
    CHECK_EQUAL(operations, play->count);
    CHECK_EQUAL(played->scheduled_ns, (play->count - 1) * 500);
    uint64_t last = 0, early = 0;
    for (uint64_t i = 0; i < play->count; i++) {
        last = times[i].ended_ns > last ? times[i].ended_ns : last;
        early += times[i].begun_ns > times[i].ended_ns || (play->open && times[i].begun_ns < i * 500);
    }
    CHECK_EQUAL(early, 0);
    CHECK_EQUAL(played->elapsed_ns, last);
}

static void test_crew(void) {
    static dmp_times times[OPERATIONS];
    static struct dm_state state;
    make_trace();
    dmp_trace trace;
    CHECK_STATUS(dmp_trace_open(written(sizeof bytes), &trace, error, sizeof error), DM_OK, error);
    dmp_crew *crew = NULL;
    REQUIRE(CHECK_STATUS(dmp_crew_open(&trace, THREADS, NULL, 0, &crew, error, sizeof error), DM_OK, error));
    const dm_workload workload = {.size = sizeof workload, .operate = operate};
    const dmp_lane lane = {.workload = &workload, .state = &state, .places = {7, 6}};
    uint64_t calls = 0, keys = 0, number = 0;
    for (uint64_t i = 0; i < 40; i++) { /* sections of 1,000: the trace again and again */
        const dmp_play play = {
            .first = i % 4 * 1000, .count = 1000, .open = i % 3 != 0, .speed = 2, .threads = 1 + (uint32_t)i % THREADS};
        dmp_played played;
        dmp_crew_play(crew, &lane, &play, times, &played);
        check_played(&play, &played, times);
        CHECK(!dmp_crew_under_way(&number));
        calls += play.count;
        keys += play.count * play.first + play.count * (play.count - 1) / 2;
    }
    uint64_t done = 0;
    for (uint32_t i = 0; i < THREADS; i++) {
        done += state.calls[i * 16];
    }
    CHECK_EQUAL(done, calls);
    CHECK_EQUAL(state.keys, keys);
    CHECK_EQUAL(state.wrong, 0);
    dmp_crew_close(crew);
    dmp_crew_close(NULL);
    static const size_t nowhere[] = {65536};
    CHECK_STATUS(dmp_crew_open(&trace, 2, nowhere, 1, &crew, error, sizeof error), DMX_REFUSED, error);
    CHECK(crew == NULL);
    dmp_trace_close(&trace);
}

static int alarm_clock[2]; /* a pipe */
static _Atomic int is_asleep;

static void sleep_until_called(int number) {
    struct pollfd called = {.fd = alarm_clock[0], .events = POLLIN};
    (void)number;
    atomic_store(&is_asleep, 1);
    (void)poll(&called, 1, 1000); /* in a condition's wait others may have to wait for it */
}

/* A thread that a play does not need sleeps until that is over and the caller has written the next one in its place. It
 * takes part in no play that it was not called to. */
static void test_sleeping_thread(void) {
    static dmp_times times[1000];
    static struct dm_state state;
    make_trace();
    dmp_trace trace;
    CHECK_STATUS(dmp_trace_open(written(sizeof bytes), &trace, error, sizeof error), DM_OK, error);
    dmp_crew *crew = NULL;
    REQUIRE(CHECK_STATUS(dmp_crew_open(&trace, 2, NULL, 0, &crew, error, sizeof error), DM_OK, error));
    const struct sigaction action = {.sa_handler = sleep_until_called};
    REQUIRE(pipe(alarm_clock) == 0 && sigaction(SIGUSR1, &action, NULL) == 0);
    (void)pthread_mutex_lock(&crew->lock); /* it is to sleep while it waits for this one, not with it */
    (void)pthread_cond_broadcast(&crew->wake);
    (void)usleep(10000);
    REQUIRE(pthread_kill(crew->members[1].thread, SIGUSR1) == 0);
    while (!atomic_load(&is_asleep)) {
        (void)usleep(100);
    }
    (void)pthread_mutex_unlock(&crew->lock);
    const dm_workload workload = {.size = sizeof workload, .operate = operate};
    const dmp_lane lane = {.workload = &workload, .state = &state, .places = {7, 6}};
    dmp_play play = {.first = 0, .count = 1000, .speed = 2, .threads = 1};
    dmp_played played;
    dmp_crew_play(crew, &lane, &play, times, &played);
    check_played(&play, &played, times);
    play = (dmp_play){.first = 1000, .count = 1000, .speed = 2, .threads = 2};
    REQUIRE(write(alarm_clock[1], "", 1) == 1);
    (void)usleep(20000);
    CHECK_EQUAL(state.calls[0], 1000);
    CHECK_EQUAL(state.calls[16], 0);
    dmp_crew_play(crew, &lane, &play, times, &played);
    check_played(&play, &played, times);
    dmp_crew_close(crew);
    dmp_trace_close(&trace);
    (void)close(alarm_clock[0]);
    (void)close(alarm_clock[1]);
}

/* ---- the whole process ---- */

/* What it answers to `request`, and with which status. */
static int played_by_process(const char *request, char *answer, size_t size) {
    char path[] = "/tmp/dualmem-request-XXXXXX", command[1024];
    const int descriptor = mkstemp(path);
    REQUIRE(descriptor >= 0 && write(descriptor, request, strlen(request)) == (ssize_t)strlen(request));
    (void)close(descriptor);
    (void)snprintf(command, sizeof command, "exec '%s' <'%s'", PLAYER, path);
    FILE *pipe = popen(command, "re");
    REQUIRE(pipe != NULL);
    answer[fread(answer, 1, size - 1, pipe)] = '\0';
    const int status = pclose(pipe);
    (void)unlink(path);
    return WIFEXITED(status) ? WEXITSTATUS(status) : -1;
}

static void test_process(void) {
    enum { SIZE = 1 << 22 };
    char request[4096], *answer = malloc(SIZE);
    REQUIRE(answer != NULL);
    make_trace();
    memset(bytes + HEADER, 0, NAMES);
    memcpy(bytes + HEADER, "echo\0fail", 10);
    seal();
    const char *trace = written(sizeof bytes);
    static const char *const set_up =
        "dualmem-player 1\ntask play\nlibrary %s\narm 0 known whole\narm 0 known bare\nthreads 3\n"
        "order 1 0\ntrace %s\ntimes /dev/null\nparameter stall 5\n%s";
    (void)snprintf(request, sizeof request, set_up, SUBJECT, trace,
                   "begin\nplay 0 0 1000 open 1 3\nplay 1 0 4000 closed 1 2\nplay 0 1000 500 open 3.5 1\nend\n");
    CHECK_EQUAL(played_by_process(request, answer, SIZE), 0);
    CHECK(strstr(answer, "{\"event\":\"ready\"") != NULL && strstr(answer, "{\"event\":\"done\"") != NULL);
    (void)snprintf(request, sizeof request, set_up, SUBJECT, trace,
                   "begin\nplay 0 0 1000 open 1 3\nplay 2 0 1 open 1 1\n");
    CHECK_EQUAL(played_by_process(request, answer, SIZE), 2);
    CHECK(strstr(answer, "{\"event\":\"played\"") != NULL &&
          strstr(answer, "request line 13: `play`: 2 is outside of 0 to 1") != NULL);
    (void)snprintf(request, sizeof request, set_up, SUBJECT, trace, "seed 13\nbegin\nend\n");
    CHECK_EQUAL(played_by_process(request, answer, SIZE), 3);
    CHECK(strstr(answer, "brings bad luck") != NULL);
    (void)snprintf(request, sizeof request, "dualmem-player 1\ntask describe\nlibrary %s\nbegin\n", SUBJECT);
    CHECK_EQUAL(played_by_process(request, answer, SIZE), 0);
    CHECK(strstr(answer, "{\"event\":\"workloads\"") != NULL && strstr(answer, "4096 terabytes") != NULL);
    free(answer);
    (void)unlink(trace);
}

int main(void) {
    test_crc();
    test_names();
    test_traces();
    test_crew();
    test_sleeping_thread();
    test_process();
    return test_report();
}
