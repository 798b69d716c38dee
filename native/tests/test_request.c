/* test_request.c: what the parser takes, what it refuses, and that a refusal names line and key. */
#include "host/request.h"
#include "tests/support.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

static char error[DMX_ERROR_SIZE];

/* Parses a copy that ends exactly where the text ends, before a page that faults. */
static int32_t parse(dmx_request *request, const char *text, char **copy) {
    size_t size = strlen(text);
    *copy = test_guard_allocate(size + 1, TEST_GUARD_AFTER);
    memcpy(*copy, text, size + 1);
    error[0] = '\0';
    return dmx_request_parse(request, *copy, size, error, sizeof error);
}

static void test_everything(void) {
    static dmx_request request;
    char *text = NULL;
    int32_t status = parse(&request,
                           "dualmem-worker 1\n"
                           "task measure\n"
                           "library /a b/one.so\n"
                           "library /two.so\n"
                           "arm 0 similarity avx2 1.0\n"
                           "arm 1 similarity avx2 1.08\n"
                           "prepared 1 /tmp/index one\n"
                           "parameter k 10.0\n"
                           "parameter rate 1e-05\n"
                           "seed 18446744073709551615\n"
                           "data /d\n"
                           "queries /q\n"
                           "cpu 3\n"
                           "stack 4096\n"
                           "placement 4032\n"
                           "order 1 0\n"
                           "check 7\n"
                           "warmup 5000000\n"
                           "iterations 42\n"
                           "target 200000\n"
                           "schedule 0110\n"
                           "exchange 3\n"
                           "operations 5\n"
                           "passes 6\n"
                           "duration 7\n"
                           "output 0 /tmp/out put\n"
                           "path /p\n"
                           "end\n",
                           &text);
    CHECK_STATUS(status, DM_OK, error);
    CHECK_EQUAL(request.task, DMX_MEASURE);
    CHECK_EQUAL(request.library_count, 2);
    CHECK(strcmp(request.libraries[0], "/a b/one.so") == 0);
    CHECK_EQUAL(request.arm_count, 2);
    CHECK(strcmp(request.arms[1].kernel, "similarity") == 0 && strcmp(request.arms[1].variant, "avx2") == 0);
    CHECK_NEAR(request.arms[1].work, 1.08, 0.0);
    CHECK(strcmp(request.arms[1].prepared, "/tmp/index one") == 0 && request.arms[0].prepared == NULL);
    CHECK(strcmp(request.arms[0].output, "/tmp/out put") == 0 && request.arms[1].output == NULL);
    CHECK_EQUAL(request.setting_count, 2);
    CHECK(strcmp(request.settings[1].name, "rate") == 0);
    CHECK_NEAR(request.settings[1].value, 1e-5, 0.0);
    CHECK_EQUAL(request.seed, UINT64_MAX);
    CHECK(strcmp(request.data, "/d") == 0 && strcmp(request.queries, "/q") == 0 && strcmp(request.path, "/p") == 0);
    CHECK(request.pinned);
    CHECK_EQUAL(request.cpu, 3);
    CHECK_EQUAL(request.stack, 4096);
    CHECK_EQUAL(request.placement, 4032);
    CHECK(request.order[0] == 1 && request.order[1] == 0);
    CHECK_EQUAL(request.check, 7);
    CHECK_EQUAL(request.warmup_ns, 5000000);
    CHECK_EQUAL(request.iterations, 42);
    CHECK_EQUAL(request.target_ns, 200000);
    REQUIRE(request.schedule_count == 4);
    CHECK(memcmp(request.schedule, "\0\1\1\0", 4) == 0);
    CHECK_EQUAL(request.exchange, 3);
    CHECK_EQUAL(request.operations, 5);
    CHECK_EQUAL(request.passes, 6);
    CHECK_EQUAL(request.duration_ns, 7);
    test_guard_free(text);
}

