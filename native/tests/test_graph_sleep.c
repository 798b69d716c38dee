/* test_graph_sleep.c: one thread sleeps, at the worst moment and as long as it likes, while others go on. No threads
 * where none are needed: what the others do is called from within what the sleeper does, by a variant of the kernels
 * or after every instruction. */
#include <pthread.h>
#include <sched.h>
#include <signal.h>

#include "tests/graph_case.h"

static graph_case made;
static dm_graph_scratch *other; /* of another thread, so to say */

static void open_case(uint32_t rows, uint32_t dim, uint32_t kinds) {
    char error[200] = "";
    made = graph_case_make(rows, dim);
    for (uint32_t row = 0; row < rows; row++) {
        test_random kind = {row % kinds};
        test_random_fill(&kind, graph_case_row(&made, row), dim);
        graph_case_set_norm(&made, row);
    }
    graph_case_open(&made, dm_graph_best(), 3);
    CHECK_STATUS(dm_graph_scratch_create(made.graph, &made.account, &other, error, sizeof(error)), DM_OK, error);
    REQUIRE(other != NULL);
}

static void close_case(void) {
    dm_graph_scratch_destroy(other, &made.account);
    graph_case_check(&made);
    graph_case_close(&made);
    graph_case_free(&made);
}

static void take_out(uint32_t row) {
    char error[200] = "";
    made.slots[row] = DM_SLOT_NONE;
    CHECK_STATUS(dm_graph_remove(made.graph, made.scratch, row, error, sizeof(error)), DM_OK, error);
}

/* --- a change sleeps ---------------------------------------------------------------------------------------------- */

#if defined(__x86_64__) && !defined(__SANITIZE_THREAD__) && !defined(__SANITIZE_ADDRESS__)
static uint64_t steps;
static uint64_t misses; /* counted, not checked: within another check they would wait for each other */

/* The processor traps after every instruction while the flag is set; a handler runs without it. */
static void step_by_step(int is_on) {
    if (is_on) {
        __asm__ volatile("leaq -128(%%rsp), %%rsp\n\tpushfq\n\torq $256, (%%rsp)\n\tpopfq\n\tleaq 128(%%rsp), %%rsp"
                         ::: "memory", "cc");
    } else {
        __asm__ volatile("leaq -128(%%rsp), %%rsp\n\tpushfq\n\tandq $-257, (%%rsp)\n\tpopfq\n\tleaq 128(%%rsp), %%rsp"
                         ::: "memory", "cc");
    }
}

/* A whole search, whose list is longer than there are rows: it finds them all. */
static void look(int number) {
    dm_neighbour found[DM_GRAPH_K_MAX];
    const uint32_t count = dm_graph_search(made.graph, other, graph_case_row(&made, 0), DM_GRAPH_K_MAX, 64, found);
    (void)number;
    steps++;
    misses += count < dm_graph_size(made.graph);
}

static void begin_steps(void (*handler)(int)) {
    const struct sigaction action = {.sa_handler = handler};
    REQUIRE(sigaction(SIGTRAP, &action, NULL) == 0);
    steps = misses = 0;
}

/* The children of a row, in the order of its list; their number. */
static uint32_t list_children(uint32_t row, uint32_t *children) {
    uint32_t links[DM_GRAPH_M0];
    uint32_t count = 0;
    const uint32_t link_count = dm_graph_list(made.graph, row, 0, links);
    for (uint32_t i = 0; i < link_count; i++) {
        if (dm_graph_parent(made.graph, links[i]) == row) {
            children[count++] = links[i];
        }
    }
    return count;
}

static int is_relative(uint32_t row, uint32_t of) {
    return row == of || dm_graph_is_bound(made.graph, row, of);
}

/* A list without a row and, to `most` links, with others, none of them a relative of `of`. */
static void relink(uint32_t row, uint32_t without, uint32_t most, uint32_t of) {
    uint32_t links[DM_GRAPH_M0];
    uint32_t count = 0;
    const uint32_t link_count = dm_graph_list(made.graph, row, 0, links);
    for (uint32_t i = 0; i < link_count; i++) {
        links[count] = links[i];
        count += links[i] != without;
    }
    for (uint32_t to = 0; count < most; to++) {
        if (!is_relative(to, of) && !graph_case_has_link(&made, row, to)) {
            links[count++] = to;
        }
    }
    dm_graph_set_links(made.graph, row, 0, links, count);
}

