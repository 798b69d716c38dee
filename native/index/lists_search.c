/* lists_search.c: rank the lists, scan those visited, rescore the best.
 *
 * Both rankings are the two passes of simd/choose: a number that enough estimates reach, and all that reach it. What is
 * left, little more than asked for, is a heap that is taken from as long as needed, never sorted as a whole. */
#include <float.h>
#include <math.h>
#include <string.h>

#include "index/lists_parts.h"
#include "index/neighbours.h"
#include "store/poison.h"

/* An estimate is the product of two vectors of norm 1, or little more by rounding. */
#define LEAST (-2.0f)

/* --- keys --------------------------------------------------------------------------------------------------------- */

static inline dm_lists_key make_key(float estimate, uint32_t what) {
    uint32_t bits;
    memcpy(&bits, &estimate, sizeof(bits));
    bits = ~(bits ^ ((bits >> 31) != 0 ? UINT32_MAX : UINT32_C(0x80000000))); /* falls as the estimate rises */
    return (uint64_t)bits << 32 | what;
}

static inline float key_estimate(dm_lists_key key) {
    uint32_t bits = ~(uint32_t)(key >> 32);
    bits ^= (bits >> 31) != 0 ? UINT32_C(0x80000000) : UINT32_MAX;
    float estimate;
    memcpy(&estimate, &bits, sizeof(estimate));
    return estimate;
}

static inline void sift_down(dm_lists_key *heap, uint32_t size, uint32_t place, dm_lists_key key) {
    for (uint32_t child = 2 * place + 1; child < size; child = 2 * place + 1) {
        child += child + 1 < size && heap[child + 1] < heap[child];
        if (heap[child] >= key) {
            break;
        }
        heap[place] = heap[child];
        place = child;
    }
    heap[place] = key;
}

static void make_heap(dm_lists_key *keys, uint32_t size) {
    for (uint32_t place = size / 2; place > 0; place--) {
        sift_down(keys, size, place - 1, keys[place - 1]);
    }
}

/* The smallest key, which leaves the heap; its size is then one less. */
static inline dm_lists_key take_best(dm_lists_key *heap, uint32_t *size) {
    const dm_lists_key best = heap[0];
    (*size)--;
    sift_down(heap, *size, 0, heap[*size]);
    return best;
}

/* Puts the k smallest keys first, the largest of them at k - 1 (Hoare 1961, "Algorithm 65: find"). 1 <= k <= size. No
 * two keys are equal. */
static void select_best(dm_lists_key *keys, uint32_t size, uint32_t k) {
    uint32_t begin = 0;
    uint32_t end = size;
    while (end - begin > 1) {
        const dm_lists_key pivot = keys[begin + (end - begin) / 2];
        uint32_t low = begin;
        uint32_t high = end - 1;
        for (;;) {
            while (keys[low] < pivot) {
                low++;
            }
            while (keys[high] > pivot) {
                high--;
            }
            if (low >= high) {
                break; /* at the pivot: all before it are smaller, all behind it larger */
            }
            const dm_lists_key exchanged = keys[low];
            keys[low] = keys[high];
            keys[high] = exchanged;
        }
        if (low == k - 1) {
            return;
        }
        if (low < k - 1) {
            begin = low + 1;
        } else {
            end = low;
        }
    }
}

/* --- choosing ----------------------------------------------------------------------------------------------------- */

static inline uint32_t count_reaching(const float *peaks, uint32_t groups, float least) {
    uint32_t count = 0;
    for (uint32_t group = 0; group < groups; group++) {
        count += peaks[group] >= least;
    }
    return count;
}

enum { HALVINGS = 12 };

/* A number that at least k of the peaks reach, and few more: halving the way from the smallest to the largest takes a
 * fifth of the time of looking for the k-th, whose comparisons nothing foretells. 1 <= k <= groups. */
static float reached_by_peaks(const float *peaks, uint32_t groups, uint32_t k) {
    float low = peaks[0];
    float high = peaks[0];
    for (uint32_t group = 1; group < groups; group++) {
        low = peaks[group] < low ? peaks[group] : low;
        high = peaks[group] > high ? peaks[group] : high;
    }
    for (uint32_t turn = 0; turn < HALVINGS; turn++) {
        const float middle = low + (high - low) / 2.0f;
        const uint32_t count = count_reaching(peaks, groups, middle);
        if (count >= k) {
            low = middle;
        } else {
            high = middle;
        }
        if (count == k) {
            break;
        }
    }
    return low;
}