static void test_defaults(void) {
    static dmx_request request;
    char *text = NULL;
    int32_t status = parse(&request, "dualmem-worker 1\ntask describe\nlibrary /a\nend\nwhatever follows", &text);
    CHECK_STATUS(status, DM_OK, error);
    CHECK_EQUAL(request.seed, 1);
    CHECK_EQUAL(request.check, 1);
    CHECK(!request.pinned);
    test_guard_free(text);
    status = parse(&request,
                   "dualmem-worker 1\ntask spin\nduration 1\nlibrary /a\narm 0 a b 1\narm 0 a b 1\narm 0 a c 1\nend\n",
                   &text);
    CHECK_STATUS(status, DM_OK, error);
    CHECK(request.order[0] == 0 && request.order[1] == 1 && request.order[2] == 2);
    test_guard_free(text);
}

#define FIRST "dualmem-worker 1\n"
#define TASK FIRST "task measure\nlibrary /a\niterations 1\nschedule 0\n" /* five lines: the next one is line 6 */
#define ARM TASK "arm 0 k v 1\n"

static void test_refusals(void) {
    static const struct {
        const char *text, *expected;
    } cases[] = {
        {"", "ends without the line `end`"},
        {"end\n", "the first line must be `dualmem-worker 1`"},
        {"dualmem-worker 2\nend\n", "the first line must be `dualmem-worker 1`"},
        {FIRST "end\n", "no `task`"},
        {FIRST "task measure\n", "ends without the line `end`"},
        {FIRST "task\nend\n", "request line 2: `task`: '' is not one of describe"},
        {FIRST "task fly\nend\n", "request line 2: `task`: 'fly' is not one of describe"},
        {FIRST "task describe\ntask describe\nend\n", "request line 3: `task`: given twice"},
        {FIRST "task describe\nend\n", "no `library`"},
        {FIRST "task describe\nlibrary a.so\nend\n", "request line 3: `library`: 'a.so' is not an absolute path"},
        {FIRST "task describe\n\nend\n", "request line 3: `` is not a key"},
        {FIRST "task describe\nsede 3\nend\n", "request line 3: `sede` is not a key of protocol version 1"},
        {FIRST "task describe\nlibrary /a\nend now\n", "request line 4: `end`: takes no value"},
        {TASK "end\n", "no `arm`"},
        {TASK "arm 0 k v\nend\n", "request line 6: `arm`: '' is not a decimal number"},
        {TASK "arm 0 k\nend\n", "request line 6: `arm`: needs LIBRARY KERNEL VARIANT WORK"},
        {TASK "arm x k v 1\nend\n", "request line 6: `arm`: 'x' is not a whole number"},
        {TASK "arm 0 k v 1 2\nend\n", "request line 6: `arm`: '1 2' is not a decimal number"},
        {TASK "arm 0 k v 0\nend\n", "WORK 0 is outside of"},
        {TASK "arm 0 k v -1\nend\n", "WORK -1 is outside of"},
        {TASK "arm 0 k v nan\nend\n", "'nan' is not a decimal number"},
        {TASK "arm 0 k v 0x10\nend\n", "'0x10' is not a decimal number"},
        {TASK "arm 0 k v 1e999\nend\n", "1e999 is too large"},
        {TASK "arm 1 k v 1\nend\n", "`arm` 0 uses library 1 of 1"},
        {ARM "seed -1\nend\n", "request line 7: `seed`: '-1' is not a whole number"},
        {ARM "seed\nend\n", "request line 7: `seed`: a number is missing"},
        {ARM "seed 1 \nend\n", "request line 7: `seed`: '1 ' is not a whole number"},
        {ARM "seed 18446744073709551616\nend\n", "is above the maximum 18446744073709551615"},
        {ARM "seed 99999999999999999999999999\nend\n", "is above the maximum 18446744073709551615"},
        {ARM "seed 1\r\nend\n", "is not a whole number"},
        {ARM "check 1073741825\nend\n", "is above the maximum 1073741824"},
        {ARM "placement 32\nend\n", "32 is not a multiple of 64"},
        {ARM "placement 4096\nend\n", "4096 is above the maximum 4095"},
        {ARM "stack 1048577\nend\n", "is above the maximum 1048576"},
        {ARM "order\nend\n", "`order`: names no arm"},
        {ARM "order 0 0\nend\n", "`order`: arm 0 is there twice"},
        {ARM "order 1\nend\n", "`order` names arm 1 of 1"},
        {ARM "arm 0 k v 1\norder 1\nend\n", "`order` names 1 of 2 arms"},
        {ARM "data \nend\n", "`data`: a path is missing"},
        {ARM "prepared 1 /x\nend\n", "`prepared` names arm 1 of 1"},
        {ARM "prepared 0\nend\n", "`prepared`: a path is missing"},
        {ARM "output 9 /x\nend\n", "`output` names arm 9 of 1"},
        {ARM "output 0 /x\noutput 0 /y\nend\n", "`output`: given twice for arm 0"},
        {ARM "parameter k\nend\n", "`parameter`: '' is not a decimal number"},
        {ARM "parameter\nend\n", "`parameter`: needs NAME VALUE"},
        {ARM "parameter k 1\nparameter k 2\nend\n", "`parameter`: k is given twice"},
        {ARM "parameter k 1,5\nend\n", "'1,5' is not a decimal number"},
        {FIRST "task measure\nlibrary /a\narm 0 k v 1\nschedule 02\niterations 1\nend\n",
         "`schedule` entry 1 is arm 2 of 1"},
        {FIRST "task measure\nlibrary /a\narm 0 k v 1\nschedule 0a\niterations 1\nend\n",
         "`schedule`: must be one or more digits"},
        {FIRST "task measure\nlibrary /a\narm 0 k v 1\niterations 1\nend\n", "`task measure` needs `schedule`"},
        {FIRST "task measure\nlibrary /a\narm 0 k v 1\nschedule 0\nend\n", "`task measure` needs `iterations`"},
        {FIRST "task measure\nlibrary /a\narm 0 k v 1\narm 0 k v 1\nschedule 01\niterations 1\nexchange 2\nend\n",
         "`exchange` needs two arms and a later sample"},
        {FIRST "task measure\nlibrary /a\narm 0 k v 1\nschedule 000\niterations 1\nexchange 1\nend\n",
         "`exchange` needs two arms and a later sample"},
        {FIRST "task latency\nlibrary /a\narm 0 k v 1\noperations 1\nend\n",
         "`task latency` needs `operations` and `passes`"},
        {FIRST "task prepare\nlibrary /a\narm 0 k v 1\nend\n", "`task prepare` needs `path`"},
        {FIRST "task spin\nlibrary /a\narm 0 k v 1\nend\n", "`task spin` needs `duration`"},
    };
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        static dmx_request request;
        char *text = NULL;
        int32_t status = parse(&request, cases[i].text, &text);
        if (!CHECK_STATUS(status, DMX_REFUSED, error) || !CHECK(strstr(error, cases[i].expected) != NULL)) {
            (void)fprintf(stderr, "  case %zu: expected \"%s\", got \"%s\"\n", i, cases[i].expected, error);
        }
        test_guard_free(text);
    }
}