static uint32_t gone;
static uint32_t orphan;

/* Looks, and takes no more steps when the orphan has found a parent. */
static void look_until_adopted(int number, siginfo_t *info, void *context) {
    const uint32_t parent = dm_graph_parent(made.graph, orphan);
    (void)info;
    look(number);
    if (parent != gone && parent != DM_LINK_NONE && graph_case_has_link(&made, parent, orphan)) {
        ((ucontext_t *)context)->uc_mcontext.gregs[REG_EFL] &= ~(greg_t)256;
    }
}

/* Among equal rows the tree alone holds together what the heuristic drops. A node goes, whose parent and children have
 * full lists and so drop it as soon as they can; only through it leads a way to its last child. */
static void test_sleeping_removal(void) {
    enum { ROWS = 52 };
    uint32_t children[DM_GRAPH_M0];
    uint32_t below[DM_GRAPH_M0];
    uint32_t count = 0;
    open_case(ROWS, 16, 1);
    graph_case_build(&made, NULL);
    gone = ROWS; /* one of the last, which the heuristic drops first */
    do {
        REQUIRE(gone-- > 0);
        count = list_children(gone, children);
    } while (count < 2 || dm_graph_parent(made.graph, gone) == DM_LINK_NONE ||
             list_children(children[count - 1], below) > 0);
    orphan = children[count - 1];
    for (uint32_t from = 0; from < ROWS; from++) {
        if (from != gone && from != orphan) {
            relink(from, orphan, is_relative(from, gone) ? DM_GRAPH_M0 : 0, gone);
        }
    }
    dm_graph_set_links(made.graph, orphan, 0, &gone, 1);
    const struct sigaction action = {.sa_sigaction = look_until_adopted, .sa_flags = SA_SIGINFO};
    REQUIRE(sigaction(SIGTRAP, &action, NULL) == 0);
    steps = misses = 0;
    step_by_step(1);
    take_out(gone);
    step_by_step(0);
    CHECK(steps > 10000);
    CHECK_EQUAL(misses, 0);
    close_case();
}

static void insert(uint32_t row) {
    char error[200] = "";
    CHECK_STATUS(dm_graph_insert(made.graph, made.scratch, row, error, sizeof(error)), DM_OK, error);
    made.slots[row] = row;
}

/* A few rows, and nothing that takes long. */
static void test_sleep_anywhere(void) {
    open_case(6, 16, 6);
    graph_case_build(&made, NULL);
    begin_steps(look);
    for (uint32_t row = 0; row < 3; row++) {
        step_by_step(1);
        take_out(row);
        step_by_step(0);
    }
    step_by_step(1);
    insert(1);
    step_by_step(0);
    CHECK(steps > 5000);
    CHECK_EQUAL(misses, 0);
    close_case();
}

static uint32_t kept[DM_GRAPH_M0];
static uint32_t kept_count;
static uint32_t rewritten;

static void read_list(int number) {
    (void)number;
    steps++;
    for (uint32_t i = 0; i < kept_count; i++) {
        misses += !graph_case_has_link(&made, rewritten, kept[i]);
    }
}

static void copy_places(uint32_t *places) {
    const dm_link *links = dm_graph_links(made.graph, rewritten, 0);
    for (uint32_t i = 0; i < DM_GRAPH_M0; i++) {
        places[i] = dm_link_load(&links[i]);
    }
}

/* 1: a reader that sleeps after so many places of the list, while it is rewritten, meets the row. */
static int is_met(const uint32_t *before, const uint32_t *after, uint32_t read, uint32_t row) {
    for (uint32_t i = 0; i < DM_GRAPH_M0; i++) {
        const uint32_t to = i < read ? before[i] : after[i];
        if (to == row || to == DM_LINK_NONE) {
            return to == row;
        }
    }
    return 0;
}