/* A number that at least k of the first `count` estimates reach, and few more if count is large; LEAST if there are not
 * so many or k is too large for the peaks. */
static float reached_by(const dm_lists *lists, dm_lists_scratch *scratch, uint32_t count, uint32_t k) {
    uint32_t groups = 64;
    while (groups < 4 * k) {
        groups *= 2;
    }
    if (groups > DM_LISTS_PEAKS || count < k) {
        return LEAST;
    }
    lists->choose->peaks(scratch->estimates, count, LEAST, scratch->peaks, groups);
    return reached_by_peaks(scratch->peaks, groups, k);
}

/* Fills scratch->visited with the `visits` lists whose centres are nearest. */
static void choose_lists(const dm_lists *lists, dm_lists_scratch *scratch, const dm_weights *weights, uint32_t visits) {
    const uint32_t count = lists->list_count;
    if (visits == count) {
        for (uint32_t list = 0; list < count; list++) {
            scratch->visited[list] = list;
        }
        return;
    }
    lists->scan->scan(lists->centres, dm_lists_panels_of(count), lists->words, weights, scratch->estimates);
    const float least = reached_by(lists, scratch, count, visits);
    const uint32_t size = lists->choose->at_least(scratch->estimates, count, least, scratch->chosen);
    for (uint32_t i = 0; i < size; i++) {
        scratch->keys[i] = make_key(scratch->estimates[scratch->chosen[i]], scratch->chosen[i]);
    }
    select_best(scratch->keys, size, visits);
    for (uint32_t i = 0; i < visits; i++) {
        scratch->visited[i] = (uint32_t)scratch->keys[i];
    }
}

/* --- scanning ----------------------------------------------------------------------------------------------------- */

enum { ASKED_LINES = 24 }; /* of the next list, asked for while one is scanned */

static inline void prefetch_list(const dm_lists *lists, uint32_t list) {
    const uint8_t *begin = lists->panels + lists->panel_begins[list] * lists->panel_bytes;
    for (size_t line = 0; line < ASKED_LINES; line++) {
        __builtin_prefetch(begin + line * DM_CACHE_LINE, 0, 3);
    }
}

/* The estimates of the rows of the visited lists, one list behind the other: what the last panel of a list has too many
 * is overwritten by the next list, or lies behind the end. Returns their number. */
static uint32_t scan_lists(const dm_lists *lists, dm_lists_scratch *scratch, const dm_weights *weights,
                           uint32_t visits) {
    uint32_t size = 0;
    for (uint32_t i = 0; i < visits; i++) {
        const uint32_t list = scratch->visited[i];
        const uint32_t first = lists->panel_begins[list];
        if (i + 1 < visits) {
            prefetch_list(lists, scratch->visited[i + 1]);
        }
        lists->scan->scan(lists->panels + first * lists->panel_bytes, lists->panel_begins[list + 1] - first,
                          lists->words, weights, scratch->estimates + size);
        size += lists->begins[list + 1] - lists->begins[list];
    }
    return size;
}

/* Keys of the rows whose estimates are chosen, which are in the order of the scan. */
static void make_keys(const dm_lists *lists, dm_lists_scratch *scratch, uint32_t chosen) {
    uint32_t visit = 0;
    uint32_t begin = 0; /* of the visited list, among the estimates */
    uint32_t list = scratch->visited[0];
    for (uint32_t i = 0; i < chosen; i++) {
        const uint32_t place = scratch->chosen[i];
        while (place - begin >= lists->begins[list + 1] - lists->begins[list]) {
            begin += lists->begins[list + 1] - lists->begins[list];
            list = scratch->visited[++visit];
        }
        scratch->keys[i] = make_key(scratch->estimates[place], lists->members[lists->begins[list] + place - begin]);
    }
}

/* --- rescoring ---------------------------------------------------------------------------------------------------- */