static void test_limits(void) {
    static dmx_request request;
    char text[4096] = FIRST "task describe\n";
    for (int i = 0; i < DMX_LIBRARIES + 1; i++) {
        (void)snprintf(text + strlen(text), sizeof text - strlen(text), "library /%d\n", i);
    }
    strcat(text, "end\n");
    CHECK_STATUS(dmx_request_parse(&request, text, strlen(text), error, sizeof error), DMX_REFUSED, error);
    CHECK(strstr(error, "more than 16 libraries") != NULL);

    strcpy(text, TASK);
    for (int i = 0; i < DMX_ARMS + 1; i++) {
        strcat(text, "arm 0 k v 1\n");
    }
    strcat(text, "end\n");
    CHECK_STATUS(dmx_request_parse(&request, text, strlen(text), error, sizeof error), DMX_REFUSED, error);
    CHECK(strstr(error, "more than 10 arms") != NULL);

    char zero[] = FIRST "task describe\nlibrary /a\0b\nend\n";
    CHECK_STATUS(dmx_request_parse(&request, zero, sizeof zero - 1, error, sizeof error), DMX_REFUSED, error);
    CHECK(strstr(error, "line 3 holds a zero byte") != NULL);
}

/* Random edits of a good request: refused or taken, never a crash (the guard page and the sanitizers watch). */
static void test_damage(void) {
    static const char good[] = ARM "seed 5\norder 0\nparameter k 1.5\noutput 0 /x\nprepared 0 /y\nplacement 64\nend\n";
    static const char bytes[] = " \n0123456789-.eax/\r\t\0";
    test_random random = {.state = 7};
    int taken = 0;
    for (int i = 0; i < 20000; i++) {
        char text[sizeof good];
        memcpy(text, good, sizeof good);
        for (uint64_t edits = 1 + test_random_below(&random, 4); edits > 0; edits--) {
            text[test_random_below(&random, sizeof good - 1)] = bytes[test_random_below(&random, sizeof bytes - 1)];
        }
        size_t size = sizeof good - 1 - test_random_below(&random, 3);
        char *copy = test_guard_allocate(size, TEST_GUARD_AFTER);
        memcpy(copy, text, size);
        static dmx_request request;
        error[0] = '\0';
        int32_t status = dmx_request_parse(&request, copy, size, error, sizeof error);
        taken += status == DM_OK;
        CHECK_STATUS(status, status == DM_OK ? DM_OK : DMX_REFUSED, error);
        test_guard_free(copy);
    }
    CHECK(taken > 0 && taken < 20000);
}