/* Lists get another order, two links more and five less: those that stay are there whenever it is read, and those of
 * the tree also for a reader that sleeps. */
static void test_sleep_in_a_list(void) {
    uint32_t before[DM_GRAPH_M0];
    uint32_t after[DM_GRAPH_M0];
    open_case(80, 16, 80);
    graph_case_build(&made, NULL);
    uint32_t lists = 0;
    for (rewritten = 0; rewritten < 10; rewritten++) {
        uint32_t links[DM_GRAPH_M0];
        uint32_t rows[DM_GRAPH_M0];
        const uint32_t count = dm_graph_list(made.graph, rewritten, 0, links);
        uint32_t left_out = 0;
        kept_count = 0;
        for (uint32_t i = count; i-- > 0;) {
            if (left_out < 5 && !dm_graph_is_bound(made.graph, rewritten, links[i])) {
                left_out++;
            } else {
                kept[kept_count++] = links[i];
            }
        }
        if (left_out < 5 || kept_count < 3) {
            continue;
        }
        lists++;
        memcpy(rows, kept, sizeof(rows));
        uint32_t row_count = kept_count;
        for (uint32_t row = 79; row_count < kept_count + 2; row--) {
            if (!graph_case_has_link(&made, rewritten, row)) {
                rows[row_count++] = row;
            }
        }
        copy_places(before);
        begin_steps(read_list);
        step_by_step(1);
        dm_graph_set_links(made.graph, rewritten, 0, rows, row_count);
        step_by_step(0);
        CHECK(steps > 200);
        CHECK_EQUAL(misses, 0);
        copy_places(after);
        for (uint32_t i = 0; i < kept_count * DM_GRAPH_M0; i++) {
            const uint32_t row = kept[i / DM_GRAPH_M0];
            CHECK(!dm_graph_is_bound(made.graph, rewritten, row) || is_met(before, after, i % DM_GRAPH_M0, row));
        }
    }
    CHECK(lists >= 5);
    close_case();
}
#else
static void test_sleeping_removal(void) {
    test_skip("sleep at every instruction", "needs the trap flag of x86-64, without a sanitizer");
}

static void test_sleep_anywhere(void) {
}

static void test_sleep_in_a_list(void) {
}
#endif

/* --- a search sleeps ---------------------------------------------------------------------------------------------- */

static const dm_gather_variant *gather_before;
static const dm_query_variant *query_before;
static uint32_t to_go; /* rows, from the first on, that are removed while the search sleeps */

/* The entry first, where the search begins: from there links lead to what is removed later. */
static void remove_rows(void) {
    const uint32_t entry = (uint32_t)atomic_load(&made.graph->entry);
    if (entry < to_go) {
        take_out(entry);
    }
    for (uint32_t row = 0; row < to_go; row++) {
        if (made.slots[row] != DM_SLOT_NONE) {
            take_out(row);
        }
    }
    to_go = 0;
}

static void remove_and_compare(const dm_gathered *from, const uint32_t *rows, uint32_t count, const dm_weights *weights,
                               int32_t *dots) {
    made.graph->gather = gather_before; /* from here on, and for what goes on beside it */
    remove_rows();
    gather_before->dots(from, rows, count, weights, dots);
}

/* Rows 0 and on are nearer to the query than all others. */
static void open_crescent(uint32_t rows) {
    open_case(rows, 16, rows);
    for (uint32_t row = 0; row < rows; row++) {
        float *values = graph_case_row(&made, row);
        values[0] = 8.0f * (float)(rows - row) / (float)rows;
        graph_case_set_norm(&made, row);
    }
    graph_case_build(&made, NULL);
}

/* More rows around the query are gone than its list is long: they lead on, and take all the places. */
static void test_sleep_before_the_walk(void) {
    const float query[16] = {1.0f};
    dm_neighbour found[10];
    open_crescent(1300);
    dm_gather_variant removing = *made.graph->gather;
    gather_before = made.graph->gather;
    removing.dots = remove_and_compare;
    made.graph->gather = &removing;
    to_go = 1280;
    CHECK_EQUAL(dm_graph_search(made.graph, other, query, 10, 16, found), 10);
    CHECK_EQUAL(dm_graph_size(made.graph), 20);
    close_case();
}