/* How far a cosine may lie above its estimate for the row still to be rescored: four standard deviations. The rounding
 * error of a code is uniform over a step, step / sqrt(12) a component, and what it is multiplied with, of norm 1, weighs
 * the components: `steps` has the squares of those of the query's codes. What the row's code and the projection add was
 * measured; the codes of the directions, of twice as many levels, add little to it. */
static double slack_of(const dm_lists *lists, double steps) {
    return 4.0 * sqrt(steps / 12.0 + lists->noise * lists->noise);
}

enum { AHEAD = 2 }; /* rows asked for before they are rescored */

static uint32_t rescore(const dm_lists *lists, dm_lists_scratch *scratch, uint32_t size, double slack, uint32_t k,
                        dm_neighbour *best) {
    dm_lists_key asked[AHEAD];
    uint32_t left = 0; /* of those asked for */
    uint32_t found = 0;
    make_heap(scratch->keys, size);
    for (; left < AHEAD && size > 0; left++) {
        asked[left] = take_best(scratch->keys, &size);
        dm_neighbours_prefetch(&lists->rows, (uint32_t)asked[left]);
    }
    for (uint32_t at = 0; left > 0; at = (at + 1) % AHEAD) {
        const dm_lists_key key = asked[at];
        if (found == k && (double)key_estimate(key) + slack < best[k - 1].similarity) {
            break;
        }
        left--;
        if (size > 0) {
            asked[at] = take_best(scratch->keys, &size);
            dm_neighbours_prefetch(&lists->rows, (uint32_t)asked[at]);
            left++;
        }
        const uint32_t row = (uint32_t)key;
        const double cosine = dm_neighbours_similarity(DM_SIMILARITY_COSINE, lists->query, &scratch->query,
                                                       &lists->rows, row);
        found = dm_neighbours_insert(best, found, k, (dm_neighbour){.similarity = cosine, .row = row});
        scratch->rescored++;
    }
    return found;
}

/* --- the query ---------------------------------------------------------------------------------------------------- */

/* Weights made of a vector; adds the square of a step of its code to *steps. */
static dm_weights encode(const dm_lists *lists, int8_t *codes, const float *vector, uint32_t dim, double *steps) {
    const dm_code_facts facts = lists->coder->encode(codes, vector, dim, DM_CODE_QUERY_LEVELS);
    *steps += (double)facts.scale * (double)facts.scale;
    return (dm_weights){.values = codes, .sum = facts.sum, .scale = facts.scale};
}

/* The inner form of the query's unit vector, padded. */
static const float *project(const dm_lists *lists, dm_lists_scratch *scratch, double *steps) {
    const uint32_t dim = lists->rows.dim;
    const dm_weights weights = encode(lists, scratch->unit_codes, scratch->query.unit, dim, steps);
    lists->scan->scan(lists->coded, dm_lists_panels_of(lists->dims), dm_panel_words(dim), &weights, scratch->inner);
    return scratch->inner;
}

/* --- searching ---------------------------------------------------------------------------------------------------- */

uint32_t dm_lists_search(const dm_lists *lists, dm_lists_scratch *scratch, const float *query, uint32_t k,
                         uint32_t visits, dm_neighbour *neighbours) {
    double steps = 0.0;
    lists->query->prepare(&scratch->query, query);
    const float *inner = lists->dims != 0 ? project(lists, scratch, &steps) : scratch->query.unit;
    const dm_weights weights = encode(lists, scratch->codes, inner, lists->inner, &steps);
    choose_lists(lists, scratch, &weights, visits);
    const uint32_t size = scan_lists(lists, scratch, &weights, visits);
    const double slack = slack_of(lists, steps);
    /* k rows reach the number, and have cosines above it less the slack; so has any row that may be among the best. */
    const double least = (double)reached_by(lists, scratch, size, k) - 2.0 * slack;
    const uint32_t chosen = lists->choose->at_least(scratch->estimates, size, (float)fmax(least, (double)LEAST),
                                                    scratch->chosen);
    make_keys(lists, scratch, chosen);
    scratch->compared = size;
    scratch->rescored = 0;
    return rescore(lists, scratch, chosen, slack, k, neighbours);
}