/* In pieces of every size, one to a read, from a writer that stays there after `end`. */
static void test_reading(void) {
    static const char sent[] = FIRST "task describe\nlibrary /the/end\nlibrary /end\nend\n";
    for (size_t piece = 1; piece < sizeof sent; piece++) {
        int ends[2];
        REQUIRE(socketpair(AF_UNIX, SOCK_SEQPACKET, 0, ends) == 0);
        for (size_t at = 0; at < sizeof sent - 1; at += piece) {
            size_t left = sizeof sent - 1 - at;
            REQUIRE(write(ends[1], sent + at, left < piece ? left : piece) > 0);
        }
        char *text = NULL;
        size_t size = 0;
        CHECK_STATUS(dmx_request_read(ends[0], &text, &size, error, sizeof error), DM_OK, error);
        CHECK(size == sizeof sent - 1 && memcmp(text, sent, size) == 0);
        free(text);
        (void)close(ends[0]);
        (void)close(ends[1]);
    }
}

/* A request larger than any buffer it is first read into, with `end` written later, in its own pieces. */
static void test_long_request(void) {
    enum { DIGITS = 300000 };
    FILE *file = tmpfile();
    REQUIRE(file != NULL);
    (void)fputs(FIRST "task measure\nlibrary /a\narm 0 k v 1\narm 0 k v 1\niterations 1\nschedule ", file);
    for (int i = 0; i < DIGITS; i++) {
        (void)fputc('0' + i % 2, file);
    }
    (void)fputs("\nend\n", file);
    REQUIRE(fflush(file) == 0 && fseek(file, 0, SEEK_SET) == 0);
    char *text = NULL;
    size_t size = 0;
    static dmx_request request;
    CHECK_STATUS(dmx_request_read(fileno(file), &text, &size, error, sizeof error), DM_OK, error);
    CHECK_STATUS(dmx_request_parse(&request, text, size, error, sizeof error), DM_OK, error);
    CHECK_EQUAL(request.schedule_count, DIGITS);
    CHECK(request.schedule[0] == 0 && request.schedule[DIGITS - 1] == 1);
    free(text);
    (void)fclose(file);
}

int main(void) {
    test_everything();
    test_defaults();
    test_refusals();
    test_limits();
    test_damage();
    test_reading();
    test_long_request();
    return test_report();
}
