/* test_memory.c: the allocator keeps its promises: alignment, placement, zeroes, and an account that is exact. */
#include <pthread.h>
#include <stdlib.h>
#include <string.h>

#include "store/memory.h"
#include "tests/support.h"

static int is_zero(const unsigned char *bytes, size_t size) {
    for (size_t i = 0; i < size; i++) {
        if (bytes[i] != 0) {
            return 0;
        }
    }
    return 1;
}

static void blocks_are_aligned_placed_zeroed_and_counted(void) {
    static const size_t sizes[] = {0, 1, 63, 64, 65, 4096, 100000, DM_HUGE_PAGE - 1, DM_HUGE_PAGE, 3 * DM_HUGE_PAGE + 5};
    static const size_t alignments[] = {64, 128, 4096};
    static const size_t placements[] = {0, 64, 1984, 4032};
    dm_memory account = {0};
    for (size_t s = 0; s < sizeof(sizes) / sizeof(sizes[0]); s++) {
        for (size_t a = 0; a < sizeof(alignments) / sizeof(alignments[0]); a++) {
            for (size_t p = 0; p < sizeof(placements) / sizeof(placements[0]); p++) {
                size_t alignment = sizes[s] >= DM_HUGE_PAGE ? DM_HUGE_PAGE : alignments[a];
                for (int again = 0; again < 2; again++) { /* the second time the C allocator hands back dirty memory */
                    unsigned char *block = dm_memory_allocate(&account, sizes[s], alignments[a], placements[p]);
                    REQUIRE(block != NULL);
                    CHECK_EQUAL(((uintptr_t)block - placements[p]) % alignment, 0);
                    CHECK(is_zero(block, sizes[s]));
                    CHECK_EQUAL(dm_memory_bytes(&account), sizes[s]);
                    memset(block, 0xFF, sizes[s]);
                    dm_memory_free(&account, block);
                    CHECK_EQUAL(dm_memory_bytes(&account), 0);
                }
            }
        }
    }
    dm_memory_free(&account, NULL);
}

static void wrong_arguments_are_refused(void) {
    dm_memory account = {0};
    CHECK(dm_memory_allocate(&account, 64, 32, 0) == NULL);
    CHECK(dm_memory_allocate(&account, 64, 96, 0) == NULL);
    CHECK(dm_memory_allocate(&account, 64, 64, 32) == NULL);
    CHECK(dm_memory_allocate(&account, 64, 64, 4096) == NULL);
    CHECK(dm_memory_allocate(&account, SIZE_MAX, 64, 0) == NULL);
    CHECK(dm_memory_allocate(&account, SIZE_MAX / 8, 64, 0) == NULL);
    CHECK_EQUAL(dm_memory_bytes(&account), 0);
}

static void a_reservation_grows_in_place(void) {
    static const size_t limits[] = {4096, 1 << 20, (size_t)1 << 33};
    dm_memory account = {0};
    for (size_t i = 0; i < sizeof(limits) / sizeof(limits[0]); i++) {
        unsigned char *array = dm_memory_reserve(limits[i], 128);
        REQUIRE(array != NULL);
        CHECK_EQUAL((uintptr_t)array % DM_HUGE_PAGE, 128);
        CHECK_EQUAL(dm_memory_bytes(&account), 0);
        REQUIRE(dm_memory_commit(&account, array, 0, 1000));
        CHECK_EQUAL(dm_memory_bytes(&account), 1000);
        CHECK(is_zero(array, 1000));
        memset(array, 0x5A, 1000);
        REQUIRE(dm_memory_commit(&account, array, 1000, 2096));
        CHECK_EQUAL(dm_memory_bytes(&account), 3096);
        CHECK(array[0] == 0x5A && array[999] == 0x5A && is_zero(array + 1000, 2096));
        REQUIRE(dm_memory_commit(&account, array, limits[i] - 1000, 1000)); /* a gap between */
        CHECK(is_zero(array + limits[i] - 1000, 1000));
        memset(array + limits[i] - 1000, 0x5A, 1000);
        CHECK_EQUAL(dm_memory_bytes(&account), 4096);
        CHECK(!dm_memory_commit(&account, array, limits[i] - 10, 11));
        CHECK(!dm_memory_commit(&account, array, limits[i] + 1, 0));
        CHECK(!dm_memory_commit(&account, array, 0, SIZE_MAX));
        CHECK_EQUAL(dm_memory_bytes(&account), 4096);
        dm_memory_free(&account, array);
        CHECK_EQUAL(dm_memory_bytes(&account), 0);
    }
}

enum { THREADS = 4, ROUNDS = 2000 };

static void *allocate_and_free(void *argument) {
    dm_memory *account = argument;
    for (size_t i = 0; i < ROUNDS; i++) {
        void *block = dm_memory_allocate(account, 1 + i % 500, 64, 0);
        REQUIRE(block != NULL);
        dm_memory_free(account, block);
    }
    return dm_memory_allocate(account, 77, 64, 0);
}

static void threads_share_an_account(void) {
    dm_memory account = {0};
    pthread_t threads[THREADS];
    for (int i = 0; i < THREADS; i++) {
        REQUIRE(pthread_create(&threads[i], NULL, allocate_and_free, &account) == 0);
    }
    void *left[THREADS];
    for (int i = 0; i < THREADS; i++) {
        REQUIRE(pthread_join(threads[i], &left[i]) == 0);
    }
    CHECK_EQUAL(dm_memory_bytes(&account), THREADS * 77);
    for (int i = 0; i < THREADS; i++) {
        dm_memory_free(&account, left[i]);
    }
    CHECK_EQUAL(dm_memory_bytes(&account), 0);
}

int main(void) {
    blocks_are_aligned_placed_zeroed_and_counted();
    wrong_arguments_are_refused();
    a_reservation_grows_in_place();
    threads_share_an_account();
    return test_report();
}