static double remove_and_rescore(const dm_query *query, const float *row) {
    remove_rows();
    return query_before->cosine(query, row);
}

/* It has its candidates, and the best are removed before it looks at their vectors, which stay. */
static void test_sleep_before_rescoring(void) {
    const float query[16] = {1.0f};
    dm_neighbour found[10];
    open_crescent(300);
    dm_query_variant removing = *made.graph->query;
    query_before = made.graph->query;
    removing.cosine = remove_and_rescore;
    made.graph->query = &removing;
    to_go = 200;
    CHECK_EQUAL(dm_graph_search(made.graph, other, query, 10, 16, found), 10);
    CHECK(found[0].row < 200); /* as when it began */
    CHECK_EQUAL(dm_graph_size(made.graph), 100);
    made.graph->query = query_before;
    close_case();
}

/* --- a member of a team sleeps ------------------------------------------------------------------------------------ */

enum { SLEEPER = 1, BUILT = 64, TASK = 16 };

static _Atomic int is_asleep;

/* The member with the row that reaches highest has looked at the entry, and sleeps until all tasks but its own are
 * done; nothing else goes on before it does. */
static void sleep_and_prepare(dm_query *query, const float *values) {
    const uint32_t row = (uint32_t)((size_t)(values - made.values) / made.stride);
    const int is_first = dm_graph_size(made.graph) == 0;
    if (row == SLEEPER && !is_first) {
        atomic_store(&is_asleep, 1);
        while (dm_graph_size(made.graph) < BUILT - TASK) {
            (void)sched_yield();
        }
    }
    while (!is_first && !atomic_load(&is_asleep) && dm_graph_mark(made.graph, SLEEPER) != DM_MARK_LIVE) {
        (void)sched_yield();
    }
    query_before->prepare(query, values);
}

/* Whoever is the entry in the end leads on at every level that others reach. */
static void test_sleeping_member(void) {
    uint8_t levels[BUILT] = {0};
    uint32_t rows[DM_GRAPH_M0];
    char error[200] = "";
    dm_team *team = NULL;
    test_random random = {11};
    made = graph_case_make(BUILT, 16);
    graph_case_fill(&made, &random, 8, 4);
    levels[SLEEPER] = 2;
    for (uint32_t row = TASK; row < BUILT; row += 4) {
        levels[row] = 1;
    }
    const dm_rows given = graph_case_rows(&made);
    const dm_graph_options options = {.capacity = BUILT, .ef_construction = DM_GRAPH_EF_CONSTRUCTION, .seed = 1};
    CHECK_STATUS(dm_graph_create_at(dm_graph_best(), &given, &options, levels, &made.account, &made.graph, error,
                                    sizeof(error)), DM_OK, error);
    REQUIRE(made.graph != NULL);
    CHECK_STATUS(dm_team_create(2, &team, error, sizeof(error)), DM_OK, error);
    REQUIRE(team != NULL);
    dm_query_variant sleeping = *made.graph->query;
    query_before = made.graph->query;
    sleeping.prepare = sleep_and_prepare;
    made.graph->query = &sleeping;
    graph_case_build(&made, team);
    made.graph->query = query_before;
    dm_team_destroy(team);
    CHECK_EQUAL(atomic_load(&made.graph->entry), UINT64_C(2) << 32 | SLEEPER);
    CHECK(dm_graph_list(made.graph, SLEEPER, 1, rows) > 0);
    CHECK_STATUS(dm_graph_scratch_create(made.graph, &made.account, &made.scratch, error, sizeof(error)), DM_OK, error);
    graph_case_check(&made);
    graph_case_close(&made);
    graph_case_free(&made);
}

int main(void) {
    test_sleeping_removal();
    test_sleep_anywhere();
    test_sleep_in_a_list();
    test_sleep_before_the_walk();
    test_sleep_before_rescoring();
    test_sleeping_member();
    return test_report();
}
